"""What was handed in is read as data, whatever it is."""

import json
import sys
from pathlib import Path

import pytest

from raft_lab import RaftLabError
from raft_lab.course.submission import notebook, submissions

sys.path.insert(0, str(Path(__file__).parent))
import handed_in

LESSONS = ["01-leader-election", "02-log-replication"]
EMPTY = handed_in.notebook([])


def test_each_folder_is_a_student(tmp_path):
    handed_in.hand_in(tmp_path, "alice", {"request-vote": "x = 1"})
    handed_in.hand_in(tmp_path, "bob", {"request-vote": "x = 2", "has-quorum": "x = 3"})
    alice, bob = submissions(tmp_path)
    assert (alice.student, bob.student) == ("alice", "bob")
    assert [n.name for n in bob.notebooks] == ["01-leader-election.ipynb", "04-membership-changes.ipynb"]
    assert alice.notebooks[0].cells[1].source == "x = 1"
    assert alice.digest() != bob.digest()


def test_folders_within_a_students_folder_are_theirs_as_nbgrader_has_it(tmp_path):
    handed_in.hand_in(tmp_path, "alice/lesson-1", {"request-vote": "x = 1"})
    (alice,) = submissions(tmp_path)
    assert alice.student == "alice"
    assert alice.notebooks[0].name == "lesson-1/01-leader-election.ipynb"


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("alice.ipynb", "alice"),
        ("alice_01-leader-election.ipynb", "alice"),
        ("smithjohn_4711_0815_01-leader-election (1).ipynb", "smithjohn_4711_0815"),
    ],
)
def test_a_notebook_that_lies_there_alone_is_a_student_too(tmp_path, name, student):
    (tmp_path / name).write_text(EMPTY)
    assert [one.student for one in submissions(tmp_path, LESSONS)] == [student]


def test_outputs_make_no_difference(tmp_path):
    cells = handed_in.cells("request-vote", "x = 1")
    (tmp_path / "a.ipynb").write_text(handed_in.notebook(cells))
    (before,) = submissions(tmp_path)
    cells[0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "much"}]
    (tmp_path / "a.ipynb").write_text(handed_in.notebook(cells))
    (after,) = submissions(tmp_path)
    assert before.digest() == after.digest()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not whole JSON"),
        (EMPTY[:-20], "was the upload cut short?"),
        ("[1, 2]", "no list of cells"),
        ('{"worksheets": []}', "no list of cells"),
        ('{"cells": 3}', "no list of cells"),
        ('{"cells": [{"cell_type": "code", "source": 7}]}', "the source of one of its cells is no text"),
        ("[" * 100_000, "no notebook that Jupyter would have written"),
        (b"\xff\xfe\x00", "it is not text in UTF-8"),
        ("9" * 10_000, "no notebook that Jupyter would have written"),
    ],
    ids=["empty", "cut", "list", "old", "cells", "source", "nested", "binary", "number"],
)
def test_what_is_no_notebook_is_told(tmp_path, text, why):
    path = tmp_path / "x.ipynb"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    read = notebook(path)
    assert why in read.trouble
    assert read.cells == ()


def test_a_notebook_of_200_mb_is_not_even_read(tmp_path):
    path = tmp_path / "x.ipynb"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    assert notebook(path).trouble == "it is larger than 64 MiB"


def test_a_flood_of_code_is_refused(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text(handed_in.notebook([handed_in.cell("a", "x = 1\n" * 100_000)]))
    assert "more than 400,000 characters of code" in notebook(path).trouble


def test_a_source_in_lines_is_put_together(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "id": "a", "source": ["x = 1\n", "y = 2"]}]}))
    assert notebook(path).cells[0].source == "x = 1\ny = 2"


def test_a_folder_that_is_not_there_or_empty_is_told(tmp_path):
    with pytest.raises(RaftLabError, match="is no folder"):
        submissions(tmp_path / "nowhere")
    with pytest.raises(RaftLabError, match="nothing was handed in"):
        submissions(tmp_path)
