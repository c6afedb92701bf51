"""Electors in bad weather: pauses, clocks that run wrong, cuts, an API server that fails, Raft leaders that crash.

A storm is its seed. Which kinds of trouble there are is drawn first, so that runs with one kind of trouble are found as
well as those with all of them; then what happens, to whom, when. What happens does not depend on whether there is
fencing: the same seed is the same storm with and without it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from raft_lab import Cluster
from raft_lab.kube.electors import Electors
from raft_lab.kube.errors import ApiError
from raft_lab.kube.network import FAILURES, Chance, Faults
from raft_lab.kube.requests import Delete
from raft_lab.kube.timeline import BELIEVES, WORKS, Overlap
from raft_lab.kv import KVServer
from raft_lab.sim.schedule import Timing

SECOND = 1_000_000
ALONE = Timing(election_timeout_us=(20 * SECOND, 40 * SECOND), heartbeat_us=10 * SECOND)
THREE = Timing(election_timeout_us=(3 * SECOND, 6 * SECOND), heartbeat_us=SECOND)
"""Slow heartbeats: a run is some minutes long, and most of what Raft does in them is to say that it is there."""

LIKELY = {
    "pauses": 0.5, "drift": 0.3, "cuts": 0.5, "crashes": 0.5, "api": 0.5, "odds": 0.5, "raft": 0.15, "edits": 0.15,
}  # fmt: skip
"""How likely a storm is to have each kind of trouble. The last one: somebody deletes the lease by hand."""
BREAK_PROMISES = {"pauses", "drift", "edits"}
"""With these, two may work at once, whatever the durations."""
DURATIONS = ((6, 4, 1), (15, 10, 2), (10, 6, 2), (9, 5, 1))
"""LeaseDuration, RenewDeadline and RetryPeriod: the lease outlasts the other two."""
TIGHT = (4, 3.9, 3)
"""Accepted by client-go as well."""


@dataclass
class Outcome:
    """What a storm has come to.

    Attributes:
        seed: which storm.
        trouble: which kinds of trouble it had.
        promises: whether two may never work at once: nobody pauses, clocks run true, and the lease is longer than all
            that its holder needs to give up.
        interleaved: how many writes of an earlier leader were taken after one of a later leader.
        rejected: how many were refused by fencing.
        writes: how many were taken.
        worked: when two worked at once.
        believed: when IsLeader was true of two at once.
        unique: whether no two processes had one identity.
        settled: what was wrong a while after the last trouble, or ''.
        longest_gap: how long nobody worked at most when all was well again, in seconds.
        longest_wait: how long that may be.
        took_over: how often the lease went to another one.
    """

    seed: int
    trouble: tuple[str, ...]
    promises: bool
    interleaved: int
    rejected: int
    writes: int
    worked: list[Overlap] = field(repr=False)
    believed: list[Overlap] = field(repr=False)
    unique: bool = False
    settled: str = ""
    longest_gap: float = 0.0
    longest_wait: float = 0.0
    took_over: int = 0


def longest_request(slack: float, release: bool) -> float:
    """How long a request may take so that two never work at once, in seconds.

    What one has to add to RenewDeadline and RetryPeriod is not the time of a request, but that of a whole try: an
    update that is done and not heard of, a get, and another update, which then changes nothing. Who gives the lease
    back also reads and writes once more, before it tells its work to end.
    """
    return 0.95 * slack / (5 if release else 3)


class Storm:
    """One run.

    Args:
        seed: chooses everything.
        fencing: what the guarded key asks of a write.
    """

    def __init__(self, seed: int, fencing: str = "resourceVersion") -> None:
        self.seed = seed
        self.chance = Chance(seed)
        keeps = self.odds("keeps its promises", 0.5)
        self.trouble = tuple(
            kind
            for kind, likely in LIKELY.items()
            if self.odds(f"has {kind}", likely) and not (keeps and kind in BREAK_PROMISES)
        )
        self.lease, self.deadline, self.retry = self.one_of("durations", DURATIONS if keeps else (*DURATIONS, TIGHT))
        release, unique = self.odds("release", 0.3), self.odds("unique identities", 0.6)
        timeout = longest_request(self.lease - self.deadline - self.retry, release) if keeps else None
        self.promises = keeps
        self.unique = unique
        self.electors = Electors(
            self.cluster(),
            fencing=fencing,
            seed=seed,
            faults=self.faults(),
            lease_duration=self.lease,
            renew_deadline=self.deadline,
            retry_period=self.retry,
            request_timeout=timeout,
            release_on_cancel=release,
            unique_identity=unique,
            work_every=self.lease / 10,
            restart_after=1,
        )

    def go(self) -> Outcome:
        """Let it happen."""
        electors = self.electors
        for number in range(self.between("pods", 2, 4)):
            speed = 0.6 + self.chance.fraction(f"speed {number}") if "drift" in self.trouble else 1.0
            electors.start(f"pod-{'abcd'[number]}", speed=speed)
        at = 0.0
        for until, act in sorted(self.script(), key=lambda item: item[0]):
            if until > at:
                electors.run(until - at)
                at = until
            act()
        self.heal()
        healed_us = electors.now_us
        electors.run(self.longest_wait + self.deadline)  # so long one may work who does not lead any more
        problem = self.unsettled()
        if not problem:
            leader = electors.leader
            electors.run(self.lease)
            problem = self.unsettled()
            if electors.leader != leader and not self.cannot_settle:
                problem = "the leader changes in calm weather"
        return self.outcome(healed_us, problem)

    def outcome(self, healed_us: int, problem: str) -> Outcome:
        electors = self.electors
        gaps = electors.timeline.gaps(WORKS, healed_us, electors.now_us)
        holders = [lease.record.holder_identity for lease in electors.leases if lease.record]
        return Outcome(
            self.seed,
            self.trouble,
            self.promises,
            len(electors.guarded.interleaved),
            len(electors.guarded.rejected),
            len(electors.guarded.writes),
            electors.overlaps(WORKS),
            electors.overlaps(BELIEVES),
            self.unique,
            problem,
            max((end - begin for begin, end in gaps), default=0) / SECOND,
            self.longest_wait,
            sum(new != old for old, new in pairwise(holders)),
        )

    # What there is

    def cluster(self) -> Cluster:
        servers, timing = (3, THREE) if "raft" in self.trouble else (1, ALONE)
        cluster = Cluster(servers, server=KVServer, seed=self.seed, timing=timing)
        cluster.faces = {}  # what Raft promises is asked elsewhere; here it would take half of the time
        cluster.timeout("S1")
        cluster.run_until(leader=True)
        return cluster

    def faults(self) -> Faults:
        if "odds" not in self.trouble:
            return Faults()
        odds = [self.chance.fraction(f"odds {number}") * 0.1 for number in range(5)]
        return Faults(*odds, slow_us=(100_000, 3 * SECOND))

    # What happens

    def script(self) -> list[tuple[float, Callable[[], None]]]:
        """When what is done, in seconds."""
        acts: list[tuple[float, Callable[[], None]]] = []
        for kind, happen in (
            ("pauses", self.pause),
            ("cuts", self.cut),
            ("crashes", self.crash),
            ("api", self.fail),
            ("raft", self.raft),
            ("edits", self.edit),
        ):
            if kind in self.trouble:
                for number in range(self.between(f"how many {kind}", 1, 2)):
                    name = f"{kind} {number}"
                    acts += happen(name, self.lease * (0.5 + 4.5 * self.chance.fraction(f"when {name}")))
        return acts

    def pause(self, name: str, at: float) -> list[tuple[float, Callable[[], None]]]:
        lasts = self.lease * (0.3 + 2 * self.chance.fraction(f"how long {name}"))
        return [(at, lambda: self.to_somebody(name, lambda pod: self.electors.pause(pod, lasts)))]

    def cut(self, name: str, at: float) -> list[tuple[float, Callable[[], None]]]:
        lasts = self.lease * (0.1 + 1.5 * self.chance.fraction(f"how long {name}"))
        way = self.one_of(f"way {name}", ("both", "there", "back"))
        return [
            (at, lambda: self.to_somebody(name, lambda pod: self.electors.cut(pod, way=way))),
            (at + lasts, lambda: [self.electors.mend(pod) for pod in self.electors.pods] and None),
        ]

    def crash(self, name: str, at: float) -> list[tuple[float, Callable[[], None]]]:
        return [(at, lambda: self.to_somebody(name, self.electors.crash))]

    def fail(self, name: str, at: float) -> list[tuple[float, Callable[[], None]]]:
        lasts = self.lease * (0.1 + 1.2 * self.chance.fraction(f"how long {name}"))
        how = self.one_of(f"how {name}", FAILURES)
        return [(at, lambda: self.electors.fail_api(lasts, how))]

    def raft(self, name: str, at: float) -> list[tuple[float, Callable[[], None]]]:
        """The leader of etcd's cluster crashes; all servers run again after a while."""
        cluster = self.electors.cluster
        lasts = 1 + 6 * self.chance.fraction(f"how long {name}")

        def crash() -> None:
            if cluster.leader is not None and not cluster.world.crashed:
                cluster.crash(cluster.leader)

        return [(at, crash), (at + lasts, self.restart_servers)]

    def edit(self, name: str, at: float) -> list[tuple[float, Callable[[], None]]]:
        """Somebody deletes the lease by hand."""

        def delete() -> None:
            with suppress(ApiError):  # there is none, or etcd has no leader
                self.electors.ask(Delete("leases", "default", "demo"))

        return [(at, delete)]

    def restart_servers(self) -> None:
        for server in sorted(self.electors.cluster.world.crashed):
            self.electors.cluster.restart(server)

    def heal(self) -> None:
        """All trouble ends, but for clocks that run wrong."""
        electors = self.electors
        self.restart_servers()
        electors.wires.fails_until_us, electors.wires.faults = 0, Faults()
        for name, pod in electors.pods.items():
            electors.mend(name)
            if pod.state == "paused":
                electors.resume(name)

    @property
    def longest_wait(self) -> float:
        """How long nobody may lead when all is well again, in seconds.

        A candidate sees the last change at its next try, waits for as long as the lease lasts, and tries again: by a
        clock that may be slow. Before that a container starts again, or etcd elects a leader.
        """
        slowest = 0.6 if "drift" in self.trouble else 1.0
        return (self.lease + 2 * 2.2 * self.retry) / slowest + (16 if "raft" in self.trouble else 1.5)

    def unsettled(self) -> str:
        """What is wrong although nothing has happened for long."""
        workers = self.electors.workers
        if len(workers) != 1 and not self.cannot_settle:
            return f"{', '.join(workers) or 'nobody'} works"
        return ""

    @property
    def cannot_settle(self) -> bool:
        """Whether a fast clock may see a lease end before a slow one renews it."""
        return "drift" in self.trouble and self.lease / 1.6 < self.retry / 0.6 + 1

    # Draws

    def to_somebody(self, name: str, act: Callable[[str], None]) -> None:
        """To the leader, more often than not."""
        running = [pod for pod, what in self.electors.pods.items() if what.state == "running"]
        leader = self.electors.leader
        if leader in running and self.odds(f"leader {name}", 0.7):
            act(leader)
        elif running:
            act(self.one_of(f"who {name}", tuple(running)))

    def odds(self, purpose: str, likely: float) -> bool:
        return self.chance.fraction(purpose) < likely

    def between(self, purpose: str, low: int, high: int) -> int:
        return self.chance.between(purpose, low, high)

    def one_of(self, purpose: str, values: tuple[Any, ...]) -> Any:
        return values[self.chance.draw(purpose) % len(values)]


@dataclass(frozen=True)
class Pair:
    """One storm with fencing, and without it where that makes a difference.

    Up to the first write that is refused both are the same, step by step; so where none was refused only every eighth
    is done again, to see that it is so.
    """

    fenced: Outcome
    free: Outcome | None

    @classmethod
    def of(cls, seed: int) -> Pair:
        """Let it happen."""
        fenced = Storm(seed).go()
        return cls(fenced, Storm(seed, "none").go() if fenced.rejected or seed % 8 == 0 else None)

    @property
    def problems(self) -> list[str]:
        """What must not be."""
        found = [problem for outcome in (self.fenced, self.free) if outcome for problem in wrong(outcome)]
        if self.fenced.interleaved:
            found.append(f"{self.fenced.interleaved} writes interleave although there is fencing")
        if self.free and self.free.rejected:
            found.append("something was refused although there is no fencing")
        if self.free and bool(self.free.interleaved) != bool(self.fenced.rejected):
            found.append(f"{self.free.interleaved} interleave without fencing, {self.fenced.rejected} refused with it")
        return found


def wrong(outcome: Outcome) -> list[str]:
    """What must not be, with fencing or without."""
    found = []
    if outcome.promises and outcome.worked:
        found.append(f"two work although nothing allows it: {outcome.worked}")
    if outcome.promises and outcome.unique and outcome.believed:
        found.append(f"IsLeader is true of two although nothing allows it: {outcome.believed}")
    if outcome.longest_gap > outcome.longest_wait:
        found.append(f"nobody leads for {outcome.longest_gap:.1f} s, where {outcome.longest_wait:.1f} s are enough")
    if outcome.settled:
        found.append(f"in calm weather: {outcome.settled}")
    return found
