"""What students print while they look for their mistake does not hide the verdict."""

import io
from contextlib import redirect_stdout

from raft_lab.course import REQUEST_VOTE
from raft_lab.course.printing import SHOWN, FirstLines


class Prints(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        print("asked by", m.src)


def test_a_check_shows_the_first_lines_of_what_a_handler_prints_and_says_that_there_were_more():
    printed = io.StringIO()
    with redirect_stdout(printed):
        REQUEST_VOTE.check(Prints)
        print("after it")
    lines = printed.getvalue().splitlines()
    assert len(lines) == SHOWN + 2
    assert lines[0].startswith("asked by S")
    assert lines[SHOWN:] == ["… and so on: a check calls what you wrote thousands of times.", "after it"]


def test_few_lines_are_all_shown_however_they_are_written():
    out = io.StringIO()
    print("one", 2, sep="\n", end="", file=FirstLines(out, shown=3))
    assert out.getvalue() == "one\n2"
