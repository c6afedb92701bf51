"""A student's notebooks, read as data: nothing in them is run here.

They are read as plain JSON. (`nbformat` mends what is wrong with a notebook, cell ids above all; and by its id an
answer's cell is found, in whatever file it stands and wherever it was moved to.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.files import Unreadable, read_whole

MOST_NOTEBOOKS = 60
"""More notebooks of one student are not read."""
MOST_CODE = 400_000
"""Characters of code in a notebook; a lesson has some ten thousand."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell.

    Attributes:
        names: its id, and the `grade_id` that nbgrader knows it by.
        source: the code.
    """

    names: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Notebook:
    """One file.

    Attributes:
        name: its path within the submission.
        cells: its code cells, in order.
        trouble: why it could not be read, or ''.
    """

    name: str
    cells: tuple[Cell, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one student handed in.

    Attributes:
        student: by what it is filed.
        notebooks: all of it, in the order of their names.
    """

    student: str
    notebooks: tuple[Notebook, ...]

    def digest(self) -> str:
        """A text that differs between different submissions. Outputs do not count."""
        parts = [[n.name, n.trouble, [[c.names, c.source] for c in n.cells]] for n in self.notebooks]
        return hashlib.sha256(json.dumps([self.student, parts]).encode()).hexdigest()

    def notebooks_with(self, cell: str, lesson: str, others: Collection[str]) -> list[Notebook]:
        """The notebooks in which the answer's cell stands; else the one of that lesson; else one of no lesson."""
        readable = [notebook for notebook in self.notebooks if not notebook.trouble]
        if holding := [n for n in readable if any(cell in one.names for one in n.cells)]:
            return holding
        named = [notebook for notebook in readable if lesson in Path(notebook.name).stem]
        strangers = [n for n in readable if not any(name in others for one in n.cells for name in one.names)]
        return [*named, *strangers][:1]


def submissions(folder: str | PathLike[str], lessons: Collection[str] = ()) -> list[Submission]:
    """Everything that was handed in, by student.

    Each folder in `folder` is one student's, with notebooks anywhere below it; each notebook that lies there itself is
    one student's too, and is called after them: alice.ipynb, or alice_01-leader-election.ipynb.

    Args:
        folder: where they are.
        lessons: names of notebooks, as they may follow a student's in a file's name.

    Raises:
        RaftLabError: there is no such folder, or nothing in it, or a notebook in it that is of no student.
    """
    root = Path(folder)
    if not root.is_dir():
        raise RaftLabError(f"{folder} is no folder: name the one that holds a folder, or a notebook, for each student")
    found: dict[str, list[tuple[str, Path]]] = {}
    for entry in sorted(root.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            inside = [(str(path.relative_to(entry)), path) for path in _notebooks(entry)]
            found.setdefault(entry.name, []).extend(inside)
        elif entry.suffix == ".ipynb":
            found.setdefault(_student(entry.stem, lessons), []).append((entry.name, entry))
    if not found:
        raise RaftLabError(f"nothing was handed in: there is neither a folder nor a notebook in {folder}")
    return [Submission(student, _read_all(files)) for student, files in sorted(found.items())]


def left_out(folder: str | PathLike[str]) -> list[str]:
    """What lies in a folder of submissions and is none, such as an archive that was not unpacked."""
    hidden = (".", "_")
    files = [entry for entry in sorted(Path(folder).iterdir()) if not entry.name.startswith(hidden)]
    return [entry.name for entry in files if not entry.is_dir() and entry.suffix != ".ipynb"]


def one(folder: str | PathLike[str], student: str) -> Submission:
    """What one student handed in.

    Raises:
        RaftLabError: there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise RaftLabError(f"{folder} is no folder: name the one that holds the student's notebooks")
    return Submission(student, _read_all([(str(path.relative_to(root)), path) for path in _notebooks(root)]))


def _student(stem: str, lessons: Collection[str]) -> str:
    for lesson in lessons:
        before, found, _ = stem.partition(lesson)
        if found and not before.strip("_- "):
            raise RaftLabError(
                f"{stem}.ipynb does not say whose it is: put each student's notebooks into a folder of their own, or "
                "call it alice_01-leader-election.ipynb; the folder of one student is graded with --student NAME"
            )
        if found:
            return before.strip("_- ")
    return stem


def _notebooks(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.ipynb")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _read_all(files: Sequence[tuple[str, Path]]) -> tuple[Notebook, ...]:
    read = [notebook(path, name) for name, path in sorted(files)[:MOST_NOTEBOOKS]]
    return tuple(read)


def notebook(path: Path, name: str = "") -> Notebook:
    """The code of a notebook, or why it cannot be had."""
    name = name or path.name
    try:
        return Notebook(name, tuple(_cells(json.loads(read_whole(path)))))
    except FileNotFoundError:
        return Notebook(name, trouble="the file is not there")
    except (Unreadable, _Wrong) as wrong:
        return Notebook(name, trouble=str(wrong))
    except json.JSONDecodeError as error:
        return Notebook(name, trouble=f"it is not whole JSON (line {error.lineno}); was the upload cut short?")
    except (ValueError, RecursionError):
        return Notebook(name, trouble="it is no notebook that Jupyter would have written")


class _Wrong(Exception):
    """What is wrong with a notebook."""


def _cells(content: Any) -> Iterator[Cell]:
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list):
        raise _Wrong("it holds no list of cells, so it is no notebook of format 4")
    size = 0
    for cell in cells:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        text = "".join(line for line in source if isinstance(line, str)) if isinstance(source, list) else source
        if not isinstance(text, str):
            raise _Wrong("the source of one of its cells is no text")
        size += len(text)
        if size > MOST_CODE:
            raise _Wrong(f"it holds more than {MOST_CODE:,} characters of code")
        yield Cell(tuple(_names(cell)), text)


def _names(cell: dict[str, Any]) -> Iterator[str]:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    inner = metadata.get("id") if isinstance(metadata, dict) else None  # where Colab keeps it
    yield from (name for name in (cell.get("id"), inner, grade_id) if isinstance(name, str) and name)
