"""Submissions for tests: notebooks with an answer in the right cell, right and wrong and worse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from raft_lab.course.graded import GRADED
from raft_lab.course.submission import Cell, Notebook, Submission

VOTE = """
class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        {}
        up_to_date = (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)
        granted = m.term == self.current_term and self.voted_for in (None, m.src) and up_to_date
        if granted:
            self.voted_for = m.src
            self.reset_election_timer()
        self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))
"""
"""A right answer in which something else happens, too."""

RIGHT = {
    "request-vote": VOTE.replace("        {}\n", ""),
    "has-quorum": """
class Mine(HAS_QUORUM.base):
    def has_quorum(self, servers):
        halves = (self.configuration.voters, self.configuration.old)
        return all(len(half & set(servers)) > len(half) / 2 for half in halves if half)
""",
    "increment": """
def increment(key):
    while True:
        found = yield Range(key)
        count = int(found.kvs[0].value) if found.kvs else 0
        revision = found.kvs[0].mod_revision if found.kvs else 0
        done = yield Txn([mod_revision(key) == revision], [Put(key, str(count + 1))])
        if done.succeeded:
            return
""",
}
"""Right answers to three exercises, of three kinds."""

SETUP = {
    "request-vote": "from raft_lab import RequestVoteReply\nfrom raft_lab.course import REQUEST_VOTE",
    "has-quorum": "from raft_lab.course import HAS_QUORUM",
    "increment": "from raft_lab.course import INCREMENT\nfrom raft_lab.kv import Put, Range, Txn, mod_revision",
}


def cells(name: str, answer: str) -> list[dict[str, Any]]:
    """A lesson's notebook, as far as it matters: the cell that imports, and the answer's."""
    return [cell("setup", SETUP[name]), cell(GRADED[name].cell, answer)]


def cell(id: str, source: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": id, "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def notebook(cells: list[dict[str, Any]]) -> str:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def submission(name: str, answer: str, student: str = "alice") -> Submission:
    """What a student handed in for one exercise."""
    read = tuple(Cell((one["id"],), one["source"]) for one in cells(name, answer))
    return Submission(student, (Notebook(f"{GRADED[name].lesson}.ipynb", read),))


def hand_in(folder: Path, student: str, answers: dict[str, str]) -> None:
    """Write a student's notebooks."""
    (folder / student).mkdir(parents=True, exist_ok=True)
    for name, answer in answers.items():
        path = folder / student / f"{GRADED[name].lesson}.ipynb"
        path.write_text(notebook(cells(name, answer)), encoding="utf-8")
