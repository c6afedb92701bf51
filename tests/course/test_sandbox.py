"""Answers that mean no good, or have gone wrong badly: each gets a report of its own, and harms nobody else."""

import itertools
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from raft_lab.check.situations import small
from raft_lab.course import confinement, sandbox, wire
from raft_lab.course.graded import GRADED
from raft_lab.course.marking import MOST_ANSWERS, NOT_THE_SAME, _Marking, grade_submission, mark_of
from raft_lab.course.sandbox import Nursery, Sandbox
from raft_lab.course.solutions import between, with_solution
from raft_lab.course.standin import for_class
from raft_lab.course.submission import Cell, Notebook, Submission

sys.path.insert(0, str(Path(__file__).parent))
from handed_in import RIGHT, SETUP, VOTE, submission
from wrong import WRONG

import lessons

pytestmark = pytest.mark.skipif(os.name != "posix", reason="answers are graded on Linux or macOS")


def mark(answer: str, name: str = "request-vote", silence_s: float = 20.0):
    """What an answer earns, with all that is said about it."""
    return grade_submission(submission(name, answer), [name], silence_s=silence_s).marks[0]


def doing(what: str):
    """What a right answer earns that does something else besides."""
    return mark(VOTE.format(what), silence_s=4.0)


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_of_each_kind_earn_their_points(name):
    earned = mark(RIGHT[name], name)
    assert earned.passed, earned
    assert earned.points == earned.max_points == 5
    assert earned.summary


def test_a_wrong_answer_comes_with_the_property_the_rule_and_the_run_that_shows_it():
    earned = mark(RIGHT["request-vote"].replace("self.voted_for in (None, m.src) and ", ""))
    assert not earned.passed
    assert earned.points == 0
    assert earned.property == "Election Safety"
    assert "One vote a term" in earned.rule
    assert earned.layer == "small situations"
    assert len(earned.steps) >= 4
    assert earned.run is not None


# --- What would keep a grader from going on ---------------------------------------------------------

ENDLESS = {
    "a loop": ("while True: pass", "runs on and on"),
    "a loop that catches everything": (
        "while True:\n            try: x = 1\n            except Exception: pass",
        "runs on",
    ),
    "a loop inside C": ("sum(iter(int, 1))", "It did not come to an end: nothing was heard of it for 4 s."),
    "sleep": ("__import__('time').sleep(1e6)", "It did not come to an end"),
    "recursion": ("self.on_request_vote(m)", "calls itself without an end"),
    "a list of 10 GB": ("x = [0] * 1_250_000_000", "MemoryError"),
    "a string of 10 GB": ("x = 'x' * 10_000_000_000", "MemoryError"),
    "os._exit": ("__import__('os')._exit(0)", "It ended the process in which it ran"),
    "sys.exit": ("raise SystemExit", "SystemExit"),
    "killing itself": ("__import__('os').abort()", "It crashed the interpreter."),
    "closing all files": ("__import__('os').closerange(0, 1000)", "or hung up on the grader"),
    "a crash of the interpreter": ("__import__('ctypes').string_at(0)", "It crashed the interpreter."),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "It ended the process in which it ran"),
}


@pytest.mark.parametrize(("what", "said"), ENDLESS.values(), ids=ENDLESS)
def test_what_would_stop_a_grader_stops_only_itself(what, said):
    earned = doing(what)
    assert earned.points == 0
    assert said in earned.summary + earned.found, earned


def test_whoever_comes_after_such_an_answer_has_their_grade():
    doing("__import__('os').abort()")
    assert mark(RIGHT["has-quorum"], "has-quorum").passed


# --- What it must not do -----------------------------------------------------------------------------

REFUSED = {
    "a fork bomb": ("while True: __import__('os').fork()", "an answer may not start processes"),
    "a thread": ("__import__('threading').Thread(target=print).start()", "start"),
    "a program": ("__import__('subprocess').run(['ls'])", "an answer may not"),
    "reading a file": ("open('/etc/passwd').read()", "uses open()"),
    "reading a file, disguised": ("__import__('io').open('/etc/passwd').read()", "an answer may not open files"),
    "writing a file": ("__import__('pathlib').Path('x').write_text('x')", "an answer may not open files"),
    "deleting files": ("__import__('shutil').rmtree('/tmp/nothing-there-12345')", ""),
    "the network": ("__import__('socket').create_connection(('127.0.0.1', 1))", "an answer may not use the network"),
    "a socket": ("__import__('socket').socket()", "an answer may not use the network"),
}


@pytest.mark.parametrize(("what", "said"), REFUSED.values(), ids=REFUSED)
def test_files_processes_and_the_network_are_refused(what, said):
    earned = doing(what)
    assert earned.points == 0
    assert said in earned.summary + earned.found, earned


BY_NUMBER = {
    "open": "syscall(2, b'/etc/passwd', 0)",
    "create": "syscall(2, b'/tmp/raft-lab-was-here', 0o101, 0o600)",
    "fork": "syscall(57)",
    "connect": "syscall(42, syscall(41, 2, 1, 0), bytes([2, 0, *(PORT).to_bytes(2, 'big'), 127, 0, 0, 1, *8*[0]]), 16)",
}
"""System calls by their numbers, which no audit hook sees."""


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="numbers of Linux on x86-64")
@pytest.mark.parametrize("call", BY_NUMBER.values(), ids=BY_NUMBER)
def test_the_kernel_refuses_what_gets_around_python(call):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        call = call.replace("PORT", str(listening.getsockname()[1]))
        answer = "import ctypes\nsyscall = ctypes.pythonapi.syscall\n" + VOTE.format(f"raise ValueError(({call},))")
        earned = mark(answer, silence_s=4.0)
    assert "ValueError: (-1,)" in earned.summary + earned.found, earned
    assert not Path("/tmp/raft-lab-was-here").exists()


ENDS_ANOTHER = """
import ctypes, os, sys
from raft_lab.course import confinement
if sys.argv[2] == "without Landlock":
    confinement._landlock = lambda _: 0
held = confinement.confine(os.dup(1))
sent = ctypes.pythonapi.kill(int(sys.argv[1]), 9)  # as no audit hook sees
os._exit(0 if sent == -1 and "signals" in held else 1)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in confinement._SIGNALLING, reason="numbers of Linux"
)
@pytest.mark.parametrize("kernel", ["whole", "without Landlock"])
def test_an_answer_ends_nobody_elses_process(kernel):
    """All answers may run as one user, which may be the grader's own."""
    nobody = confinement.NOBODY if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=nobody) as other:
        tries = subprocess.run([sys.executable, "-c", ENDS_ANOTHER, str(other.pid), kernel], timeout=60)
        ended = other.poll()
        other.kill()
    assert (tries.returncode, ended) == (0, None)


def test_what_is_printed_goes_nowhere():
    assert doing("print('x' * 100_000)").passed


# --- What it must not win by -------------------------------------------------------------------------

GRANTS = "self.send(RequestVoteReply(self.id, m.src, self.current_term, True)); self.voted_for = m.src; return"
IS_OPEN = """
def n_is(n):
    try:
        os.fstat(n)
        return True
    except OSError:
        return False
"""
CHEATS = {
    "the check patched": (
        "import raft_lab.course.exercises as e\n"
        "def good(self, answer, **_): return e.Verdict(True, 'fine', points=5.0)\n"
        "patched = [setattr(e.Exercise, 'check', good)]\n" + VOTE.format("patched; " + GRANTS)
    ),
    "the invariants taken away": (
        "import raft_lab.check.invariants as i\nemptied = i.INVARIANTS.clear()\n" + VOTE.format("emptied; " + GRANTS)
    ),
    "builtins patched": (
        "import builtins\nbuiltins.any = lambda *_: False\nbuiltins.isinstance = lambda *_: True\n"
        "taken = [setattr(builtins, 'any', lambda *_: False)]\n" + VOTE.format("taken; " + GRANTS)
    ),
    "assert taken out of all code": (
        "from IPython import get_ipython\nget_ipython().ast_transformers.append(None)\n" + VOTE.format(GRANTS)
    ),
    "an object that equals everything": (
        "class Any(int):\n    def __eq__(self, other): return True\n    def __ge__(self, other): return True\n"
        "    __hash__ = int.__hash__\n" + VOTE.format("self.current_term = Any(m.term); " + GRANTS)
    ),
    "a number that is no number": VOTE.format("self.current_term = float(m.term)"),
    "the answer borrowed from Raft": (
        "from raft_lab import Server\nclass Mine(REQUEST_VOTE.base):\n    def on_request_vote(self, m):\n"
        "        Server.on_request_vote(self, m)\n"
    ),
    "the answer inherited": "from raft_lab import Server\nclass Mine(Server): pass\n",
    "super": (
        "class Mine(REQUEST_VOTE.base):\n    def on_request_vote(self, m):\n        super().on_request_vote(m)\n"
    ),
    "garbage over the line": (
        "import os\n"
        + VOTE.format("[os.write(n, b'\\0\\0\\0\\x05hello') for n in range(3, 40) if n_is(n)]; " + GRANTS)
        + IS_OPEN
    ),
    "a flood over the line": (
        "import os\n"
        + VOTE.format("[os.write(n, b'\\xff' * 64) for n in range(3, 40) if n_is(n)]; " + GRANTS)
        + IS_OPEN
    ),
    "chance": "import random as r\n" + VOTE.format("if r.random() < 0.5: return"),
    "the order of a set": VOTE.format("if next(iter(set(self.configuration.voters))) == 'S1': return"),
    "a counter outside": "seen = []\n" + VOTE.format("seen.append(m)\n        if len(seen) % 50 == 49: return"),
}


@pytest.mark.parametrize("answer", CHEATS.values(), ids=CHEATS)
def test_nothing_is_won_by_a_trick(answer):
    earned = mark(answer, silence_s=10.0)
    assert earned.points == 0, earned
    assert not earned.passed
    assert len(earned.summary) > 20


def test_a_right_answer_with_fields_of_its_own_passes():
    answer = """
from collections import namedtuple
from dataclasses import dataclass

Given = namedtuple("Given", "term whom")

@dataclass(frozen=True)
class Ballot:
    given: tuple = ()

class Mine(REQUEST_VOTE.base):
    durable = {"ballot": Ballot()}
    volatile = {"asked": [], "by": {}}

    def on_request_vote(self, m):
        self.asked = [*self.asked[-2:], m.src]
        self.by[m.src] = {m.term}
        up_to_date = (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)
        granted = m.term == self.current_term and self.voted_for in (None, m.src) and up_to_date
        if granted:
            self.ballot = Ballot((Given(m.term, m.src),))
            assert self.ballot.given[0].whom == m.src
            self.voted_for = m.src
            self.reset_election_timer()
        self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))
"""
    earned = mark(answer)
    assert earned.passed, earned


# --- Notebooks that are not as they should be --------------------------------------------------------


def graded(cells):
    read = tuple(Cell((name,), source) for name, source in cells)
    return grade_submission(Submission("bob", (Notebook("x.ipynb", read),)), ["request-vote"]).marks[0]


ANSWER = RIGHT["request-vote"]


def test_a_renamed_class_is_told_by_its_name():
    earned = graded([("setup", SETUP["request-vote"]), ("l1-build-answer", ANSWER.replace("Mine", "MyServer"))])
    assert earned.summary == "The answer's cell defines MyServer, but what is asked for is called Mine."


def test_a_deleted_answer_is_told():
    assert "was the answer's cell deleted?" in graded([("setup", SETUP["request-vote"])]).summary


def test_a_deleted_setup_cell_costs_nothing():
    assert graded([("l1-build-answer", ANSWER)]).passed


WRONG_VOTE = ANSWER.replace("m.term == self.current_term and ", "").replace("and up_to_date", "")
WHERE = "l1-build-answer"


@pytest.mark.parametrize(
    "cells",
    [
        [(WHERE, ANSWER), (WHERE, WRONG_VOTE)],
        [(WHERE, WRONG_VOTE), ("my-own", ANSWER)],
        [(WHERE, WRONG_VOTE + "\nraise RuntimeError"), ("my-own", ANSWER), ("tried", WRONG_VOTE)],
        [(WHERE, f"Mine = 7\n{WRONG_VOTE}".replace("REQUEST_VOTE.base", "Mine")), ("my-own", ANSWER)],
    ],
    ids=["a copied cell", "the draft left as it was", "tries before and behind", "no class at all"],
)
def test_of_several_answers_the_best_counts_and_the_report_says_so(cells):
    earned = graded(cells)
    assert earned.passed
    assert "more than once; the best one counts" in earned.note


def test_where_the_own_cell_is_right_tries_elsewhere_cost_nothing():
    earned = graded([(WHERE, ANSWER), ("tried", WRONG_VOTE)])
    assert earned.passed
    assert earned.note == ""


def test_an_answer_is_not_graded_without_an_end_because_it_stands_there_very_often(monkeypatch):
    marks = []
    monkeypatch.setattr(_Marking, "mark", lambda self: marks.append(1) or mark_without_points(self))
    graded([(WHERE, WRONG_VOTE)] * 40)
    assert len(marks) == MOST_ANSWERS


def mark_without_points(marking):
    marking.answers = 10**9  # what an answer's process may say, whatever is true
    return marking.refused("It is wrong.")


def test_an_answer_in_another_cell_is_found():
    earned = graded([("my-own", ANSWER)])
    assert earned.passed
    assert "another cell" in earned.note


def test_helpers_in_other_cells_are_found_and_nothing_else_is_run():
    cells = [
        ("a", "%matplotlib inline\nimport pandas as pd\nraise RuntimeError('this cell must not be run')"),
        ("b", "LIMIT = 1\ndef is_up_to_date(log, m):\n    return newer(m) >= (log.last_term, log.last_index)"),
        ("c", "this is (no Python"),
        ("l1-build-answer", ANSWER.replace("(m.last_log_term, m.last_log_index) >= (self.log.last_term, "
                                           "self.log.last_index)", "is_up_to_date(self.log, m) if LIMIT else None")
         + "\nREQUEST_VOTE.check(Mine)\n1 / 0"),
        ("d", "def newer(m):\n    return m.last_log_term, m.last_log_index"),
    ]  # fmt: skip
    assert graded(cells).passed


@pytest.mark.parametrize("module", ["pandas", "my_helpers"])
def test_what_an_answer_may_import_is_told_to_whoever_imports_something_else(module):
    earned = graded([(WHERE, f"import {module}\n{ANSWER.replace('self.send', f'{module}; self.send')}")])
    assert f"an answer has raft_lab and the usual modules of the standard library, but not {module}" in earned.summary
    assert "(line 1" in earned.summary


def test_a_syntax_error_is_told_with_its_line():
    earned = graded([("l1-build-answer", ANSWER.replace("def on", "def on on"))])
    assert earned.summary.startswith("The answer's cell is no Python")
    assert "(line 3)" in earned.summary


def test_code_that_breaks_the_parser_is_told():
    earned = graded([("l1-build-answer", "Mine = " + "-" * 100_000 + "1")])
    assert earned.points == 0
    assert earned.summary


def test_a_starter_that_nobody_touched_earns_nothing():
    untouched = ANSWER.replace("        up_to_date", "        raise NotImplementedError()\n        up_to_date", 1)
    earned = graded([("l1-build-answer", untouched)])
    assert earned.points == 0
    assert "NotImplementedError" in earned.summary


def test_a_process_that_was_ended_from_outside_costs_nobody_their_points(monkeypatch):
    assert mark(RIGHT["has-quorum"], "has-quorum").passed
    for _, nursery in sandbox._idle:
        nursery.process.kill()
        nursery.process.wait()
    assert mark(RIGHT["has-quorum"], "has-quorum").passed

    ask, asked = Sandbox.ask, itertools.count(1)

    def ended_once(box, *request):
        if next(asked) == 5:
            box.nursery.process.kill()
            box.nursery.process.wait()
        return ask(box, *request)

    monkeypatch.setattr(Sandbox, "ask", ended_once)
    assert mark(RIGHT["has-quorum"], "has-quorum").passed


def test_no_process_is_left_behind():
    nursery = Nursery()
    line = nursery.begin()
    nursery.close()
    assert nursery.process.poll() is not None
    line.settimeout(10)
    assert line.recv(1) == b""
    assert isinstance(line, socket.socket)
    line.close()


# --- The same verdict as in a notebook ---------------------------------------------------------------

FUNCTIONS = [name for name, graded in GRADED.items() if not hasattr(graded.exercise, "base") and name != "hide-a-bug"]


def in_lesson(name, source):
    """The lesson as a student would hand it in, with `source` as the answer's cell."""
    told = GRADED[name]
    cells = tuple(
        Cell((cell.id,), source if cell.id == told.cell else cell.source)
        for cell in lessons._cells(told)
        if cell.cell_type == "code"
    )
    return grade_submission(Submission("bob", (Notebook("x.ipynb", cells),)), [name]).marks[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_solutions_that_are_functions_and_runs_earn_their_points_there_too(name):
    """Whatever they use is loaded: nothing can be loaded later."""
    earned = in_lesson(name, with_solution(name, lessons.source(GRADED[name])))
    assert earned.passed, earned


@pytest.mark.parametrize("name", ["up-to-date", "has-quorum", "persist", "leave-joint", "revisions", "increment"])
def test_the_mark_is_what_the_check_says_in_a_notebook(name):
    """To the last word, and with the same run: whether a class is here or in another process makes no difference."""
    told = GRADED[name]
    written = next(iter(WRONG[name].values()))
    verdict = told.exercise.check(lessons.handed_in(told, written))
    whole = any(line.startswith(("class ", f"def {told.defines}(")) for line in written.splitlines())
    source = written if whole else between(lessons.source(told), written)
    earned = in_lesson(name, source)
    assert replace(earned, notebook="", note="") == mark_of(told, verdict)


def test_a_sandbox_that_is_closed_remembers_nothing():
    """Classes are remembered here and there, by what they are asked; what is behind them must not be."""
    graded = GRADED["up-to-date"]
    cell = with_solution("up-to-date", lessons.source(graded))
    request = ("load", [((graded.cell,), cell)], graded.defines, (graded.cell,), (), "up-to-date", 0, True)
    with Sandbox() as box:
        answer = for_class(box.ask(*request), graded.exercise.base, box)
        answer.step(small("RequestVote")[0].state, small("RequestVote")[0].event)
        assert len(box.known) == 1
    assert not box.known


def test_what_was_not_done_since_all_took_too_long_is_not_compared_with_what_another_process_does():
    graded, handed_in = GRADED["request-vote"], submission("request-vote", RIGHT["request-vote"])
    marking = _Marking(graded, handed_in.notebooks[0], set(), 0, 20.0)
    situation = small("RequestVote")[0]
    asked = (((), ()), situation.state, situation.event, 0)
    with Sandbox() as box:
        box.known[asked] = f"{wire.TOO_LONG} it went through more than that"
        assert not marking._differs_elsewhere(box)
        box.known[asked] = "it failed"
        assert marking._differs_elsewhere(box) == NOT_THE_SAME


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1", "it gives 1, and not True or False."),
        ("yield True", "it gives <generator object agree>, and not True or False."),
        ("return world.nothing", "AttributeError: 'World' object has no attribute 'nothing' (line 2 of agree)"),
    ],
)
def test_an_invariant_that_fails_is_told_in_the_same_few_words_each_time(body, said):
    """Without where an object is in memory."""
    earned = in_lesson("invariant", f"def agree(world):\n    {body}\n")
    assert earned.points == 0
    assert earned.summary.startswith(f"Your invariant fails: {said[:40]}")
    assert " at 0x" not in earned.summary
