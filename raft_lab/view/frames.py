"""Steps of the tape as JSON for the browser: a frame is one situation, a patch what a step changed in it.

Patches are JSON merge patches (RFC 7396): objects merge, null deletes, everything else replaces. Nothing in
a frame is null. Every 64th step carries its whole frame, so that a picture never has far to go.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from raft_lab.check.invariants import INVARIANTS
from raft_lab.raft.log import Entry, Log, Noop
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshotReply,
    PreVoteReply,
    RequestVoteReply,
)
from raft_lab.raft.rules import RULES
from raft_lab.raft.state import (
    Candidate,
    Leader,
    PreCandidate,
    State,
)
from raft_lab.sim import actions, share
from raft_lab.sim.cluster import Cluster, step_code
from raft_lab.sim.schedule import TIMERS, Flight, Schedule
from raft_lab.sim.tape import Step, Tape
from raft_lab.sim.world import World
from raft_lab.view import labels, stores
from raft_lab.view.answers import content_by_key, told

Json = dict[str, Any]

KEYFRAME_EVERY = 64
CHUNK = 256
"""So many steps are packed together; `session.js` has the same number."""
MOST_AT_ONCE = 512
"""Where more steps than this have happened since the browser was told, it sees only the latest of them."""


class Recording:
    """The tape of a cluster as the browser gets it, each step encoded once; `first` is the number of the first one."""

    def __init__(self, cluster: Cluster) -> None:
        self._tape = cluster.tape
        self._cluster = cluster
        self._stores: dict[int, Json] = {}  # by step
        self._origin = cluster.origin
        self._steps: list[Json] = []
        self._chunks: list[str] = []
        self.first = self._tape.first

    def steps(self) -> list[Json]:
        """Every step so far that was not let go. Of those that nobody has seen, only so many are shown."""
        seen, there = self.first + len(self._steps), len(self._tape)
        self._begin_at(max(self._tape.first, (there - MOST_AT_ONCE) // CHUNK * CHUNK if self._busy(seen) else 0))
        while (number := self.first + len(self._steps)) < there:
            step = self.encoded(self._tape[number])
            self._steps.append(step if self._steps else self._as_beginning(step))
        return self._steps

    def _busy(self, seen: int) -> bool:
        """Whether more happens than anybody could look at: only where time flows by itself."""
        return self._cluster.driver is not None and len(self._tape) - seen > MOST_AT_ONCE

    def _begin_at(self, first: int) -> None:
        """Forget what was before; a whole number of chunks."""
        if first <= self.first:
            return
        self._steps = self._steps[first - self.first :]
        self._chunks = self._chunks[(first - self.first) // CHUNK :]
        self._stores = {number: store for number, store in self._stores.items() if number >= first}
        self._origin = self._cluster.origin
        self.first = first
        if self._steps:
            self._steps[0] = self._as_beginning(self._steps[0])

    def _as_beginning(self, step: Json) -> Json:
        """A step as the first one: what was before it is not shown."""
        return {**step, "parent": -1, "code": self._origin, "share": step["share"] if step["id"] == 0 else ""}

    def encoded(self, step: Step) -> Json:
        """One step, which need not be on the tape yet; with what its key-value store holds, if it is one.

        What is watched is no part of the world, so this picture is compared with what the browser was told before.
        """
        encoded = encode_step(step)
        if stores.holds_store(step.world):
            before = self._stores.get(step.parent.id) if step.parent and "patch" in encoded else None
            now = stores.picture(step.world, stores.watches(self._cluster))
            self._stores[step.id] = before if before == now else now
            if "frame" in encoded:
                encoded["frame"]["store"] = now
            elif change := merge_patch(before or {}, now):
                encoded["patch"]["store"] = change
        return encoded

    def packed(self) -> list[str]:
        """Every step so far, in small: each text is a compressed list of steps; all but the last stay as they are."""
        steps = self.steps()
        while len(steps) >= (len(self._chunks) + 1) * CHUNK:
            at = len(self._chunks) * CHUNK
            self._chunks.append(_pack(steps[at : at + CHUNK]))
        rest = steps[len(self._chunks) * CHUNK :]
        return [*self._chunks, _pack(rest)] if rest else list(self._chunks)


def _pack(steps: list[Json]) -> str:
    text = json.dumps(steps, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode())).decode()


def names(tape: Tape) -> Json:
    """What steps are called, by number."""
    return {str(step): tape.names[step] for step in sorted(tape.names)}


def encode_step(step: Step) -> Json:
    """A step as the browser gets it."""
    sentence = step.sentence
    action = step.action
    encoded: Json = {
        "id": step.id,
        "parent": step.parent.id if step.parent else -1,
        "verb": action.verb if action else "start",
        "actor": action.actor if action else "",
        "message": _message_id(step),
        "timed": step.timed,
        "sentence": sentence.text,
        "rule": sentence.rule,
        "section": sentence.section,
        "code": step_code(step),
        "share": share.part(step),
        "marks": _marks(step),
        **told(step),
    }
    if step.parent is None or step.id % KEYFRAME_EVERY == 0:
        encoded["frame"] = frame(step)
    else:
        encoded["patch"] = patch(step)
    return encoded


def frame(step: Step) -> Json:
    """The whole situation after `step`."""
    world, schedule = step.world, step.schedule
    broken = {v.invariant: v.reason for node in reversed(step.path()) for v in node.violations}
    servers = {}
    for name, state in world.servers.items():
        servers[name] = {**_server(state, world, schedule), "log": _log(state.log, state.log.first_index)}
    return {
        **_rest(step),
        "modified": step.modified,
        "rules": _rules(world),
        "servers": servers,
        "messages": {f"m{flight.serial}": _message(flight, world) for flight in schedule.flights},
        "cuts": {f"{src}>{dst}": True for src, dst in sorted(world.cuts)},
        "invariants": {invariant.name: broken.get(invariant.name, "") for invariant in INVARIANTS},
    }


def patch(step: Step) -> Json:
    """What `step` changed in the frame of its parent."""
    assert step.parent is not None
    old_world, world = step.parent.world, step.world
    old_schedule, schedule = step.parent.schedule, step.schedule
    changes: Json = merge_patch(_rest(step.parent), _rest(step))
    if isinstance(step.action, actions.Swap):
        changes |= {"modified": step.modified, "rules": merge_patch(_rules(old_world), _rules(world))}
    servers = {}
    alike = world.crashed == old_world.crashed and world.behaviour is old_world.behaviour
    for name, state in world.servers.items():
        old = old_world.servers.get(name)
        if alike and state is old and _timers(name, schedule) == _timers(name, old_schedule):
            continue
        if old is None:
            servers[name] = {**_server(state, world, schedule), "log": _log(state.log, state.log.first_index)}
            continue
        change = merge_patch(_server(old, old_world, old_schedule), _server(state, world, schedule))
        if log := _log_patch(old.log, state.log):
            change["log"] = log
        if change:
            servers[name] = change
    links_changed = world.cuts != old_world.cuts or world.crashed != old_world.crashed
    old_flights = {flight.serial: flight for flight in old_schedule.flights}
    flights = {flight.serial: flight for flight in schedule.flights}
    messages: Json = {f"m{serial}": None for serial in old_flights if serial not in flights}
    for serial, flight in flights.items():
        if serial not in old_flights:
            messages[f"m{serial}"] = _message(flight, world)
        elif links_changed or flight != old_flights[serial]:
            messages[f"m{serial}"] = merge_patch(_message(old_flights[serial], old_world), _message(flight, world))
    cuts: Json = {f"{src}>{dst}": True for src, dst in sorted(world.cuts - old_world.cuts)}
    cuts |= {f"{src}>{dst}": None for src, dst in sorted(old_world.cuts - world.cuts)}
    invariants = {violation.invariant: violation.reason for violation in step.violations}
    for name, part in (("servers", servers), ("messages", messages), ("cuts", cuts), ("invariants", invariants)):
        if part:
            changes[name] = part
    return changes


def merge_patch(old: Json, new: Json) -> Json:
    """The merge patch that makes `new` of `old`."""
    changes: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            changes[key] = value
        elif isinstance(value, dict) and isinstance(old[key], dict):
            if change := merge_patch(old[key], value):
                changes[key] = change
        elif old[key] != value:
            changes[key] = value
    return changes


def _rest(step: Step) -> Json:
    configuration = _configuration_in_use(step.world)
    due = step.schedule.next(step.world)
    return {
        "time_us": step.schedule.now_us,
        "quorum": {
            "voters": sorted(configuration.voters),
            "old": sorted(configuration.old),
            "learners": sorted(configuration.learners),
        },
        "next": f"{_due_text(due[1])}, at {due[0] / 1000:.1f} ms" if due else "",
    }


def _rules(world: World) -> Json:
    """Which rules are on."""
    return {rule.name: rule.holds(world.behaviour) for rule in RULES}


def rule_book() -> list[Json]:
    """What there is to know about each rule: it never changes."""
    return [
        {
            "name": rule.name,
            "section": rule.section,
            "statement": rule.statement,
            "protects": rule.protects,
            "optional": rule.optional,
        }
        for rule in RULES
    ]


def _timers(name: str, schedule: Schedule) -> Json:
    """When each running timer of a server is due, by what it then does."""
    timers = schedule.timers
    return {verb: timers[name, kind].due_us for verb, kind in TIMERS.items() if (name, kind) in timers}


def _due_text(action: actions.Action) -> str:
    match action:
        case actions.Timeout(server):
            return f"{server}'s election timer runs out"
        case actions.Heartbeat(server):
            return f"{server} sends heartbeats"
        case actions.Deliver(m) | actions.Drop(m) | actions.Duplicate(m):
            happens = {"deliver": "arrives", "drop": "is lost", "duplicate": "is duplicated"}[action.verb]
            return f"{type(m).__name__} from {m.src} to {m.dst} {happens}"
    return str(action)


def _configuration_in_use(world: World) -> Configuration:
    return max(world.servers.values(), key=lambda s: (s.is_leader, s.current_term)).configuration


def _server(state: State, world: World, schedule: Schedule) -> Json:
    """Everything about a server but its log's entries."""
    timer = schedule.timers.get((state.id, "heartbeat" if state.is_leader else "election"))
    progress = state.role.progress if isinstance(state.role, Leader) else {}
    return {
        "role": type(state.role).__name__.lower(),
        "crashed": state.id in world.crashed,
        "term": state.current_term,
        "voted_for": state.voted_for or "",
        "leader_id": state.leader_id or "",
        "votes": dict.fromkeys(sorted(state.role.votes), True)
        if isinstance(state.role, Candidate | PreCandidate)
        else {},
        "first_index": state.log.first_index,
        "last_index": state.log.last_index,
        "commit_index": state.commit_index,
        "last_applied": state.last_applied,
        "machine": content_by_key(state.machine.data),
        "durable_index": state.durable_index,
        "waiting": len(state.waiting),
        "snapshot": {
            "index": state.log.snapshot.last_included_index,
            "term": state.log.snapshot.last_included_term,
            "configuration": str(state.log.snapshot.configuration),
        },
        "reads": {read.id: read.round for read in state.role.reads} if isinstance(state.role, Leader) else {},
        "round": state.role.round if isinstance(state.role, Leader) else 0,
        "progress": {
            peer: {
                "next_index": known.next_index,
                "match_index": known.match_index,
                "acked_round": known.acked_round,
            }
            for peer, known in progress.items()
        },
        "configuration": str(state.configuration),
        "sessions": {
            client: f"command {session.seq}, reply {session.reply!r}"
            for client, session in state.machine.sessions.items()
        },
        "extra": {name: repr(value) for name, value in state.extra.items()},
        "timer": {
            "kind": ("heartbeat" if state.is_leader else "election") if timer else "",
            "from_us": timer.from_us if timer else 0,
            "due_us": timer.due_us if timer else 0,
        },
        "due": _timers(state.id, schedule),
        "can": {action.verb: action.refusal(world) or "" for action in server_actions(state.id)},
    }


def server_actions(name: str) -> tuple[actions.Action, ...]:
    """What one can ask of a server."""
    return (
        actions.Timeout(name),
        actions.Heartbeat(name),
        actions.Propose(name, "set x 1"),
        actions.Read(name, "r"),
        actions.Silence(name),
        actions.CheckQuorum(name),
        actions.Compact(name),
        actions.WriteDisk(name),
        actions.Crash(name),
        actions.Restart(name),
    )


def _log(log: Log, start: int) -> Json:
    return {str(start + offset): _entry(entry) for offset, entry in enumerate(log.after(start - 1))}


def _log_patch(old: Log, new: Log) -> Json:
    if old is new:
        return {}
    common = min(old.last_index, new.last_index)
    while common >= new.first_index and not new.same_prefix(old, common):
        common -= 1
    changes: Json = {str(index): None for index in range(common + 1, old.last_index + 1)}
    changes |= {str(index): None for index in range(old.first_index, new.first_index)}
    return {**changes, **_log(new, max(common + 1, new.first_index))}


def _entry(entry: Entry) -> Json:
    kind = "command"
    if isinstance(entry.value, Noop):
        kind = "no-op"
    elif isinstance(entry.value, Configuration):
        kind = "configuration"
    return {"term": entry.term, "text": str(entry.value), "kind": kind}


def _message(flight: Flight, world: World) -> Json:
    m = flight.message
    shown = [name for name in m.__dataclass_fields__ if name not in ("src", "dst", "term")]
    return {
        "kind": type(m).__name__,
        "src": m.src,
        "dst": m.dst,
        "term": m.term,
        "reply": isinstance(m, RequestVoteReply | AppendEntriesReply | PreVoteReply | InstallSnapshotReply),
        "ok": getattr(m, "vote_granted", getattr(m, "success", True)),
        "heartbeat": isinstance(m, AppendEntries) and not m.entries,
        "label": labels.label(m),
        "text": labels.row(m),
        "fields": {name: _printed(getattr(m, name)) for name in shown},
        "sent_us": flight.sent_us,
        "due_us": flight.due_us,
        "held": flight.held,
        "can": {
            "deliver": world.blocked(m) or "",
            "drop": "",
            "duplicate": "",
            "hold": "this message is held already" if flight.held else "",
            "release": "" if flight.held else "this message is not held",
            "delay": "this message is held: release it first" if flight.held else "",
        },
    }


def _printed(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "yes" if value is True else "no" if value is False else str(value)


def _message_id(step: Step) -> str:
    """Which copy was delivered, dropped or held."""
    if step.parent is None or not isinstance(step.action, actions.OnMessage):
        return ""
    before, after = step.parent.schedule, {flight.serial: flight for flight in step.schedule.flights}
    for flight in before.flights:
        if flight.message == step.action.message and after.get(flight.serial) != flight:
            return f"m{flight.serial}"
    flight = before.first_flight(step.action.message)
    return f"m{flight.serial}"


def _marks(step: Step) -> list[str]:
    """What a painted time line shows of this step."""
    if step.parent is None:
        return []
    old, new = step.parent.world, step.world
    marks = []
    if isinstance(step.action, actions.Timeout):
        marks.append("election")
    if any(s.is_leader and s.id in old.servers and not old.servers[s.id].is_leader for s in new.servers.values()):
        marks.append("leader")
    if max(s.current_term for s in new.servers.values()) > max(s.current_term for s in old.servers.values()):
        marks.append("term")
    if new.ghosts.committed.last_index > old.ghosts.committed.last_index:
        marks.append("commit")
    if isinstance(step.action, actions.Crash):
        marks.append("crash")
    if step.violations:
        marks.append("violation")
    return marks
