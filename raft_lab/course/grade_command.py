"""`raft-lab grade`: what the command does and tells."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from raft_lab.course.grade import grade
from raft_lab.course.graded import GRADED
from raft_lab.course.reports import write_gradescope, write_reports
from raft_lab.course.results import Results
from raft_lab.course.sandbox import unprotected
from raft_lab.course.submission import left_out
from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.files import refuse_unwritable, write_whole


def run(options: argparse.Namespace) -> str:
    """Grade, write what was asked for, and say what came of it.

    Raises:
        RaftLabError: the options make no sense, or there is nothing to grade.
    """
    if not any((options.out, options.reports, options.failures, options.gradescope)):
        raise RaftLabError("say what to write: --out grades.csv, --reports FOLDER, --failures or --gradescope")
    if options.workers is not None and options.workers < 1:
        raise RaftLabError("--workers is a number from 1 on")
    if options.seed < 0:
        raise RaftLabError("--seed is a number from 0 on")
    exercises = _exercises(options)
    _refuse_unwritable(options)
    with _held_back(_kept(options)), _executor(options) as (executor, held):
        results = grade(
            options.folder,
            exercises=exercises,
            seed=options.seed,
            executor=executor,
            keep=_kept(options),
            progress=options.student is None,
            student=options.student,
        )
        warning = _warning(held(), "the cluster's workers" if options.dask else "this machine")
    return "\n".join([*_written(options, results), *warning, *_left_out(options), summary(results)])


def _refuse_unwritable(options: argparse.Namespace) -> None:
    for file in (options.out, options.failures):
        if file is not None:
            refuse_unwritable(file)
    for folder in (options.reports, options.gradescope, _kept(options)):
        if folder is not None:
            refuse_unwritable(folder, folder=True)


@contextlib.contextmanager
def _held_back(kept: Path | None) -> Iterator[None]:
    """Whoever stops it is told where it can be taken up again."""
    try:
        yield
    except KeyboardInterrupt:
        told = f"; what is done is kept in {kept}, and the same command goes on from there" if kept else ""
        raise KeyboardInterrupt(told) from None


def _exercises(options: argparse.Namespace) -> list[str] | None:
    """Those that were named, and those of the lessons that were named; None if neither was."""
    if options.exercises is None and options.lessons is None:
        return None
    named = [name.strip() for name in (options.exercises or "").split(",") if name.strip()]
    for lesson in options.lessons or []:
        of_it = [name for name, graded in GRADED.items() if lesson in (graded.lesson, graded.lesson.split("-")[0])]
        if not of_it:
            numbers = ", ".join(dict.fromkeys(graded.lesson.split("-")[0] for graded in GRADED.values()))
            raise RaftLabError(f"there is no lesson {lesson!r} with exercises; there are {numbers}")
        named += of_it
    return named


def _warning(missing: list[str], where: str) -> list[str]:
    if not missing:
        return []
    return [f"On {where} the system does not protect from answers: {', '.join(missing)}. Best grade on Linux 5.13+."]


def _unprotected_on(client: Any) -> list[str]:
    """What one worker of a Dask cluster or another does not protect from an answer."""
    found = client.run(unprotected).values()
    return sorted({word for missing in found for word in missing})


def _kept(options: argparse.Namespace) -> Path | None:
    if options.keep is not None:
        return Path(options.keep)
    if options.student is not None and options.out is None:
        return None
    beside = Path(next(filter(None, (options.out, options.reports, options.failures, options.gradescope))))
    return beside.with_suffix(".results") if beside.name else beside / "grades.results"


def _left_out(options: argparse.Namespace) -> list[str]:
    """What lies among the submissions and is none."""
    names = [] if options.student else left_out(options.folder)
    told = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return [f"Left out, as neither a folder nor a notebook: {told}."] if names else []


@contextlib.contextmanager
def _executor(options: argparse.Namespace) -> Iterator[tuple[Executor | None, Callable[[], list[str]]]]:
    """Where it is done, and what says what is unprotected there.

    It is done in processes on this machine or on a Dask cluster; for one student or by one worker, here.
    """
    if options.dask:
        try:
            from distributed import Client
        except ImportError:
            raise RaftLabError("--dask needs Dask: python -m pip install 'raft_lab[cluster]'") from None
        with Client(options.dask) as client, client.get_executor() as executor:  # type: ignore[no-untyped-call]
            yield executor, lambda: _unprotected_on(client)
        return
    workers = options.workers or os.cpu_count() or 1
    if workers == 1 or options.student:
        yield None, unprotected
        return
    before = set(active_children())
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_serve) as pool:
        try:
            yield pool, unprotected
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(active_children()) - before:  # what is being graded may take minutes
                process.terminate()
                process.join()
            raise


def _serve() -> None:
    """Leave Ctrl-C to the process that waits for this one, and do not outlive it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _written(options: argparse.Namespace, results: Results) -> Iterator[str]:
    for file in filter(None, (options.out, options.failures)):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    if options.out is not None:
        yield f"Points are in {write_whole(options.out, results.csv())}."
    if options.failures is not None:
        yield f"Who failed what is in {write_whole(options.failures, results.table())}."
    if options.reports is not None:
        yield f"The reports are in {write_reports(results, options.reports)}."
    if options.gradescope is not None:
        into = write_gradescope(results, options.gradescope, alone=options.student is not None)
        yield f"Gradescope's results are in {into}."


def summary(results: Results) -> str:
    """The class in a few lines: how many passed what."""
    marks = [mark for result in results.results for mark in result.marks]
    count = len(results.results)
    lines = [f"{count} submission{'s' if count != 1 else ''}."]
    if unread := [result.student for result in results.results if result.unread]:
        lines.append(f"A notebook that could not be read was handed in by {', '.join(unread)}: ask for it again.")
    for name in results.exercises:
        mine = [mark for mark in marks if mark.exercise == name]
        lines.append(f"  {name}: {sum(mark.passed for mark in mine)} of {len(mine)} passed")
    return "\n".join(lines)
