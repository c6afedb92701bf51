"""Lesson 07: when an elector may take over, and how a resource keeps out whoever was paused."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from raft_lab.course.electing import in_a_run
from raft_lab.course.functions import FunctionExercise
from raft_lab.sim.schedule import draw

Case = Callable[[Callable[..., Any]], str]
SECOND = 1_000_000
RUNS = 3
"""Of three pods that elect by it."""

# --- An elector's decision (client-go's tryAcquireOrRenew and isLeaseValid) ----------------------------------------


def _records(seed: int) -> Iterator[Case]:
    wrong_by = (0, -3600, 3600, 1 + draw("clocks", seed) % 86_400)
    for holder, skew, duration, waited in itertools.product(
        ("alice", ""), wrong_by, (15, 10, 60), (0, 9, 14, 16, 59, 61)
    ):  # whose clock counts comes first: it is what the lesson is about
        yield functools.partial(_decision, holder, skew, duration, waited)
    for run in range(RUNS):
        yield functools.partial(in_a_run, seed * RUNS + run)


def _decision(holder: str, skew: int, duration: int, waited: int, may: Callable[..., Any]) -> str:
    """What is wrong with one decision, or ''. The holder's clock is ahead of one's own by `skew` seconds."""
    from raft_lab.kube.records import LeaderElectionRecord

    now = 1_000_000 * SECOND
    observed_at = now - waited * SECOND
    renewed = observed_at + skew * SECOND
    record = LeaderElectionRecord(holder, duration, renewed - 100 * SECOND, renewed, 3)
    given = may(record, observed_at, now)
    wanted = not holder or waited > duration
    if given is True or given is False:
        if given == wanted:
            return ""
    else:
        return f"may_take_over returns True or False; yours returned {given!r:.60}."
    seen = f"You saw it change {f'{waited} s ago' if waited else 'just now'}."
    scene = f"The record has no holder: the last one has let it go. {seen}"
    if holder:
        off = f", by a clock that is {abs(skew):,} s {'ahead of' if skew > 0 else 'behind'} yours" if skew else ""
        scene = f"The record says that {holder} holds it, for {duration} s{off}. {seen}"
    if wanted:
        why = "Whoever gave it up says so by an empty name."
        if holder:
            why = f"It was not renewed in all that time. {_OWN_CLOCK if skew else ''}".strip()
        return f"{scene} You may take over; yours waits. {why}"
    return f"{scene} You must wait; yours takes over, and then there are two. {_OWN_CLOCK}"


_OWN_CLOCK = (
    "What counts is how long ago one saw the record change, by one's own clock, against the duration in the record; "
    "the times in it are of somebody else's clock (client-go, isLeaseValid)."
)

MAY_TAKE_OVER = FunctionExercise(
    "may_take_over", _records, "You take over when nobody holds it, or when you have seen no change for long enough."
)

# --- A fencing token ------------------------------------------------------------------------------------------------


def _writes(seed: int) -> Iterator[Case]:
    for length in range(1, 6):
        for tokens in itertools.product((1, 2, 3), repeat=length):
            yield functools.partial(_write_by_write, tokens)
    for number in range(40):
        tokens = tuple(1 + draw("tokens", seed, number, n) % 40 for n in range(12))
        yield functools.partial(_write_by_write, tokens)


def _write_by_write(tokens: tuple[int, ...], write: Callable[..., Any]) -> str:
    """What is wrong when writes arrive with these tokens, or ''."""
    seen: Any = None
    for number, token in enumerate(tokens):
        given = write(seen, token)
        if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], bool)):
            return f"may_write returns two things, whether the write is done and what is remembered; not {given!r:.60}."
        allowed, seen = given
        highest = max(tokens[: number + 1])
        if allowed == (token >= highest):
            continue
        arrived = ", ".join(map(str, tokens[: number + 1]))
        if allowed:
            return (
                f"Writes arrive with the tokens {arrived}. Whoever writes with {token} was replaced by the one with "
                f"{highest} and does not know it; yours lets it write."
            )
        return f"Writes arrive with the tokens {arrived}. Nobody with a higher one has written; yours refuses the last."
    return ""


MAY_WRITE = FunctionExercise(
    "may_write", _writes, "Nobody writes who was replaced, and whoever leads may go on writing."
)
