"""Grading a class: many submissions, on as many cores or machines as there are, and to be taken up again at any time.

What is done is written at once, each student's result in a file of its own. Started again, only what is not there, or
was handed in anew, is graded. Where and in which order it is done changes nothing in the results.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from os import PathLike
from pathlib import Path
from typing import Any

from raft_lab.course.graded import GRADED
from raft_lab.course.marking import grade_submission, key_of
from raft_lab.course.results import Result, Results
from raft_lab.course.sandbox import SILENCE_S
from raft_lab.course.submission import Submission, one, submissions
from raft_lab.raft.errors import RaftLabError

AHEAD = 64
"""So many submissions are handed to an executor before the first is done."""


def grade(
    folder: str | PathLike[str],
    *,
    exercises: Collection[str] | None = None,
    seed: int = 0,
    executor: Executor | None = None,
    keep: str | PathLike[str] | None = None,
    progress: bool = True,
    student: str | None = None,
    silence_s: float = SILENCE_S,
) -> Results:
    """Grade all that was handed in.

        from concurrent.futures import ProcessPoolExecutor
        results = grade("submissions/", executor=ProcessPoolExecutor(), keep="grades/")
        Path("grades.csv").write_text(results.csv())

    Args:
        folder: a folder, or a notebook, for each student; see `submissions`.
        exercises: names from `GRADED`; all of them if None.
        seed: chooses the random walks. Whoever does not know it cannot try them at home.
        executor: where it is done; here and now if None. A Dask cluster's is `distributed.Client(…).get_executor()`.
        keep: a folder for the students' results. What is there already and still fits is not graded again.
        progress: whether to show how far it is.
        student: `folder` is the folder of this one student.
        silence_s: seconds to wait for an answer that may never end; see `sandbox.py`.

    Returns:
        The results, in the order of the students' names: the same wherever and however often it is done.

    Raises:
        RaftLabError: there is nothing to grade, or no exercise of that name, or the executor cannot do it.
    """
    names = _names(exercises)
    handed_in = _handed_in(folder, student)
    kept = None if keep is None else Path(keep)
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
    done = {s.student: known for s in handed_in if (known := _known(s, names, seed, kept)) is not None}
    waiting = [submission for submission in handed_in if submission.student not in done]
    with _bar(len(handed_in), len(done), progress) as bar:
        for result in _graded(waiting, names, seed, silence_s, executor):
            if kept is not None:
                result.save(kept / f"{result.student}.json")
            done[result.student] = result
            bar.update()
    return Results(tuple(done[submission.student] for submission in handed_in))


def _handed_in(folder: str | PathLike[str], student: str | None) -> list[Submission]:
    return [one(folder, student)] if student else submissions(folder, [graded.lesson for graded in GRADED.values()])


def _names(exercises: Collection[str] | None) -> tuple[str, ...]:
    if exercises is None:
        return tuple(GRADED)
    if unknown := [name for name in exercises if name not in GRADED]:
        raise RaftLabError(f"there is no exercise {unknown[0]!r}; there are {', '.join(GRADED)}")
    if not exercises:
        raise RaftLabError("name at least one exercise")
    return tuple(name for name in GRADED if name in exercises)


def _known(submission: Submission, names: Sequence[str], seed: int, kept: Path | None) -> Result | None:
    """The result that is there already, if it is of this very submission, grader, seed and set of exercises."""
    path = None if kept is None else kept / f"{submission.student}.json"
    if path is None or not path.is_file():
        return None
    try:
        result = Result.load(path)
    except RaftLabError:
        return None
    return result if result.key == key_of(submission, names, seed) else None


def _graded(
    waiting: Sequence[Submission], names: Sequence[str], seed: int, silence_s: float, executor: Executor | None
) -> Iterator[Result]:
    """The results, each as soon as it is there."""
    if executor is None:
        for submission in waiting:
            yield grade_submission(submission, names, seed, silence_s)
        return
    left, running = iter(waiting), set[Future[Result]]()
    try:
        while True:
            for submission in itertools.islice(left, AHEAD - len(running)):
                running.add(executor.submit(grade_submission, submission, names, seed, silence_s))
            if not running:
                return
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ready)
    except BrokenExecutor as error:
        raise RaftLabError(
            f"a process that graded was ended from outside ({error}). What is done is kept: start it again, and it "
            "goes on from there; with fewer workers if there was too little memory"
        ) from error
    finally:
        for future in running:
            future.cancel()


def _bar(total: int, done: int, progress: bool) -> Any:
    from tqdm import tqdm

    seldom = 0.1 if sys.stderr.isatty() else 60.0  # in a log each look at it is a line
    return tqdm(total=total, initial=done, disable=not progress, unit=" submissions", mininterval=seldom)
