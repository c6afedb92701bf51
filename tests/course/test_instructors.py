"""The page for instructors says what is so: tasks, points, and how many answers the banks hold."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from raft_lab.course.graded import GRADED

sys.path.insert(0, str(Path(__file__).parent))
from right import RIGHT
from wrong import WRONG
from wrong_second import WRONG_TOO

PAGE = (Path(__file__).parents[2] / "lessons" / "for-instructors.md").read_text(encoding="utf-8")


def test_the_table_has_every_task_in_order_with_its_points() -> None:
    rows = re.findall(r"^\| (\d\d) \| .+ \| `(.+)` \| (\d+) \|$", PAGE, re.MULTILINE)
    tasks = GRADED.values()
    assert rows == [(graded.lesson[:2], graded.name, f"{graded.exercise.points:.0f}") for graded in tasks]
    assert len(tasks) == 23
    assert f"Twenty-three tasks, {sum(graded.exercise.points for graded in tasks):.0f} points." in PAGE


def test_the_banks_are_as_large_as_it_says() -> None:
    right = sum(map(len, RIGHT.values()))
    wrong = sum(map(len, WRONG.values())) + sum(map(len, WRONG_TOO.values()))
    assert f"{right} right ones that look different and {wrong} wrong ones" in PAGE


def test_the_first_page_leads_to_it() -> None:
    start = Path(__file__).parents[2] / "lessons" / "00-start-here.ipynb"
    assert "(for-instructors.md)" in start.read_text(encoding="utf-8")
