"""The console command `raft-lab`: one small function for each of its commands; what they do lives in the rooms."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from raft_lab import MODELS, Cluster, History, RaftLabError, __version__, check_linearizable
from raft_lab.check import fuzz_command as fuzzing
from raft_lab.check.linearizability import BUDGET
from raft_lab.serve import command as serving
from raft_lab.sim.files import write_whole

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_PACKAGE = Path(__file__).resolve().parent
_NOT_LESSONS = {"__pycache__", ".ipynb_checkpoints"}


class _Trouble(Exception):
    """What the person at the terminal should know, in one line."""


def checkout_lessons() -> Path | None:
    """The lessons folder beside the package, when this is a checkout of the repository."""
    root = _PACKAGE.parent
    return root / "lessons" if (root / "lessons").is_dir() and (root / "pyproject.toml").is_file() else None


def copy_lessons(source: Path, dest: Path) -> list[Path]:
    """Copy the lessons to `dest`, and answer with the files that were there already and are kept as they are."""
    kept = []
    for file in sorted(source.rglob("*")):
        inside = file.relative_to(source)
        if not file.is_file() or _NOT_LESSONS.intersection(inside.parts):
            continue
        target = dest / inside
        if target.exists():
            kept.append(inside)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return kept


def jupyterlab_command(folder: Path, options: argparse.Namespace, more: Sequence[str]) -> list[str]:
    """The command line that opens JupyterLab, run by this same Python, on `folder`."""
    command = [sys.executable, "-m", "jupyterlab", str(folder)]
    if options.no_browser:
        command.append("--no-browser")
    if options.port is not None:
        command.append(f"--port={options.port}")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in more:
        _say("You are root, as in many containers, so JupyterLab is started with --allow-root.")
        command.append("--allow-root")
    return [*command, *more]


def _lessons_at(dest: Path | None) -> Path:
    """Where the lessons are, or are now."""
    checkout = checkout_lessons()
    if checkout and dest is None:
        return checkout
    source, dest = checkout or _PACKAGE / "_lessons", dest or Path("lessons")
    if not source.is_dir():
        raise _Trouble("this installation holds no lessons; install raft_lab again")
    if dest.exists() and not dest.is_dir():
        raise _Trouble(f"{dest} is a file; name a folder for the lessons")
    kept = copy_lessons(source, dest)
    _say(f"The lessons are in {dest.resolve()}.")
    if kept:
        _say(f"Kept as they were: {', '.join(map(str, kept))}.")
    return dest


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _become(command: list[str]) -> int:
    """Turn into JupyterLab, so that Ctrl-C and signals are its own; where that is not possible, wait for it."""
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606  our own interpreter
    return subprocess.call(command)  # noqa: S603  our own interpreter


# --- The commands: each one says what it takes and what it does ----------------------------------------------------


def _lessons(options: argparse.Namespace) -> int:
    """`raft-lab lessons`."""
    if find_spec("jupyterlab") is None:
        raise _Trouble("JupyterLab is not installed here; get it with: python -m pip install jupyterlab")
    return _become(jupyterlab_command(_lessons_at(options.dest), options, options.more))


def _add_lessons(commands: _Commands) -> None:
    parser = commands.add_parser(
        "lessons", help="open the lessons in JupyterLab", epilog="What follows -- is handed to JupyterLab as it is."
    )
    parser.add_argument("dest", nargs="?", type=Path, metavar="DEST", help="copy them here first (default: ./lessons)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    parser.add_argument("--port", type=int, metavar="N", help="the port that JupyterLab listens on")
    parser.set_defaults(run=_lessons, hands_on=True)


def _check_history(options: argparse.Namespace) -> int:
    """`raft-lab check-history`: 0 if it is linearizable, 1 if it is not, 3 if that was not found out."""
    if options.budget < 1:
        raise _Trouble("--budget is a number of steps, at least 1")
    history = History.load(options.file)
    model = MODELS[options.model]() if options.model else None
    verdict = check_linearizable(history, model, budget=options.budget)
    _say(f"{history}\n{verdict}")
    if options.picture:
        from raft_lab.view.history import page

        _say(f"The picture is in {write_whole(options.picture, page(history, verdict))}.")
    return {True: 0, False: 1, None: 3}[verdict.linearizable]


def _add_check_history(commands: _Commands) -> None:
    parser = commands.add_parser(
        "check-history",
        help="is there an order that explains what clients were told?",
        epilog="FILE is a history of Jepsen's (EDN), Porcupine's Operations as lines of JSON, or a saved History.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--model", choices=sorted(MODELS), help="what the object does (default: found by the operations)"
    )
    parser.add_argument("--budget", type=int, default=BUDGET, metavar="N", help=f"steps of the search ({BUDGET:,})")
    parser.add_argument("--picture", type=Path, metavar="PAGE.html", help="draw it, too")
    parser.set_defaults(run=_check_history)


def _export(options: argparse.Namespace) -> int:
    """`raft-lab export`."""
    from raft_lab.view import page

    cluster = Cluster.load(options.file)
    _say(f"The page is {page.save(options.output or options.file.with_suffix('.html'), cluster, title=options.title)}.")
    return 0


def _add_export(commands: _Commands) -> None:
    parser = commands.add_parser(
        "export",
        help="make a web page of a saved run, which plays offline",
        epilog="FILE is a run saved by cluster.save(FILE). One that used handlers of your own is exported where they "
        "are: Cluster.load(FILE, Mine).lab().save_html(PAGE).",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PAGE.html", help="where to write it (default: beside FILE)"
    )
    parser.add_argument("--title", default="", help="a line above the picture")
    parser.set_defaults(run=_export)


def _fuzz(options: argparse.Namespace) -> int:
    """`raft-lab fuzz`: 0 if nothing went wrong, 1 if something did."""
    wrong, told = fuzzing.run(options)
    _say(told)
    return int(wrong)


def _add_fuzz(commands: _Commands) -> None:
    parser = commands.add_parser(
        "fuzz",
        help="random runs with many faults: does anything break, does it go on?",
        epilog="Each finding comes with the command that does its run again. Exit code 1: something went wrong.",
    )
    fuzzing.add_arguments(parser)
    parser.set_defaults(run=_fuzz)


def _add_serve(commands: _Commands) -> None:
    parser = commands.add_parser("serve", help="a cluster that etcd's or Kubernetes' own clients can reach")
    serving.add_arguments(parser)
    parser.set_defaults(run=serving.run)


def _grade(options: argparse.Namespace) -> int:
    """`raft-lab grade`."""
    from raft_lab.course import grade_command as grading

    _say(grading.run(options))
    return 0


_GRADE = """\
Grade what students handed in: a folder, or a notebook, for each of them.

Each answer runs in a process of its own, which is asked for one step at a time; the checks run outside of it, so that
nothing in a notebook reaches them. No other cell of a notebook is run. On Linux the kernel keeps that process from
files, the network and other processes, and ends it when it takes too much memory or time; on macOS some of that is
missing, and the command says so. Do not grade as root on a machine that matters, all the same: a sandbox of any kind is
one mistake of the kernel away from being none.

What is done is kept at once. Stop the command in any way you like; started again, it goes on from there, and grades
again only what was handed in anew. A grade depends on nothing but the answer, the seed and the version of raft_lab."""
_GRADE_EXAMPLES = """\
examples:
  raft-lab grade submissions/ --out grades.csv
  raft-lab grade submissions/ --out grades.csv --reports reports/ --seed 20260901
  raft-lab grade submissions/ --out grades.csv --exercises request-vote,append-entries --workers 8
  raft-lab grade submissions/ --out grades.csv --dask tcp://scheduler:8786
  raft-lab grade /autograder/submission --student me --lessons 01 --seed 20260901 --gradescope /autograder/results"""


def _add_grade(commands: _Commands) -> None:
    parser = commands.add_parser(
        "grade",
        help="grade what students handed in",
        description=_GRADE,
        epilog=_GRADE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="SUBMISSIONS")
    parser.add_argument("--out", type=Path, metavar="GRADES.csv", help="points, a line for each student")
    parser.add_argument("--reports", type=Path, metavar="FOLDER", help="a web page for each student, and for the class")
    parser.add_argument("--failures", type=Path, metavar="TABLE.csv", help="who failed which property")
    parser.add_argument("--gradescope", type=Path, metavar="FOLDER", help="Gradescope's results.json for each student")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where results are kept (beside what is written)")
    parser.add_argument("--exercises", metavar="A,B", help="which ones, by name (default: all)")
    parser.add_argument(
        "--lessons", type=_lesson_numbers, metavar="01,04", help="those of these lessons (default: all)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="chooses the random runs; keep it to yourself")
    parser.add_argument("--student", metavar="NAME", help="SUBMISSIONS is the folder of this one student")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that grade (one for each core)")
    parser.add_argument("--dask", metavar="ADDRESS", help="grade on the Dask cluster at this address instead")
    parser.set_defaults(run=_grade)


def _assign(options: argparse.Namespace) -> int:
    """`raft-lab assign`."""
    from raft_lab.course.assign import assign

    lessons = checkout_lessons() or _PACKAGE / "_lessons"
    made = assign(lessons, options.out, options.lessons, options.seed)
    count = sum(path.parent.name != "students" for path in made)
    chosen = f" --lessons {','.join(options.lessons)}" if options.lessons else ""
    seed = f" --seed {options.seed}" if options.seed else ""
    _say(
        f"{count} lesson{'s' if count > 1 else ''} with exercises: students' copies in {options.out / 'students'}, "
        f"nbgrader's in {options.out}.\nTo grade what comes back: raft-lab grade SUBMISSIONS --out grades.csv "
        f"--reports reports/{chosen}{seed}"
    )
    return 0


def _lesson_numbers(text: str) -> list[str]:
    """Numbers with commas between them; 1 is 01."""
    return [
        part.strip().zfill(2) if part.strip().isdigit() else part.strip() for part in text.split(",") if part.strip()
    ]


def _add_assign(commands: _Commands) -> None:
    parser = commands.add_parser(
        "assign",
        help="make assignments of the lessons: students' copies, and sources for nbgrader",
        epilog="The sources hold solutions: give out OUT/students, or what nbgrader makes, and keep OUT to yourself.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder; nbgrader's course directory, if it is used")
    parser.add_argument(
        "--lessons", type=_lesson_numbers, default=[], metavar="01,04", help="which ones (default: all)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="what graded checks draw by; students do not see it"
    )
    parser.set_defaults(run=_assign)


_COMMANDS = (
    _add_lessons,
    _add_serve,
    _add_fuzz,
    _add_check_history,
    _add_export,
    _add_assign,
    _add_grade,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="raft-lab", description="Learn Raft by holding it in your hands.")
    parser.add_argument("--version", action="version", version=f"raft-lab {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for add in _COMMANDS:
        add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; answers with its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    end = words.index("--") if "--" in words else len(words)
    parser = _parser()
    options = parser.parse_args(words[:end])
    options.more = words[end + 1 :]
    if options.more and not getattr(options, "hands_on", False):
        parser.error(f"raft-lab {options.command} takes nothing after --")
    try:
        return int(options.run(options))
    except KeyboardInterrupt as stopped:  # a command may have put into it how to go on
        sys.stderr.write(f"raft-lab: interrupted{stopped}\n")
        return 130
    except (_Trouble, RaftLabError) as error:
        sys.stderr.write(f"raft-lab: {error}\n")
        return 1
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        sys.stderr.write(f"raft-lab: {told}\n")
        return 1
