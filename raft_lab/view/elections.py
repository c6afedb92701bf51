"""An election in Kubernetes as JSON for the browser: spans of time, marks at moments, and every version of the record.

Lists only grow, so that whoever has seen a part is told the rest; what is still going on is told anew each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from raft_lab.kube.electors import Electors, Lease
from raft_lab.kube.errors import ApiError
from raft_lab.kube.explain import explain
from raft_lab.kube.guarded import NONE
from raft_lab.kube.objects import Kind, from_store, kind_of
from raft_lab.kube.pods import Call
from raft_lab.kube.records import BadRecord, LeaderElectionRecord
from raft_lab.kube.requests import Create, Get, Update
from raft_lab.kube.timeline import CUT, DOWN, PAUSED, WORKS, Happened, Interval
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import KeyValue
from raft_lab.sim.actions import Crash
from raft_lab.sim.tape import Step
from raft_lab.view import frames
from raft_lab.view.reigns import awake

Json = dict[str, Any]

STATES = {PAUSED: "paused", DOWN: "down", CUT: "cut off"}
UNSEEN = ("log", "machine", "sessions", "can", "extra", "due")
"""What a ring does not show of a server."""
MOST_STORED = 1500
"""So much of a value is shown."""


class ElectionRecording:
    """What the browser is told of an election, piece by piece.

    Args:
        electors: the pods that elect.
        title: a line above the picture.
    """

    def __init__(self, electors: Electors, title: str = "") -> None:
        self.electors = electors
        self.title = title
        self.kind = election_kind(electors)
        self.spans: list[Json] = []
        self.marks: list[Json] = []
        self.versions: list[Json] = []
        self.now_us = 0
        self._tip: Step = electors.cluster.tape.start
        self._told: set[tuple[str, str, int]] = set()
        self._led: tuple[str, int, int] | None = None  # who, in which term, since when
        self._pending: list[Call] = []
        self._calls = self._events = self._leases = self._views = 0
        self._saw: dict[str, int] = {}  # when who last saw the record change
        self._by: dict[int, str] = {}  # who wrote a version of the record

    def whole(self) -> Json:
        """Everything up to now."""
        self.news()
        return {**self._rest(), "spans": self.spans, "marks": self.marks, "versions": self.versions}

    def news(self) -> Json:
        """What has come about since it was last asked for."""
        counts = len(self.spans), len(self.marks), len(self.versions)
        if self.electors.now_us >= self.now_us:  # else the cluster was taken back to look at something
            self.now_us = self.electors.now_us
            self.spans += self._closed_spans()
            self.marks += sorted([*self._of_raft(), *self._of_calls(), *self._of_leases(), *self._of_pods()], key=_at)
        return {
            **self._rest(),
            **dict(zip(("spans", "marks", "versions"), self._since(counts), strict=True)),
        }

    def _since(self, counts: tuple[int, int, int]) -> tuple[list[Json], list[Json], list[Json]]:
        return self.spans[counts[0] :], self.marks[counts[1] :], self.versions[counts[2] :]

    @property
    def tip(self) -> Step:
        """The step of the cluster up to which everything was told."""
        return self._tip

    def _rest(self) -> Json:
        electors = self.electors
        return {
            "now_us": self.now_us,
            "title": self.title,
            "object": f"{self.kind.name} {electors.namespace}/{electors.election}",
            "key": self.kind.key(electors.namespace, electors.election).decode(),
            "fenced": electors.guarded.fencing != NONE,
            "pods": list(electors.pods),
            "clocks": {name: f"{pod.clock.speed:g}" for name, pod in electors.pods.items()},
            "open": self._open_spans(),
            "frame": ring_at(self._tip),
        }

    # Spans

    def _intervals(self) -> Iterator[Interval]:
        """All intervals; who stands still does not work."""
        timeline = self.electors.timeline
        for interval in timeline.intervals():
            if interval.what == WORKS:
                yield from awake(timeline, interval)
            else:
                yield interval

    def _closed_spans(self) -> Iterator[Json]:
        for interval in self._intervals():
            key = (interval.who, interval.what, interval.begin_us)
            if interval.end_us is not None and key not in self._told:
                self._told.add(key)
                yield self._span(interval)

    def _open_spans(self) -> list[Json]:
        still = [self._span(interval) for interval in self._intervals() if interval.end_us is None]
        return [*still, *([] if self._led is None else [_reign(*self._led, None)])]

    def _span(self, interval: Interval) -> Json:
        who, text = self._pod_of(interval.who), STATES.get(interval.what, "")
        if interval.what == WORKS:
            turns = [lease for lease in self.electors.leases if lease.us <= interval.begin_us]
            text = f"token {_token(turns, who)}" if self.electors.guarded.fencing != NONE else ""
        return {
            "lane": who,
            "what": interval.what,
            "from": interval.begin_us,
            "to": interval.end_us,
            "text": text,
            "term": 0,
        }

    def _pod_of(self, identity: str) -> str:
        """Who stands in a record by this name, or by that of one of its processes."""
        pods = self.electors.pods
        if identity in pods:  # another one may have the same
            return identity
        by_identity = {pod.identity: name for name, pod in pods.items()}
        stem = identity.rpartition("_")[0]
        return by_identity.get(identity) or (stem if stem in pods else identity)

    # Marks

    def _of_raft(self) -> Iterator[Json]:
        """Who led the servers, and which of them crashed."""
        for step in reversed(list(_back_to(self.electors.cluster.now, self._tip))):
            at = step.schedule.now_us
            if isinstance(step.action, Crash):
                yield _mark("raft", "crash", at, "", "", f"{step.action.server} crashes")
            leaders = [s for s in step.world.servers.values() if s.is_leader and s.id not in step.world.crashed]
            first = max(leaders, key=lambda s: s.current_term, default=None)
            led = (first.id, first.current_term) if first else None
            if self._led is not None and self._led[:2] != led:
                self.spans.append(_reign(*self._led, at))
                self._led = None
            if led is not None and self._led is None:
                self._led = (*led, at)
                if led[1] > 1:
                    yield _mark("raft", "elected", at, "", "", f"{led[0]} leads the servers, in term {led[1]}")
        self._tip = self.electors.cluster.now

    def _of_calls(self) -> Iterator[Json]:
        """What the API server and the guarded store were asked, and what came of it."""
        calls = self.electors.wires.calls
        self._pending += calls[self._calls :]
        self._calls = len(calls)
        waiting = []
        for call in self._pending:
            if call.answered_us is not None:
                yield self._answered(call, call.answered_us)
            elif call.held == "there" and call.to == "api":
                yield _mark(
                    "api", "lost", call.sent_us, call.pod, "", f"{call.pod}'s {_verb(call)} does not get through"
                )
            elif not call.given_up:
                waiting.append(call)
        self._pending = waiting

    def _answered(self, call: Call, at: int) -> Json:
        if call.to == "store":
            return self._written_by_a_leader(call, at)
        verb = _verb(call)
        if isinstance(call.outcome, ApiError):
            if call.outcome.code == 404 and isinstance(call.request, Get):
                return _mark("api", "get", at, call.pod, "", f"{call.pod} reads: there is no record yet (404)")
            short = str(call.outcome.code)
            return _mark(
                "api", "refused", at, call.pod, short, f"{call.pod}'s {verb} is refused: {short} {call.outcome.reason}"
            )
        if isinstance(call.outcome, Exception):
            return _mark("api", "lost", at, call.pod, "", f"{call.pod}'s {verb} fails: {call.outcome}")
        if not isinstance(call.request, Create | Update):
            return _mark("api", "get", at, call.pod, "", f"{call.pod} reads the record")
        revision = int(call.outcome["metadata"]["resourceVersion"])
        self._by[revision] = call.pod
        return _mark("api", *self._written(revision, at, call.pod))

    def _written_by_a_leader(self, call: Call, at: int) -> Json:
        guarded = self.electors.guarded
        token = f" with token {guarded.shown(call.request)}" if guarded.fencing != NONE else ""
        if guarded.was_stale(call.outcome):
            old = f"refused:{token.removeprefix(' with')} is older than {guarded.newest(call.outcome)}"
            return _mark("resource", "rejected", at, call.pod, old, f"{call.pod} writes{token}: {old}")
        if isinstance(call.outcome, Exception):  # without a majority nobody can say that it was taken
            return _mark("resource", "lost", at, call.pod, "", f"{call.pod} writes{token}: {call.outcome}")
        letter = call.pod.rsplit("-", 1)[-1][:1]
        return _mark("resource", "accepted", at, call.pod, letter, f"{call.pod} writes{token}: taken")

    def _written(self, revision: int, at: int, pod: str) -> tuple[str, int, str, str, str]:
        leases = self.electors.leases
        here = next((n for n, lease in enumerate(leases) if lease.revision == revision), None)
        before = leases[here - 1].record if here else None
        record = leases[here].record if here is not None else None
        if record is None or (before is not None and before.holder_identity == record.holder_identity):
            return "update", at, pod, "", f"{pod} renews: the record changes"
        if not record.holder_identity:
            return "update", at, pod, "", f"{pod} gives the lease back"
        return "take", at, pod, self._pod_of(record.holder_identity), f"{pod} takes the lease"

    def _of_leases(self) -> Iterator[Json]:
        for lease in self.electors.leases[self._leases :]:
            self.versions.append(self._version(lease))
            yield _mark(
                "etcd",
                "revision",
                lease.us,
                "",
                str(lease.revision),
                f"the key is written at revision {lease.revision}",
            )
        self._leases = len(self.electors.leases)

    def _of_pods(self) -> Iterator[Json]:
        """What happened to them, and when those who wait saw the record change."""
        events = self.electors.timeline.events
        for event in events[self._events :]:
            yield _mark("events", "event", event.us, event.who, "", _in_words(event))
        self._events = len(events)
        views = self.electors.views
        for _, pods in views[self._views :]:
            for pod in pods:
                saw = pod.observed_us or 0
                if not pod.believes and saw > self._saw.get(pod.name, 0) + 1000:  # else it is the same, rounded
                    self._saw[pod.name] = saw
                    yield _mark(pod.name, "saw", saw, pod.name, "", f"{pod.name} sees that the record has changed")
        self._views = len(views)

    # The record

    def _version(self, lease: Lease) -> Json:
        found = self._stored(lease.revision)
        record = lease.record or LeaderElectionRecord()
        return {
            "at": lease.us,
            "by": self._by.get(lease.revision, "somebody else"),
            "revision": lease.revision,
            "holder": self._pod_of(record.holder_identity),
            "until": lease.us + record.lease_duration_seconds * 1_000_000,
            "stored": found.value.decode(errors="backslashreplace")[:MOST_STORED] if found else "",
            "fields": _fields(found),
        }

    def _stored(self, revision: int) -> KeyValue | None:
        """What etcd held at this revision, as the member that has applied most still knows it."""
        world = self._tip.world
        store = max((state.machine.data for state in world.servers.values()), key=lambda store: int(store.revision))
        try:
            found: KeyValue | None = store.at(revision).get(
                self.kind.key(self.electors.namespace, self.electors.election)
            )
        except EtcdError:  # compacted
            return None
        return found


def election_kind(electors: Electors) -> Kind:
    """The kind of the object that is the lock."""
    lock = "endpoints" if electors.settings.kind == "sidecar" else electors.settings.lock
    return kind_of("leases" if lock.endswith("leases") else lock)


def ring_at(step: Step) -> Json:
    """The servers at a step, as a ring shows them."""
    frame = frames.frame(step)
    servers = {name: {**server, **{field: {} for field in UNSEEN}} for name, server in frame["servers"].items()}
    return {**frame, "servers": servers, "invariants": {}, "rules": {}}


def _fields(found: KeyValue | None) -> list[list[str]]:
    if found is None:
        return []
    try:
        return [list(row) for row in explain(from_store(found)).rows if row[0] != "resourceVersion"]
    except (BadRecord, ApiError):
        return []


def _token(leases: Iterable[Lease], who: str) -> int:
    """The revision at which the one who holds the last of these leases acquired it."""
    token = 0
    before = ""
    for lease in leases:
        holder = lease.record.holder_identity if lease.record else ""
        if holder.startswith(who) and before != holder:
            token = lease.revision
        before = holder
    return token


def _back_to(step: Step, known: Step) -> Iterator[Step]:
    """The steps from the present one back to a known one, without that."""
    at: Step | None = step
    while at is not None and at is not known and at.id > known.id:
        yield at
        at = at.parent


def _reign(server: str, term: int, begin_us: int, end_us: int | None) -> Json:
    text = f"{server}, term {term}"
    return {"lane": "raft", "what": "leads", "from": begin_us, "to": end_us, "text": text, "term": term}


def _mark(lane: str, what: str, at: int, pod: str, short: str, text: str) -> Json:
    return {"lane": lane, "what": what, "at": at, "pod": pod, "short": short, "text": text}


def _in_words(event: Happened) -> str:
    """What happened, for somebody who does not know client-go's callbacks; with their names."""
    who, what = event.who, event.what
    if what.startswith("OnNewLeader "):
        leader = what.removeprefix("OnNewLeader ").strip("'")
        return f"{who} hears that {leader or 'nobody'} leads (OnNewLeader)"
    if what.startswith("OnStartedLeading, "):
        return f"{who} leads, and begins to work (OnStartedLeading); {what.removeprefix('OnStartedLeading, ')}"
    if what == "OnStoppedLeading":
        return f"{who} leads no more (OnStoppedLeading)"
    return what if what.startswith(who) else f"{who} {what}"


def _verb(call: Call) -> str:
    return type(call.request).__name__.lower()


def _at(mark: Json) -> int:
    at: int = mark["at"]
    return at
