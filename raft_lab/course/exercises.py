"""Exercises: a base class from which the answer is missing, and a check that says at once whether yours is right.

A check asks three questions. Does the handler do what Figure 2 says in every small situation? Is there a
short run in which it breaks a property of the paper's Figure 3? Does it get anything done at all?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from raft_lab.check.counterexample import Counterexample
from raft_lab.check.explore import Bounds, explore
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.log import Command, Entry, Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import RequestVote, RequestVoteReply
from raft_lab.raft.server import Server
from raft_lab.raft.state import Candidate, Follower, Leader, Outcome, Progress, Receive, Role, State
from raft_lab.raft.values import FrozenMap
from raft_lab.sim import scenarios
from raft_lab.sim.actions import Deliver
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.schedule import draw
from raft_lab.sim.world import World

SAFETY = ("Election Safety", "Log Matching", "Leader Completeness", "State Machine Safety", "Leader Append-Only")
"""The properties of the paper's Figure 3: what Raft promises to those who use it."""


@dataclass(frozen=True)
class Difference:
    """The smallest situation in which a handler does not do what the rule says."""

    situation: str
    expected: str
    found: str
    rule: str
    about_timer: bool = False

    def __str__(self) -> str:
        return f"{self.situation} {self.expected} {self.found} {self.rule}"


@dataclass(frozen=True)
class Verdict:
    """What a check found. In a notebook it shows itself, with the run that breaks the handler ready to be played.

    Attributes:
        passed: whether the handler is right, as far as the check has looked.
        summary: the verdict in one sentence.
        difference: the smallest situation in which it differs from the rule, if any.
        counterexample: the shortest run in which it breaks a property, if any.
        looked: how far the check has looked.
        points: what it is worth to a course.
    """

    passed: bool
    summary: str
    difference: Difference | None = None
    counterexample: Counterexample | None = None
    looked: str = ""
    points: float = 0.0

    def __str__(self) -> str:
        parts = [("✓ " if self.passed else "✗ ") + self.summary]
        if self.difference:
            parts.append(str(self.difference))
        if self.counterexample:
            parts.append(str(self.counterexample))
        return "\n\n".join([*parts, self.looked]) if self.looked else "\n\n".join(parts)

    __repr__ = __str__

    def _html(self) -> str:
        colour = "#009E73" if self.passed else "#D55E00"
        lines = [f"<strong>{'✓' if self.passed else '✗'} {escape(self.summary)}</strong>"]
        if self.difference:
            d = self.difference
            lines.append(
                f"{escape(d.situation)}<br>{escape(d.expected)} {escape(d.found)}<br><em>{escape(d.rule)}</em>"
            )
        if self.counterexample:
            n = len(self.counterexample.actions)
            which = "The shortest run that shows it has" if self.counterexample.shortest else "A run that shows it has"
            lines.append(f"{which} {n} steps. Press <b>Step</b> below to walk through it, or <b>Play</b>.")
        if self.looked:
            lines.append(f"<small>{escape(self.looked)}</small>")
        body = "".join(f"<p style='margin:6px 0'>{line}</p>" for line in lines)
        return f"<div style='border-left:4px solid {colour};padding:2px 14px;max-width:760px'>{body}</div>"

    def _ipython_display_(self) -> None:
        from IPython.display import display as show

        display: Callable[..., Any] = show
        display({"text/html": self._html(), "text/plain": str(self)}, raw=True)
        if self.counterexample is not None:
            display(self.counterexample.lab(title=str(self.counterexample.violation)))


class Exercise:
    """One task: what is missing from `base`, and how to find out whether a class that fills it in is right.

    Args:
        missing: names of the methods to write; the first is the one asked for.
        differences: finds the smallest difference between a class and the rule, or None.
        difference: finds the difference in one situation: a server, and a message that it receives.
        stages: situations from which to explore, with the bounds to set.
        points: what a right answer is worth to a course.
        source: where the rule is stated.
    """

    def __init__(
        self,
        missing: tuple[str, ...],
        differences: Callable[[type[Server]], Difference | None],
        difference: Callable[[type[Server], State, Any], Difference | None],
        stages: tuple[tuple[Callable[[type[Server]], Cluster], Bounds], ...],
        points: float = 5.0,
        source: str = "Figure 2",
    ) -> None:
        self.missing = missing
        self.differences = differences
        self.difference = difference
        self.stages = stages
        self.points = points
        self.source = source
        self.base = _without(missing)

    def check(self, answer: type[Server]) -> Verdict:
        """Say whether `answer`, a subclass of `base`, is right; and if not, show why.

        Budgets are counted in states, never in seconds, so that the verdict is the same everywhere.
        """
        if refusal := self._refusal(answer):
            return Verdict(False, refusal)
        try:
            broken = self._shortest_run(answer)
            difference = self._guilty_step(answer, broken) if broken else None
            difference = difference or self.differences(answer)
            if broken is not None:
                return Verdict(False, f"With your handler {broken.violation}", difference, broken)
            if not self._elects_a_leader(answer):
                return Verdict(False, "With your handler no server ever becomes leader, whatever happens.", difference)
        except HandlerError as error:
            return Verdict(False, str(error))
        if difference is not None:
            return Verdict(
                False,
                f"No short run of yours breaks a property, but it is not yet what {self.source} asks for.",
                difference,
            )
        return Verdict(
            True,
            f"Your {self.missing[0]} does what {self.source} says.",
            looked="Compared with the rule in every small situation and in many larger ones, and explored from "
            f"{len(self.stages)} starting points within bounds. That is evidence, not proof.",
            points=self.points,
        )

    def _refusal(self, answer: Any) -> str:
        wanted = self.missing[0]
        if not (isinstance(answer, type) and issubclass(answer, self.base)):
            return f"Give check() your class, written as class Mine(Base): with a method {wanted}(self, m)."
        owner = next(cls for cls in answer.__mro__ if wanted in cls.__dict__)
        if owner in (self.base, Server):
            return f"{answer.__name__} has no {wanted} yet: write one."
        return ""

    def _shortest_run(self, answer: type[Server]) -> Counterexample | None:
        """The shortest run that breaks anything; rather one that breaks a property of Figure 3, if there is one."""
        for stage, bounds in self.stages:
            report = explore(stage(answer), bounds=bounds)
            if report.counterexample is not None and report.counterexample.violation.invariant not in SAFETY:
                telling = explore(stage(answer), bounds=bounds, invariants=SAFETY)
                report = telling if telling.counterexample else report
            if report.failure:
                raise HandlerError(report.failure)
            if report.counterexample is not None:
                return report.counterexample
        return None

    def _guilty_step(self, answer: type[Server], broken: Counterexample) -> Difference | None:
        """The first step of the run in which the handler did not do what the rule says, if there is one."""
        for step in broken.cluster().history[1:]:
            if isinstance(step.action, Deliver) and step.parent is not None:
                state = step.parent.world.servers[step.action.message.dst]
                if difference := self.difference(answer, state, step.action.message):
                    number = len(step.path()) - 1
                    return replace(difference, situation=f"Step {number} of the run below: {difference.situation}")
        return None

    @staticmethod
    def _elects_a_leader(answer: type[Server]) -> bool:
        report = explore(Cluster(3, server=answer), bounds=Bounds(term=1, states=4_000), reach={"leader": _has_leader})
        if report.failure:
            raise HandlerError(report.failure)
        return report.reached["leader"]


def _has_leader(world: World) -> bool:
    return any(state.is_leader for state in world.servers.values())


def _without(missing: tuple[str, ...]) -> type[Server]:
    """A `Server` in which the named methods are still to be written."""

    def blank(name: str) -> Callable[..., None]:
        def method(self: Server, *_: Any) -> None:
            raise HandlerError(
                f"{type(self).__name__} uses {name} of the base, which has none: it is part of what you are to write "
                "(remove super())"
            )

        return method

    return type("Base", (Server,), {name: blank(name) for name in missing})


# --- Lesson 01: RequestVote --------------------------------------------------------------------------

_THREE = Configuration(frozenset({"S1", "S2", "S3"}))
_FIVE = Configuration(frozenset({"S1", "S2", "S3", "S4", "S5"}))
_LEADER = Leader(FrozenMap({"S2": Progress(1), "S3": Progress(1)}))
_LOGS = ((), (1,), (1, 1), (2,), (1, 2))


def _small_votes() -> Iterator[tuple[State, RequestVote]]:
    """Every small situation in which S2 asks S1 for its vote, the simplest first."""
    for terms in _LOGS:
        log = _log(terms)
        for current in range(log.last_term, 4):
            roles: list[tuple[Role, str | None]] = [(Follower(), voted) for voted in (None, "S3", "S2", "S1")]
            if current:
                roles += [(Candidate(frozenset({"S1"})), "S1"), (_LEADER, "S1")]
            for role, voted_for in roles:
                if current == 0 and voted_for:
                    continue
                state = State("S1", current, voted_for, log, role=role)
                for term in range(1, 4):
                    for theirs in _LOGS:
                        if term >= max(theirs, default=0):
                            yield state, RequestVote("S2", "S1", term, len(theirs), theirs[-1] if theirs else 0)


def _larger_votes() -> Iterator[tuple[State, RequestVote]]:
    """Some larger situations, always the same ones: five servers, terms and logs of ten and more."""

    def number(below: int, *key: object) -> int:
        return draw("larger votes", *key) % below

    for case in range(400):
        mine = sorted(1 + number(12, case, "mine", n) for n in range(number(14, case, "length")))
        theirs = sorted(1 + number(12, case, "theirs", n) for n in range(number(14, case, "their length")))
        current = max([*mine, 1]) + number(3, case, "term")
        voted_for = (None, None, "S1", "S2", "S3", "S4", "S5")[number(7, case, "vote")]
        state = State("S1", current, voted_for, _log(tuple(mine), _FIVE), role=Follower())
        term = max([*theirs, current]) + number(3, case, "their term") - 1
        candidate = f"S{2 + number(4, case, 'candidate')}"
        yield state, RequestVote(candidate, "S1", max(term, 1), len(theirs), theirs[-1] if theirs else 0)


def _log(terms: tuple[int, ...], configuration: Configuration = _THREE) -> Log:
    return Log(Snapshot(configuration), [Entry(term, Command("x")) for term in terms])


def _votes_differ(answer: type[Server]) -> Difference | None:
    late = None
    for state, m in (*_small_votes(), *_larger_votes()):
        if difference := _vote_differs(answer, state, m):
            if not difference.about_timer:
                return difference
            late = late or difference
    return late


def _vote_differs(answer: type[Server], state: State, m: Any) -> Difference | None:
    if not isinstance(m, RequestVote):
        return None
    extra = answer.initial("S1", Log(Snapshot(_THREE))).extra
    right = Server.step(replace(state, extra=FrozenMap()), Receive(m))
    found = answer.step(replace(state, extra=state.extra or extra), Receive(m))
    if difference := _compare_votes(state, m, right, found):
        return difference
    return _timer_difference(state, m, right) if right.timer_reset != found.timer_reset else None


def _compare_votes(state: State, m: RequestVote, right: Outcome, found: Outcome) -> Difference | None:
    situation, voter, candidate = _vote_situation(state, m), state.id, m.src
    granted = _granted(right)
    answers = [sent for sent in found.messages if isinstance(sent, RequestVoteReply) and sent.dst == candidate]
    if len(answers) != 1 or len(found.messages) != 1:
        said = "sends nothing" if not found.messages else f"sends {len(found.messages)} messages"
        one = f"One answer goes back to {candidate}, yes or no;"
        return Difference(situation, one, f"yours {said}.", "Figure 2: RequestVote RPC, results.")
    if answers[0].vote_granted != granted:
        verb = {True: "grants", False: "refuses"}
        return Difference(
            situation,
            f"The rule {verb[granted]} the vote;",
            f"yours {verb[not granted]} it.",
            _vote_rule(state, m),
        )
    if answers[0].term != right.state.current_term:
        return Difference(
            situation,
            f"The answer carries {voter}'s current term, {right.state.current_term};",
            f"yours carries {answers[0].term}.",
            "Figure 2: term is currentTerm, for the candidate to update itself.",
        )
    if (found.state.voted_for, found.state.current_term) != (right.state.voted_for, right.state.current_term):
        return Difference(
            situation,
            f"Afterwards {voter} is in term {right.state.current_term} and its vote is {right.state.voted_for};",
            f"yours leaves it in term {found.state.current_term} with vote {found.state.voted_for}.",
            "Figure 2: votedFor is the candidate that received the vote in the current term.",
        )
    if found.state.role != right.state.role or found.state.log != right.state.log:
        kept = "Role and log stay as the rules for all servers left them;"
        return Difference(
            situation, kept, "yours changes them.", "A vote changes votedFor and nothing else (Figure 2)."
        )
    return None


def _granted(outcome: Outcome) -> bool:
    return any(isinstance(sent, RequestVoteReply) and sent.vote_granted for sent in outcome.messages)


def _vote_situation(state: State, m: RequestVote) -> str:
    role = {Follower: "a follower", Candidate: "a candidate"}.get(type(state.role), "the leader")
    vote = f"it has voted for {state.voted_for}" if state.voted_for else "it has not voted"
    mine = f"entry {state.log.last_index} of term {state.log.last_term}"
    theirs = f"entry {m.last_log_index} of term {m.last_log_term}"
    ends = f"its log ends with {mine}" if len(state.log) else "its log is empty"
    asked = f"{m.src} asks for its vote in term {m.term}, with a log that ends with {theirs}."
    if not m.last_log_index:
        asked = f"{m.src} asks for its vote in term {m.term}, with an empty log."
    return f"{state.id} is {role} in term {state.current_term}, {vote}, {ends}. {asked}"


def _vote_rule(state: State, m: RequestVote) -> str:
    if m.term < state.current_term:
        return "Figure 2: reply false if term < currentTerm (§5.1)."
    if m.term == state.current_term and state.voted_for not in (None, m.src):
        return "One vote a term, first come first served (§5.2)."
    if (m.last_log_term, m.last_log_index) < (state.log.last_term, state.log.last_index):
        return "The candidate's log must be as up-to-date: a later last term, or the same and no shorter (§5.4.1)."
    if m.term == state.current_term and state.voted_for == m.src:
        return "votedFor is null or candidateId: the same candidate may ask again, its first answer may be lost (§5.2)."
    return "Not voted yet, and the candidate's log is at least as up-to-date: grant (§5.2, §5.4.1)."


def _timer_difference(state: State, m: RequestVote, right: Outcome) -> Difference:
    rule = "A follower waits a whole election timeout after granting a vote, and only then (§5.2; Figure 2, Followers)."
    found, expected = "yours starts it anew.", f"{state.id}'s election timer runs on;"
    if right.timer_reset:
        expected = f"{state.id} grants its vote and starts its election timer anew;"
        found = "yours forgets self.reset_election_timer()."
    return Difference(_vote_situation(state, m), expected, found, rule, about_timer=True)


REQUEST_VOTE = Exercise(
    ("on_request_vote", "may_vote_for", "log_is_up_to_date"),
    _votes_differ,
    _vote_differs,
    (
        (lambda server: Cluster(3, server=server), Bounds(term=1, crashes=1, states=4_000)),
        (scenarios.committed_without_s3, Bounds(term=2, states=3_000)),
        (scenarios.longer_but_older, Bounds(term=4, states=4_000)),
        (lambda server: Cluster(3, server=server), Bounds(term=2, duplicates=1, states=4_000)),
    ),
)
