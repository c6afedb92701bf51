"""Grading: the whole set for one right submission, a mixed class, and the same submission again and again.

    python tests/benchmarks/grading.py whole             # seconds of processor time, on one core
    python tests/benchmarks/grading.py class 12          # submissions a minute and core
    python tests/benchmarks/grading.py class 300 FOLDER  # by `raft-lab grade` on two workers; goes on if it was killed
    python tests/benchmarks/grading.py same 50           # are the bytes equal, on 1 and 2 workers and on Dask?

Times are of the processor, grader and answers together, so that a machine that has other things to do tells the same.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "course"))
from right import RIGHT
from wrong import WRONG

import lessons
from raft_lab import cli
from raft_lab.course.grade import grade
from raft_lab.course.graded import GRADED
from raft_lab.course.sandbox import close_nurseries
from raft_lab.course.solutions import SOLUTIONS, between


def hand_in(folder: Path, student: str, written: dict[str, str]) -> None:
    """A student's copies of the lessons, with what was written in place of the drafts."""
    (folder / student).mkdir(parents=True)
    for lesson in dict.fromkeys(graded.lesson for graded in GRADED.values()):
        notebook = json.loads((lessons.LESSONS / f"{lesson}.ipynb").read_text(encoding="utf-8"))
        for graded in GRADED.values():
            if graded.lesson == lesson and graded.name in written:
                cell = next(cell for cell in notebook["cells"] if cell["id"] == graded.cell)
                cell["source"] = answer(graded, written[graded.name])
        (folder / student / f"{lesson}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def answer(graded, written: str) -> str:
    """The cell with `written` between its marks, or in its place if it is a whole definition."""
    whole = any(line.startswith(("class ", f"def {graded.defines}(")) for line in written.splitlines())
    return written if whole else between(lessons.source(graded), written)


def mixed(number: int) -> dict[str, str]:
    """What student `number` wrote: about a third is the solution, a third another right answer, a third is wrong."""
    written = {}
    for place, name in enumerate(GRADED):
        bank = ({"": SOLUTIONS[name]}, RIGHT.get(name) or {"": SOLUTIONS[name]}, WRONG[name])[(number + place) % 3]
        written[name] = list(bank.values())[(number // 3) % len(bank)]
    return written


def processor_s() -> float:
    """Seconds of processor time of this process and of all that it has waited for."""
    close_nurseries()
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Run what is asked for."""
    what, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if len(sys.argv) > 3:
        by_the_command(Path(sys.argv[3]), count)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        if what == "same":
            same(folder, count)
            return
        for number in range(count):
            hand_in(folder, f"s{number:03}", SOLUTIONS if what == "whole" else mixed(number))
        begun, wall = processor_s(), time.perf_counter()
        results = grade(folder, progress=sys.stderr.isatty())
        spent, took = processor_s() - begun, time.perf_counter() - wall
    points = sum(result.points for result in results.results) / sum(result.max_points for result in results.results)
    marks = [mark for result in results.results for mark in result.marks]
    print(f"{count} submissions of {len(GRADED)} exercises: {spent:.1f} s of processor time, {took:.1f} s in all")
    print(f"{60 * count / spent:.2f} submissions a minute and core; {points:.0%} of the points; "
          f"{sum(mark.passed for mark in marks)} of {len(marks)} answers passed")  # fmt: skip


def by_the_command(folder: Path, count: int) -> None:
    """A class as an instructor grades it: what is done is on disk, and is not done again when this is started again."""
    handed_in, kept = folder / "submissions", folder / "grades.results"
    for number in range(count):
        if not (handed_in / f"s{number:03}").is_dir():
            hand_in(handed_in, f"s{number:03}", mixed(number))
    before = len(list(kept.glob("*.json")))
    begun, wall = processor_s(), time.perf_counter()
    command = ["grade", str(handed_in), "--out", str(folder / "grades.csv"), "--workers", "2"]
    failed = cli.main([*command, "--reports", str(folder / "reports"), "--failures", str(folder / "failures.csv")])
    spent, took = processor_s() - begun, time.perf_counter() - wall
    done = len(list(kept.glob("*.json"))) - before
    print(f"{done} submissions in this run, {before} were done: {spent:.0f} s of processor time, {took:.0f} s in all")
    print(f"{60 * done / spent:.2f} submissions a minute and core; the command ended with {failed}")


def same(folder: Path, count: int) -> None:
    """Grade the same answers again and again, here, on two processes and on a Dask cluster."""
    from distributed import Client, LocalCluster

    exercises = ("has-quorum", "revisions", "figure-8")
    wrong = {name: next(iter(WRONG[name].values())) for name in exercises}
    for number in range(count):
        hand_in(folder, f"s{number:03}", wrong if number % 2 else {name: SOLUTIONS[name] for name in exercises})
    seen = set()

    def note(results) -> None:
        for number, result in enumerate(results.results):
            content = json.loads(result.text())
            del content["student"], content["key"]
            seen.add((number % 2, json.dumps(content, sort_keys=True)))

    note(grade(folder, exercises=exercises, progress=False))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        note(grade(folder, exercises=exercises, executor=pool, progress=False))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        client.get_executor() as executor,
    ):
        note(grade(folder, exercises=exercises, executor=executor, progress=False))
    print(f"{3 * count} gradings of 2 submissions came to {len(seen)} different results")


if __name__ == "__main__":
    main()
