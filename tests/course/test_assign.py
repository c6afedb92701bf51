"""`--lessons`: what is given out and what is graded is what was named, and nothing else."""

import csv
import json
import os
import re

import pytest

from raft_lab.cli import main
from raft_lab.course.graded import GRADED


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.ipynb"))


def test_assign_writes_the_lessons_that_were_named_and_says_how_to_grade_them(tmp_path, capsys):
    assert main(["assign", str(tmp_path / "course"), "--lessons", "01,06", "--seed", "20260901"]) == 0
    assert files(tmp_path / "course") == [
        "source/01-leader-election/01-leader-election.ipynb",
        "source/06-etcd/06-etcd.ipynb",
        "students/01-leader-election.ipynb",
        "students/06-etcd.ipynb",
    ]
    said = capsys.readouterr().out
    assert "2 lessons with exercises: students' copies in" in said
    assert said.endswith("--reports reports/ --lessons 01,06 --seed 20260901\n")


def test_with_all_lessons_students_get_those_without_exercises_too_and_no_link_leads_nowhere(tmp_path, capsys):
    assert main(["assign", str(tmp_path)]) == 0
    assert "8 lessons with exercises: students' copies in" in capsys.readouterr().out
    students = tmp_path / "students"
    links = {link for path in students.glob("*.ipynb") for link in re.findall(r"\]\(([^):]+)\)", path.read_text())}
    assert {"00-start-here.ipynb", "09-sounds-right.ipynb"} < {path.name for path in students.iterdir()}
    assert "01-leader-election.ipynb" in links
    assert [link for link in links if not (students / link).is_file()] == []


def test_the_seed_and_the_solutions_are_in_the_instructors_copies_only(tmp_path):
    assert main(["assign", str(tmp_path), "--lessons", "01", "--seed", "20260901"]) == 0
    students = (tmp_path / "students" / "01-leader-election.ipynb").read_text()
    source = (tmp_path / "source" / "01-leader-election" / "01-leader-election.ipynb").read_text()
    assert "20260901" in source
    assert "BEGIN SOLUTION" in source
    assert "20260901" not in students
    assert "BEGIN SOLUTION" not in students


@pytest.mark.parametrize("wanted", ["09", "01,banana", "00"])
def test_assign_knows_its_lessons_and_writes_nothing_of_others(tmp_path, capsys, wanted):
    assert main(["assign", str(tmp_path / "course"), "--lessons", wanted]) == 1
    error = capsys.readouterr().err
    assert error.startswith("raft-lab: there is no lesson")
    assert error.count("\n") == 1
    assert not (tmp_path / "course").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--seed", "-4"], "the seed is a number from 0 on"), (["--lessons", "01"], "is a file; name another place")],
    ids=["seed", "place"],
)
def test_assign_says_what_is_wrong_and_writes_nothing(tmp_path, capsys, more, said):
    (tmp_path / "file").touch()
    assert main(["assign", str(tmp_path / ("course" if "--seed" in more else "file")), *more]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_assign_does_not_write_over_what_is_there(tmp_path, capsys):
    assert main(["assign", str(tmp_path), "--lessons", "01"]) == 0
    path = tmp_path / "students" / "01-leader-election.ipynb"
    path.write_text("mine")
    assert main(["assign", str(tmp_path), "--lessons", "01"]) == 1
    assert "is there already; name another folder" in capsys.readouterr().err
    assert path.read_text() == "mine"


@pytest.fixture
def empty_handed(tmp_path):
    """One student, whose notebook holds nothing."""
    folder = tmp_path / "submissions" / "alice"
    folder.mkdir(parents=True)
    text = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    (folder / "06-etcd.ipynb").write_text(text)
    return folder.parent


@pytest.mark.skipif(os.name != "posix", reason="answers are graded on Linux or macOS")
@pytest.mark.parametrize("named", ["06,07", "06-etcd,07-kubernetes"])
def test_grade_takes_the_exercises_of_the_lessons_that_were_named(empty_handed, tmp_path, named):
    out = tmp_path / "grades.csv"
    assert main(["grade", str(empty_handed), "--out", str(out), "--lessons", named, "--workers", "1"]) == 0
    row = next(csv.DictReader(out.open()))
    of_these = [graded.name for graded in GRADED.values() if graded.lesson[:2] in ("06", "07")]
    assert list(row)[1:5] == of_these == ["revisions", "increment", "may-write", "may-take-over"]
    assert row["max_points"] == "15"


@pytest.mark.skipif(os.name != "posix", reason="answers are graded on Linux or macOS")
def test_grade_adds_single_exercises_to_those_of_a_lesson(empty_handed, tmp_path):
    out = tmp_path / "grades.csv"
    command = ["grade", str(empty_handed), "--out", str(out), "--lessons", "07", "--exercises", "has-quorum"]
    assert main([*command, "--workers", "1"]) == 0
    assert list(next(csv.DictReader(out.open())))[1:4] == ["has-quorum", "may-write", "may-take-over"]


def test_grade_knows_its_lessons(empty_handed, tmp_path, capsys):
    out = tmp_path / "grades.csv"
    assert main(["grade", str(empty_handed), "--out", str(out), "--lessons", "09"]) == 1
    assert "there is no lesson '09' with exercises" in capsys.readouterr().err
    assert not out.exists()
