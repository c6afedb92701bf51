"""The reference in many configurations, explored far: nothing may be found, and what matters must have happened.

    python tests/benchmarks/no_false_alarm.py --states 10_000_000 --jobs 2    # all configurations together
    python tests/benchmarks/no_false_alarm.py --states 400_000 --only reads

The exit status is 1 if anything is broken, or was never reached.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

from raft_lab import Cluster, InstallSnapshot, Leader, Report, TimeoutNow, explore
from raft_lab.raft.state import PreCandidate, State
from raft_lab.sim import scenarios
from raft_lab.sim.world import World


@dataclass(frozen=True)
class Configuration:
    """Where it starts, within what bounds, and what must come true somewhere."""

    name: str
    start: Callable[[], Cluster]
    limits: dict[str, int]
    reach: tuple[str, ...] = ("leader", "commit")
    room: dict[str, int] = field(default_factory=dict)


def some(asks: Callable[[State], bool]) -> Callable[[World], bool]:
    """Whether it is true of some server."""
    return lambda world: any(asks(state) for state in world.servers.values())


REACHED: dict[str, Callable[[World], bool]] = {
    "leader": some(lambda s: s.is_leader),
    "commit": lambda w: w.ghosts.committed.last_index > 0,
    "two leaders": lambda w: sum(s.is_leader for s in w.servers.values()) > 1,
    "pre-candidate": some(lambda s: isinstance(s.role, PreCandidate)),
    "write pending": some(lambda s: s.disk is not None),
    "crash": lambda w: bool(w.crashed),
    "read pending": some(lambda s: isinstance(s.role, Leader) and bool(s.role.reads)),
    "read of what is committed": lambda w: any(w.ghosts.reads.values()),
    "snapshot": some(lambda s: s.log.snapshot.last_included_index > 0),
    "snapshot on its way": lambda w: any(isinstance(m, InstallSnapshot) for m in w.network),
    "joint": some(lambda s: s.configuration.is_joint),
    "joint left": lambda w: any(len(s.configuration.voters) != len(w.servers) for s in w.servers.values()),
    "handed over": lambda w: any(isinstance(m, TimeoutNow) for m in w.network),
}


def led(servers: int = 3, *rules: str, commands: int = 0) -> Callable[[], Cluster]:
    """S1 leads, and everything has arrived."""

    def start() -> Cluster:
        cluster = Cluster(servers, rules=rules)
        cluster.timeout("S1")
        cluster.deliver_all()
        for number in range(commands):
            cluster.propose(f"set y {number}", "S1")
            cluster.deliver_all()
        return cluster

    return start


def learning() -> Cluster:
    """S1 leads S2 and S3, and S4 has caught up as a learner."""
    cluster = led(3)()
    cluster.reconfigure(learners={"S4"}, server="S1")
    for _ in range(2):
        cluster.deliver_all()
        cluster.heartbeat("S1")
    cluster.deliver_all()
    return cluster


def asking() -> Cluster:
    """S1 leads, and a client has opened a session and asked for something in it."""
    cluster = led()()
    cluster.propose("hello", "S1", client="alice", seq=0)
    cluster.propose("add x 1", "S1", client="alice", seq=1)
    return cluster


def fresh(servers: int, *rules: str) -> Callable[[], Cluster]:
    """Nothing has happened yet."""
    return lambda: Cluster(servers, rules=rules)


FAULTS = {"crashes": 1, "drops": 1, "duplicates": 1}
CALM = ("pre-vote", "leader stickiness", "check-quorum")
CONFIGURATIONS = [
    Configuration("3 servers", fresh(3), {"term": 2, "commands": 1}),
    Configuration("3 servers, faults", fresh(3), {"term": 2, "commands": 1, **FAULTS}, ("leader", "crash")),
    Configuration("3 servers, three terms", fresh(3), {"term": 3, "messages": 4}),
    Configuration("3 servers, few messages", fresh(3), {"term": 3, "messages": 3, "commands": 2, "drops": 9}),
    Configuration("4 servers", fresh(4), {"term": 1, "commands": 1}),
    Configuration("5 servers", fresh(5), {"term": 1, "messages": 6}),
    Configuration("5 servers, a crash", fresh(5), {"term": 1, "messages": 5, "crashes": 1, "drops": 3}, ("crash",)),
    Configuration("pre-vote", fresh(3, "pre-vote"), {"term": 2, "commands": 1}, ("leader", "commit", "pre-candidate")),
    Configuration("stickiness", fresh(3, "leader stickiness"), {"term": 2, "commands": 1}),
    Configuration("check-quorum", fresh(3, "check-quorum"), {"term": 2, "commands": 1}),
    Configuration("all three", fresh(3, *CALM), {"term": 2, "commands": 1}, ("leader", "commit", "pre-candidate")),
    Configuration("all three, faults", led(3, *CALM), {"term": 2, "commands": 1, **FAULTS}, ("crash", "pre-candidate")),
    Configuration("slow disk", fresh(3, "slow disk"), {"term": 1, "crashes": 1}, ("leader", "crash", "write pending")),
    Configuration("slow disk, led", led(3, "slow disk"), {"term": 2, "commands": 1, "crashes": 1}, ("write pending",)),
    Configuration(
        "one entry a message", led(3, "one entry a message"), {"term": 2, "log": 4, "commands": 3, "drops": 2}
    ),
    Configuration(
        "reads", led(3), {"term": 2, "reads": 2, "commands": 1}, ("read of what is committed", "two leaders")
    ),
    Configuration("reads, faults", led(3), {"term": 2, "reads": 1, "commands": 1, **FAULTS}, ("read pending", "crash")),
    Configuration("sessions", asking, {"term": 2, "log": 6, "retries": 2, **FAULTS}, ("leader", "crash", "commit")),
    Configuration("transfers", led(3), {"term": 3, "transfers": 1, "commands": 1}, ("handed over", "two leaders")),
    Configuration("transfers, calm", led(3, *CALM), {"term": 2, "transfers": 2, "drops": 1}, ("handed over",)),
    Configuration(
        "snapshots",
        led(3, commands=1),
        {"term": 2, "log": 4, "commands": 2, "compactions": 2, "crashes": 1, "drops": 2, "heartbeats": 1},
        ("snapshot", "snapshot on its way", "crash"),
    ),
    Configuration("joint, 3 servers", led(3), {"term": 2, "log": 6, "reconfigurations": 2}, ("joint", "joint left")),
    Configuration("joint, 4 servers", learning, {"term": 2, "log": 6, "reconfigurations": 1}, ("joint", "joint left")),
    Configuration("joint, faults", led(3), {"term": 2, "log": 6, "reconfigurations": 1, **FAULTS}, ("joint", "crash")),
    Configuration("one at a time", learning, {"term": 2, "log": 6, "single_changes": 2}, ("joint left",)),
    Configuration("one at a time, faults", learning, {"term": 2, "log": 6, "single_changes": 1, **FAULTS}, ("crash",)),
    *(
        Configuration(f"from {scenario.__name__}", scenario, {"heartbeats": 1, "crashes": 1}, (), {"term": 1, "log": 1})
        for scenario in (
            scenarios.committed_without_s3,
            scenarios.longer_but_older,
            scenarios.figure_7,
            scenarios.figure_8,
            scenarios.log_conflict,
            scenarios.needs_snapshot,
            scenarios.snapshot_over_a_stray_tail,
            scenarios.joint_consensus_split,
            scenarios.single_server_bug,
            scenarios.old_reign,
        )
    ),
]


def explored(one: Configuration, states: int) -> Report:
    """Explore one configuration. The questions name no server, so symmetry may be used where there is any."""
    cluster = one.start()
    servers = cluster.world.servers.values()
    limits = {"depth": 999, "states": states, "messages": max(8, len(cluster.messages) + 3), **one.limits}
    if one.room:
        limits["term"] = max(s.current_term for s in servers) + one.room["term"]
        limits["log"] = max(s.log.last_index for s in servers) + one.room["log"]
    changes = "reconfigurations" in limits or "single_changes" in limits or one.room or one.start is learning
    return explore(cluster, reach={name: REACHED[name] for name in one.reach}, symmetry=not changes, **limits)


def line(number: int, states: int) -> tuple[str, bool, int]:
    """The line of the table for one configuration, whether all is well, and how many states it was."""
    one = CONFIGURATIONS[number]
    report = explored(one, states)
    missed = sorted(name for name, came in report.reached.items() if not came)
    came = ", ".join(name for name in one.reach if name not in missed)
    text = (
        f"{one.name:34} {report.states:>10,} states {report.transitions:>11,} transitions  depth {report.depth:>3} "
        f"{report.seconds:7.1f} s  /{report.symmetry:<3}  reached {came or '-'}"
        f"  hit {', '.join(sorted(report.hit)) or '-'}"
    )
    if report.counterexample or report.failure:
        text += f"\n{report}"
    if missed:
        text += f"\n    NEVER REACHED: {', '.join(missed)}"
    return text, not (report.counterexample or report.failure or missed or report.interrupted), report.states


def table(numbers: list[int], states: int, jobs: int) -> bool:
    """Print one line for each configuration, `jobs` at a time; whether all is well."""
    well, total = True, 0
    with ProcessPoolExecutor(jobs) as pool:
        for text, fine, seen in pool.map(line, numbers, repeat(states)):
            print(text, flush=True)
            well, total = well and fine, total + seen
    print(f"{total:,} states in all")
    return well


def main() -> None:
    """Explore what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=1_000_000, help="for all configurations together")
    parser.add_argument("--jobs", type=int, default=1, help="how many configurations at a time")
    parser.add_argument("--only", default="", help="part of a configuration's name")
    options = parser.parse_args()
    chosen = [number for number, one in enumerate(CONFIGURATIONS) if options.only in one.name]
    if not chosen:
        parser.error(f"no configuration is called {options.only!r}: {', '.join(one.name for one in CONFIGURATIONS)}")
    sys.exit(not table(chosen, options.states // len(chosen), options.jobs))


if __name__ == "__main__":
    main()
