"""The rules of Raft as switches: each one is a small method of `Server`, and turning it off overrides just that.

`without(Server, "election restriction")` is a server that lacks one rule; `with_rules(Server, "pre-vote")` one that has
a rule which the paper leaves open. Nothing in a handler knows of switches.
"""

from __future__ import annotations

import copyreg
import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.log import Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.server import Server
from raft_lab.raft.state import State


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: what people call it.
        section: where it is stated.
        protects: the invariant that may break without it; '' for rules that keep the cluster available.
        statement: the rule in one sentence.
        methods: what replaces the rule: the method that is it, overridden.
        optional: whether Raft is complete without it (then it is off unless asked for).
    """

    name: str
    section: str
    protects: str
    statement: str
    methods: dict[str, Any]
    optional: bool = False

    def holds(self, server: Any) -> bool:
        """Whether `server` keeps this rule, as far as switches tell."""
        if self.optional:
            return self.name in getattr(server, "rules_on", ())
        return self.name not in getattr(server, "rules_off", ())

    def __hash__(self) -> int:
        return hash(self.name)


def _always(_: Server, *__: Any) -> bool:
    return True


def _never(_: Server, *__: Any) -> bool:
    return False


def _only_the_length(self: Server, last_log_index: int, _: int) -> bool:
    return last_log_index >= self.log.last_index


def _long_enough(self: Server, prev_log_index: int, _: int) -> bool:
    return prev_log_index <= self.log.last_index


@classmethod  # type: ignore[misc]
def _forgets_its_vote(cls: type[Server], state: State) -> State:
    left: State = Server.crashed.__func__(cls, state)  # type: ignore[attr-defined]
    return State(left.id, left.current_term, None, left.log, left.commit_index, left.last_applied, left.machine)


def _joined(self: Server) -> Configuration:
    now = self.configuration
    return Configuration(now.voters | now.old)


def _quorum_of_the_union(self: Server, servers: Collection[str]) -> bool:
    return _joined(self).has_quorum(servers)


def _min_of_the_union(self: Server, value: Callable[[str], int]) -> int:
    return _joined(self).quorum_min(value)


def _anything_follows(self: Server, snapshot: Snapshot) -> bool:
    return snapshot.last_included_index <= self.log.last_index


def _has_answered_for_the_rest(self: Server, peer: str) -> bool:
    return self.match_index(peer) >= self.log.last_index - 1


RULES: tuple[Rule, ...] = (
    Rule(
        "election restriction",
        "§5.4.1",
        "Leader Completeness",
        "A server votes only for a candidate whose log is at least as up-to-date as its own.",
        {"log_is_up_to_date": _always},
    ),
    Rule(
        "later term before longer log",
        "§5.4.1",
        "Leader Completeness",
        "Of two logs the one with the later last term is more up-to-date, however long the other is.",
        {"log_is_up_to_date": _only_the_length},
    ),
    Rule(
        "one vote per term",
        "§5.2",
        "Election Safety",
        "A server votes for at most one candidate in a term.",
        {"may_vote_for": _always},
    ),
    Rule(
        "durable vote",
        "Figure 2",
        "Election Safety",
        "A vote is on disk before it is given, so that a crash does not let a server vote again.",
        {"crashed": _forgets_its_vote},
    ),
    Rule(
        "step down on a higher term",
        "§5.1",
        "Election Safety",
        "A leader or candidate that sees a higher term becomes a follower of that term.",
        {"steps_down": _never},
    ),
    Rule(
        "log consistency check",
        "§5.3",
        "Log Matching",
        "Entries are accepted only where the log matches right before them, index and term.",
        {"log_matches": _long_enough},
    ),
    Rule(
        "truncate only at a conflict",
        "§5.3",
        "A Quorum Has It",
        "A follower deletes entries only from the first one on that has another term.",
        {"conflicts": _always},
    ),
    Rule(
        "current-term commit",
        "§5.4.2",
        "Commit Rule",
        "A leader commits by counting only entries of its own term; older ones are committed with them.",
        {"may_commit": _always},
    ),
    Rule(
        "a tail must fit the snapshot",
        "§7, Figure 13",
        "Log Terms",
        "What follows a snapshot is kept only if the log agrees with the snapshot where it ends.",
        {"keeps_tail": _anything_follows},
    ),
    Rule(
        "separate majorities",
        "§6",
        "Election Safety",
        "In a joint configuration every decision needs a majority of the old and one of the new, each for itself.",
        {"has_quorum": _quorum_of_the_union, "quorum_min": _min_of_the_union},
    ),
    Rule(
        "one change at a time",
        "dissertation 4.1",
        "One Change at a Time",
        "A configuration is appended only when the one before it is committed.",
        {"last_change_is_done": _always},
    ),
    Rule(
        "own-term commit before a single-server change",
        "dissertation 4.1, raft-dev 2015",
        "Leader Completeness",
        "A leader changes one server only after it has committed an entry of its own term.",
        {"may_change_one": _always},
    ),
    Rule(
        "own-term commit before a read",
        "dissertation 6.4",
        "Fresh Reads",
        "A new leader answers no read before it has committed an entry of its own term.",
        {"may_take_read_index": _always},
    ),
    Rule(
        "read-index round",
        "dissertation 6.4",
        "Fresh Reads",
        "A leader answers a read only when a quorum has answered heartbeats that it sent after the read arrived.",
        {"is_confirmed": _always},
    ),
    Rule(
        "session de-duplication",
        "§8, dissertation 6.3",
        "State Is the Fold",
        "A command that a client repeats is applied once; the second time it gets the stored reply.",
        {"was_applied": _never},
    ),
    Rule(
        "disk before answer",
        "Figure 2",
        "Election Safety",
        "What an answer rests on is on disk before the answer is sent.",
        {"waits_for_disk": _never},
    ),
    Rule(
        "pre-vote",
        "dissertation 9.6",
        "",
        "A server asks whether it could win before it starts a term; with leader stickiness, nobody says yes while it "
        "has a leader.",
        {"asks_before_campaigning": _always},
        optional=True,
    ),
    Rule(
        "leader stickiness",
        "§6, dissertation 4.2.3",
        "",
        "Who has heard from a leader within the shortest election timeout ignores requests for votes.",
        {"is_sticky": _always},
        optional=True,
    ),
    Rule(
        "check-quorum",
        "dissertation 6.2",
        "",
        "A leader that has not heard from a quorum for an election timeout steps down.",
        {"checks_quorum": _always},
        optional=True,
    ),
    Rule(
        "one entry a message",
        "§5.3",
        "",
        "An AppendEntries carries at most one entry, so that logs grow in small steps.",
        {"max_entries_per_message": 1},
        optional=True,
    ),
    Rule(
        "slow disk",
        "Figure 2",
        "",
        "Writes take time: they are durable only when the disk has finished.",
        {"writes_at_once": _never},
        optional=True,
    ),
    Rule(
        "batching",
        "dissertation 10.2.2",
        "",
        "New entries go to a server once it has answered for those before; what comes meanwhile goes together.",
        {"sends_at_once": _has_answered_for_the_rest},
        optional=True,
    ),
)
_BY_NAME = {rule.name: rule for rule in RULES}


def rule(name: str) -> Rule:
    """The rule of that name.

    Raises:
        RaftLabError: there is none.
    """
    if name not in _BY_NAME:
        raise RaftLabError(f"there is no rule {name!r}; the rules are: {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def without(server: type[Server], *names: str) -> type[Server]:
    """`server` without the rules of these names."""
    return switched(server, off=names)


def with_rules(server: type[Server], *names: str) -> type[Server]:
    """`server` with the optional rules of these names."""
    return switched(server, on=names)


def switched(server: type[Server], *, off: Collection[str] = (), on: Collection[str] = ()) -> type[Server]:
    """`server` with some rules turned off, and some optional ones on.

    Raises:
        RaftLabError: there is no such rule, or it cannot be switched that way.
    """
    for name in (*off, *on):
        if rule(name).optional != (name in on):
            raise RaftLabError(
                f"{name!r} is "
                + ("off unless it is asked for" if rule(name).optional else "on unless it is turned off")
            )
    new_off = tuple(name for name in dict.fromkeys(off) if name not in server.rules_off)
    new_on = tuple(name for name in dict.fromkeys(on) if name not in server.rules_on)
    if not new_off and not new_on:
        return server
    had_off, had_on = (server.rules_off, server.rules_on) if base(server) is not server else ((), ())
    return _made(base(server), (*had_off, *new_off), (*had_on, *new_on))


def turned(server: type[Server], name: str, on: bool) -> type[Server]:
    """`server` with this one rule turned on or off, and all others as they are.

    Raises:
        RaftLabError: there is no such rule, or the class itself was written without it.
    """
    if rule(name).holds(server) == on:
        raise RaftLabError(f"{name!r} is {'on' if on else 'off'} already")
    chosen = dict.fromkeys((*server.rules_on, *server.rules_off))
    if name in chosen:
        del chosen[name]
    else:
        chosen[name] = None
    made = switched(
        base(server), on=[n for n in chosen if rule(n).optional], off=[n for n in chosen if not rule(n).optional]
    )
    if made.rules_on == server.rules_on and made.rules_off == server.rules_off:
        raise RaftLabError(f"{base(server).__name__} itself was made with {name!r} {'off' if on else 'on'}")
    return made


def base(server: Any) -> Any:
    """The class that `server` was made of by switching rules; itself, if it was written by somebody."""
    return getattr(server, "__dict__", {}).get("switched_from") or server


class _Switched(type):
    """What kind of class a server with switched rules is: one that pickles as how it is made."""


def _again(server: type[Server], off: tuple[str, ...], on: tuple[str, ...]) -> type[Server]:
    return switched(server, off=off, on=on)


def _pickled(server: type[Server]) -> Any:
    if base(server) is server:  # a subclass of a switched class: found by its name, like any other class
        return server.__qualname__
    return _again, (server.switched_from, server.rules_off, server.rules_on)


copyreg.pickle(_Switched, _pickled)  # type: ignore[arg-type]


@functools.cache
def _made(server: type[Server], off: tuple[str, ...], on: tuple[str, ...]) -> type[Server]:
    methods: dict[str, Any] = {}
    for name in (*on, *off):
        methods |= rule(name).methods
    marks = {
        "rules_off": tuple(dict.fromkeys((*server.rules_off, *off))),
        "rules_on": tuple(dict.fromkeys((*server.rules_on, *on))),
        "switched_from": server,
    }
    made: type[Server] = _Switched(server.__name__, (server,), {**methods, **marks})  # type: ignore[assignment]
    made.__module__ = server.__module__  # no less trusted than what it is made of
    return made


def modified(server: type[Server]) -> str:
    """How `server` differs from Raft, in words, or ''. A cluster carries this wherever it is shown or saved."""
    parts = [f"without {name}" for name in server.rules_off]
    if base(server) is not Server and not vars(base(server)).get("another_machine"):
        parts.insert(0, f"handlers of {server.__name__}")
    return ", ".join(parts)
