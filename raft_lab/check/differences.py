"""Handler differences: where a class does something else than Raft, the smallest situation first.

Every small situation is put to the class and to the reference, and what they do is compared, row by row of the table in
`claims.py`; what Raft leaves open is no difference. It takes one step of one server to tell, so this is the first
thing to ask: it finds most mistakes in a blink, and with the rule that decides.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from raft_lab.check.claims import CLAIMS, Case
from raft_lab.check.purity import changed_message, impurity
from raft_lab.check.reasons import hint, rule
from raft_lab.check.situations import KINDS, small
from raft_lab.check.standing import Crash, Situation, kind_of, size
from raft_lab.check.wording import situation_in_words
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.log import Log
from raft_lab.raft.rules import with_rules
from raft_lab.raft.server import Server
from raft_lab.raft.state import Event, Outcome, State
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused
from raft_lab.sim.schedule import Timing, draw


@dataclass(frozen=True)
class Difference:
    """The smallest situation in which a handler does not do what the rule says.

    Attributes:
        situation: who stands how, and what happens.
        expected: what the rule says.
        found: what the class does.
        rule: the rule, with its section.
        about: the row of the table in which they differ.
        kind: what happens: a kind of message, or an event.
        tried: how many situations had been tried when it was found.
    """

    situation: str
    expected: str
    found: str
    rule: str
    about: str = ""
    kind: str = ""
    tried: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.situation} {self.expected} {self.found} {self.rule}".strip()


def differences(server: type[Server], kinds: Collection[str] = KINDS, *, larger: bool = True) -> Difference | None:
    """The smallest difference between `server` and Raft, or None if there is none in all that was tried.

    Of a class that decides by chance, or by what servers share, only that is told: it may do something else next time.

    Args:
        server: a subclass of `Server`. With optional rules on, it is compared with Raft that has them on.
        kinds: what happens, by name: kinds of messages and events, all of `KINDS` unless told.
        larger: also take situations from some longer runs.

    Raises:
        ValueError: there is no such kind.
    """
    wanted = _known(kinds)
    if why := impurity(server):
        return Difference("", "", f"{why}.", "", _IMPURE)
    late: Difference | None = None
    asked = _announced(server, _situations(server, wanted, larger))
    for tried, (situation, right) in enumerate(asked, start=1):
        found = difference(server, situation, right)
        if found is not None and found.about not in _LATE:
            return replace(found, tried=tried)
        if found is not None and late is None:
            late = replace(found, tried=tried)
    return late


def difference(server: type[Server], situation: Situation, right: Outcome | None = None) -> Difference | None:
    """How `server` differs from Raft in one situation, or None.

    Args:
        server: a subclass of `Server`.
        situation: what is put to it.
        right: what Raft makes of it, if that is known already.
    """
    if right is None:
        right = _stepped(_reference(server), _plain(situation))
    mark = _mark(situation.event)
    try:
        found = _stepped(server, _with_first_fields(server, situation))
    except HandlerError as error:
        said = "Raft goes on;", f"yours does not: {error}."
        return Difference(situation_in_words(situation), *said, hint(situation), "error", kind_of(situation))
    if _mark(situation.event) != mark:
        _forget()  # others would be asked about what it has made of the message
        return Difference("", "", f"{changed_message(server)}.", "", _IMPURE, kind_of(situation))
    if found == right:
        return None
    case = Case(situation, right, found)
    for claim in CLAIMS:
        if contrast := claim.judge(case):
            words = situation_in_words(situation)
            return Difference(words, *contrast, rule(case, claim), claim.about, kind_of(situation))
    return None


_IMPURE = "purity"


def _mark(event: Event | Crash) -> int | None:
    """Something that changes if somebody writes into the event."""
    try:
        return hash(event)
    except TypeError:
        return None


def _forget() -> None:
    """All situations are made anew."""
    for remembered in (small, _by_size, _lived_by_raft):
        remembered.cache_clear()
    _KNOWN.clear()


def _reference(server: type[Server]) -> type[Server]:
    return with_rules(Server, *server.rules_on)


def _plain(situation: Situation) -> Situation:
    return replace(situation, state=replace(situation.state, extra=FrozenMap()))


def _with_first_fields(server: type[Server], situation: Situation) -> Situation:
    """A state that has none of the class's own fields gets them as they are at the beginning."""
    if situation.state.extra or not (server.durable or server.volatile):
        return situation
    return replace(situation, state=replace(situation.state, extra=server.initial("S1", situation.state.log).extra))


def _stepped(server: type[Server], situation: Situation) -> Outcome:
    if isinstance(situation.event, Crash):
        return Outcome(server.crashed(situation.state))
    return server.step(situation.state, situation.event, situation.now)


AHEAD = 50
"""So many situations are told beforehand to a class that wants to know."""
_LATE = frozenset(claim.about for claim in CLAIMS if claim.late)


def _known(kinds: Collection[str]) -> tuple[str, ...]:
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ValueError(f"there is no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in kinds)


def _situations(
    server: type[Server], kinds: tuple[str, ...], larger: bool
) -> Iterator[tuple[Situation, Outcome | None]]:
    """Small ones, then larger ones; with what Raft makes of them, where that is remembered.

    What a class keeps in fields of its own must fit the rest of its state, so such a class is only asked about
    situations that its own runs have led to.
    """
    if server.durable or server.volatile:
        yield from ((situation, None) for situation in lived(server) if kind_of(situation) in kinds)
    elif server.rules_on:
        yield from ((situation, None) for situation in _by_size(kinds))
        yield from (
            (situation, None) for situation in lived(_reference(server)) if larger and kind_of(situation) in kinds
        )
    else:
        yield from zip(_by_size(kinds), _answers(kinds), strict=True)
        if larger:
            yield from ((situation, None) for situation in _lived_by_raft() if kind_of(situation) in kinds)


def _announced(
    server: type[Server], asked: Iterator[tuple[Situation, Outcome | None]]
) -> Iterator[tuple[Situation, Outcome | None]]:
    """The same. A class whose steps are done in another process (`foresee`) hears some of them beforehand."""
    foresee = getattr(server, "foresee", None)
    if foresee is None:
        yield from asked
        return
    while batch := list(itertools.islice(asked, AHEAD)):
        known = [_with_first_fields(server, situation) for situation, _ in batch]
        foresee([(s.state, s.event, s.now) for s in known if not isinstance(s.event, Crash)])
        yield from batch


@functools.cache
def _by_size(kinds: tuple[str, ...]) -> tuple[Situation, ...]:
    return tuple(sorted((situation for kind in kinds for situation in small(kind)), key=size))


def _answers(kinds: tuple[str, ...]) -> Iterator[Outcome]:
    """What Raft makes of each of them; worked out when it is first asked for."""
    known = _KNOWN.setdefault(kinds, [])
    for number, situation in enumerate(_by_size(kinds)):
        if number == len(known):
            known.append(_stepped(Server, situation))
        yield known[number]


_KNOWN: dict[tuple[str, ...], list[Outcome]] = {}


# --- Larger situations ------------------------------------------------------------------------------


@functools.cache
def _lived_by_raft() -> tuple[Situation, ...]:
    return tuple(lived(Server))


class Watched:
    """A behaviour that notes what happened to whom."""

    def __init__(self, server: type[Server]) -> None:
        self.server = server
        self.seen: dict[Situation, None] = {}

    def step(self, state: State, event: Event, now: int = 0) -> Outcome:
        self.seen[Situation(state, event, now)] = None
        return self.server.step(state, event, now)

    def initial(self, id: str, log: Log, current_term: int = 0, voted_for: str | None = None) -> State:
        return self.server.initial(id, log, current_term, voted_for)

    def timers(self, state: State) -> tuple[str, ...]:
        return self.server.timers(state)

    def crashed(self, state: State) -> State:
        self.seen[Situation(state, Crash())] = None
        return self.server.crashed(state)


def lived(server: type[Server], runs: int = 6, steps: int = 150) -> Iterator[Situation]:
    """Situations from some runs with a bad network, crashes and clients, always the same ones."""
    for run in range(runs):
        watched = Watched(server)
        first = Cluster((3, 5)[run % 2], server=server).world
        timing = Timing(loss=0.05, duplication=0.1, latency_us=(5_000, 120_000))
        cluster = Cluster.at(replace(first, behaviour=watched), seed=run, timing=timing)
        try:
            for number in range(steps):
                _stir(cluster, draw("lived", run, number) % 40, number)
                cluster.step()
        except ActionRefused:
            pass
        except HandlerError:
            yield from watched.seen
            return
        yield from watched.seen


def _stir(cluster: Cluster, chance: int, number: int) -> None:
    """Now and then a client, an administrator or a mishap."""
    names = cluster.servers
    name = names[number % len(names)]
    if chance < 4 and cluster.leader:
        cluster.propose(f"add x {number} ")
    elif chance == 4 and cluster.leader:
        cluster.read()
    elif chance == 5 and cluster[name].last_applied > cluster[name].log.snapshot.last_included_index:
        cluster.compact(name)
    elif chance == 6 and len(cluster.world.crashed) < len(names) // 2 and name not in cluster.world.crashed:
        cluster.crash(name)
    elif chance in (7, 8) and cluster.world.crashed:
        cluster.restart(min(cluster.world.crashed))
