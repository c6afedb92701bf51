"""One answer, from a notebook's cells to a mark. The check runs here, the answer in a process of its own."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from raft_lab.course import wire
from raft_lab.course.exercises import Verdict
from raft_lab.course.graded import GRADED, Graded
from raft_lab.course.results import Mark, Result
from raft_lab.course.sandbox import JUDGES, LOST, REPEATS, SILENCE_S, Ended, Sandbox
from raft_lab.course.standin import for_class, for_function
from raft_lab.course.submission import Notebook, Submission
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.server import Server
from raft_lab.raft.state import Outcome
from raft_lab.sim.errors import TraceError

SELDOM = (100_000, 50, 50)
"""Thresholds of the garbage collector while an answer is graded."""
MOST_ANSWERS = 5
"""More answers of one student to one exercise are not looked at."""
THE_BEST = "The answer is there more than once; the best one counts."
RECHECKED = 500
"""So many steps are asked again of a new process in which sets have another order."""
_ADDRESS = re.compile(" at 0x[0-9a-f]+")
"""Where an object happens to be in memory, which is elsewhere each time."""
ENDLESS = "Comes to an End"
"""The property that is broken by whatever runs on and on, or was not heard of any more."""
_ENDLESS = ("runs on and on", "without an end", "not come to an end", "takes too long")
NOT_THE_SAME = (
    "It did two different things for the same state and event, in two processes: a handler may use nothing but self "
    "and the message, no randomness, clock or global, and not the order of a set (take sorted(…), min(…) or max(…))."
)
NOT_THE_SAME_VALUE = (
    "It gave two different things for the same arguments, in two processes: a function may use nothing but its "
    "arguments, no randomness, clock or global, and not the order of a set (take sorted(…), min(…) or max(…))."
)


def grade_submission(
    submission: Submission, names: Collection[str] = tuple(GRADED), seed: int = 0, silence_s: float = SILENCE_S
) -> Result:
    """Grade what one student handed in. What goes wrong is in the marks; nothing is raised for it.

    Args:
        submission: what was handed in.
        names: which exercises, by their names in `GRADED`.
        seed: chooses the random walks.
        silence_s: how long to wait for an answer that may be in an endless loop of C code.
    """
    chosen = [graded for graded in GRADED.values() if graded.name in names]
    with _seldom_collecting():
        marks = tuple(_mark(graded, submission, seed, silence_s) for graded in chosen)
    unread = tuple(unreadable(n) for n in submission.notebooks if n.trouble)
    return Result(submission.student, key_of(submission, names, seed), marks, unread)


def key_of(submission: Submission, names: Collection[str], seed: int) -> str:
    """A text that differs wherever the result may."""
    parts = [submission.digest(), grader_version(), str(seed), *sorted(names)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def grader_version() -> str:
    """A text that differs between graders: it is made of this package's own code."""
    package = Path(__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


@contextlib.contextmanager
def _seldom_collecting() -> Iterator[None]:
    """What is remembered of steps is no garbage; to look through it again and again takes a quarter of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


# --- One answer --------------------------------------------------------------------------------------


def _mark(graded: Graded, submission: Submission, seed: int, silence_s: float) -> Mark:
    others = {name for other in GRADED.values() if other is not graded for name in (other.cell, other.name)}
    notebooks = submission.notebooks_with(graded.cell, graded.lesson, others)
    nothing = Mark(graded.name, 0.0, graded.exercise.points, False, "Nothing was handed in for this exercise.")
    if not notebooks:
        unread = [n for n in submission.notebooks if n.trouble]
        its_own = [n for n in unread if graded.lesson in Path(n.name).stem] or unread
        return replace(nothing, summary=unreadable(its_own[0])) if its_own else nothing
    markings = (_Marking(graded, notebook, others, seed, silence_s) for notebook in notebooks)
    marks: list[Mark] = []
    for mark in itertools.islice((mark for marking in markings for mark in marking.marks()), MOST_ANSWERS):
        marks.append(mark)
        if mark.passed:
            break
    best = max(marks, key=lambda mark: mark.points)
    return best if len(marks) == 1 else replace(best, note=f"{best.note} {THE_BEST}".strip())


def unreadable(notebook: Notebook) -> str:
    """Why there is nothing in a notebook to be graded, in a sentence."""
    end = "" if notebook.trouble.endswith("?") else "."
    return f"{notebook.name} could not be read: {notebook.trouble}{end}"


class _Marking:
    def __init__(
        self, graded: Graded, notebook: Notebook, others: Collection[str], seed: int, silence_s: float
    ) -> None:
        self.graded = graded
        self.seed = seed
        self.silence_s = silence_s
        cells = [(cell.names, cell.source) for cell in notebook.cells]
        names = (graded.cell, graded.name)
        self.request = ("load", cells, graded.defines, names, tuple(sorted(others)), graded.name, 0)
        self.notebook = notebook
        self.answers = 1

    def marks(self) -> Iterator[Mark]:
        """A mark for each place in the notebook where the answer is defined."""
        which = 0
        while which < self.answers:
            self.request = (*self.request[:-1], which)
            mark = self.mark()
            if mark.summary == LOST:  # whoever ended its process may not have meant this answer
                mark = self.mark()
            if not mark.passed and any(words in one for words in _ENDLESS for one in (mark.summary, mark.found)):
                mark = replace(mark, property=ENDLESS)
            summary, found = (_ADDRESS.sub("", one) for one in (mark.summary, mark.found))
            yield replace(mark, notebook=self.notebook.name, summary=summary, found=found)
            which += 1

    def mark(self) -> Mark:
        """Check one answer, and ask a part of it again elsewhere."""
        with Sandbox(JUDGES, self.silence_s) as box:
            try:
                about = box.ask(*self.request, True)
                if not isinstance(about, dict):
                    return self.refused("It wrote something else than an answer to where answers are sent.")
                there = about.get("answers")
                self.answers = there if isinstance(there, int) else 1
                if refusal := about.get("missing") or about.get("failed"):
                    return self.refused(_sentence(str(refusal)[:1000], "missing" in about))
                mark = self._checked(about, box)
                if box.trouble:
                    return self.refused(box.trouble)
                if why := self._differs_elsewhere(box):
                    return self.refused(why)
                return replace(mark, note=str(about.get("note", ""))[:200])
            except Ended as ended:
                return self.refused(str(ended))
            except HandlerError as error:
                return self.refused(str(error))
            except Exception as error:  # one answer that the checker is not up to must not cost others their marks
                return self.refused(f"The checker failed on it, which is a mistake of raft_lab's: {error!r}"[:300])

    def refused(self, why: str) -> Mark:
        """No points, and the reason."""
        return Mark(self.graded.name, 0.0, self.graded.exercise.points, False, why)

    def _checked(self, about: Mapping[str, Any], box: Sandbox) -> Mark:
        if refused := about.get("refused") or about.get("impure"):
            return self.refused(str(refused)[:1000])
        answer = self._answer(dict(about), box)
        verdict = self.graded.exercise.check(answer, seed=self.seed)
        return mark_of(self.graded, verdict)

    def _answer(self, about: dict[str, Any], box: Sandbox) -> Any:
        match about.get("kind"):
            case "class":
                exercise: Any = self.graded.exercise
                return for_class(about, getattr(exercise, "base", Server), box, getattr(exercise, "missing", ()))
            case "function" | "generator":
                return for_function(about, box)
            case "value":
                try:
                    return wire.unpack(about.get("value"))
                except (*wire.DAMAGE, TraceError):
                    raise HandlerError("What stands there is no value that can be graded.") from None
        raise HandlerError("What it says of itself makes no sense.")

    def _differs_elsewhere(self, box: Sandbox) -> str:
        """What to say if a new process, whose sets have another order, does other things in a sample; or ''."""
        if box.calls or box.told[0]:
            with Sandbox(REPEATS, self.silence_s) as other:
                other.ask(*self.request, False)
                same = other.says(*box.told) and all(other.gives(*call) for call in box.calls)
            return "" if same else NOT_THE_SAME_VALUE
        stride = max(1, len(box.known) // RECHECKED)
        done = ((key, came) for key, came in list(box.known.items())[::stride] if not _was_not_done(came))
        sample: list[tuple[tuple[Any, ...], Outcome | str]] = list(done)
        if not sample:
            return ""
        with Sandbox(REPEATS, self.silence_s) as other:
            other.ask(*self.request, False)
            again = other.repeated([key for key, _ in sample])
        same = all(first == second for (_, first), second in zip(sample, again, strict=True))
        return "" if same else NOT_THE_SAME


def _was_not_done(came: Outcome | str) -> bool:
    return isinstance(came, str) and came.startswith(wire.TOO_LONG)


def _sentence(why: str, missing: bool) -> str:
    return why if missing else f"Its definition could not be run: {why}"


def mark_of(graded: Graded, verdict: Verdict) -> Mark:
    """A verdict as what is kept of it; the run that breaks the answer is recorded, ready to be played."""
    odd, run = verdict.difference, verdict.counterexample
    return Mark(
        graded.name,
        verdict.points,
        graded.exercise.points,
        verdict.passed,
        verdict.summary,
        verdict.layer,
        verdict.states,
        run.violation.invariant if run and not verdict.passed else "",
        odd.rule if odd else "",
        odd.situation if odd else "",
        odd.expected if odd else "",
        odd.found if odd else "",
        tuple(line.strip() for line in run.sentences()) if run else (),
        _recorded(run, str(run.violation)) if run else None,
        verdict.looked,
    )


def _recorded(run: Any, title: str) -> Mapping[str, Any]:
    from raft_lab.view import page

    cluster = run.cluster()
    cluster.goto(0)
    return page.recording(cluster, title=title)
