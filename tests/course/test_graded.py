"""The register of exercises agrees with the notebooks, and each verdict says which layer of the check it comes from."""

import ast
import json
import sys
from pathlib import Path

import pytest

from raft_lab import RequestVoteReply
from raft_lab.course import APPEND_ENTRIES, INCREMENT, REQUEST_VOTE
from raft_lab.course.exercises import EXPLORATION, SITUATIONS, WALKS, Exercise
from raft_lab.course.graded import GRADED

sys.path.insert(0, str(Path(__file__).parent))
import answers
from handed_in import RIGHT

import lessons

LESSONS = Path(__file__).parents[2] / "lessons"


@pytest.mark.parametrize("graded", GRADED.values(), ids=GRADED)
def test_the_answer_is_asked_for_where_the_register_says(graded):
    notebook = json.loads((LESSONS / f"{graded.lesson}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["id"] == graded.cell]
    assert len(cells) == 1
    assert cells[0]["metadata"]["nbgrader"]["solution"]
    assert cells[0]["metadata"]["nbgrader"]["grade_id"] == graded.name
    body = ast.parse("".join(cells[0]["source"])).body
    names = [getattr(node, "name", "") for node in body]
    names += [target.id for node in body if isinstance(node, ast.Assign) for target in node.targets]
    assert graded.defines in names


def test_a_mistake_in_one_step_is_caught_by_the_small_situations():
    verdict = APPEND_ENTRIES.check(answers.CountsItsOwnTail)
    assert verdict.layer == SITUATIONS
    assert 0 < verdict.states < 100_000


def test_a_right_answer_is_caught_by_no_layer():
    verdict = REQUEST_VOTE.check(lessons.handed_in(GRADED["request-vote"], RIGHT["request-vote"]))
    assert verdict.passed
    assert verdict.layer == ""
    assert "random runs" in verdict.looked


def test_what_no_small_situation_shows_is_caught_by_the_exploration():
    blind = Exercise(REQUEST_VOTE.missing, (), REQUEST_VOTE.stages)

    class Generous(blind.base):
        def on_request_vote(self, m):
            self.voted_for = m.src
            self.send(RequestVoteReply(self.id, m.src, self.current_term, True))

    verdict = blind.check(Generous)
    assert verdict.layer == EXPLORATION
    assert "Election Safety" in verdict.summary
    assert verdict.states > 0


def test_what_only_happens_late_is_caught_by_random_walks_and_made_small():
    blind = Exercise(REQUEST_VOTE.missing, (), ())

    class GenerousLater(blind.base):
        def on_request_vote(self, m):
            right = self.voted_for in (None, m.src) and m.last_log_index >= self.log.last_index
            granted = m.term > 2 or (m.term == self.current_term and right)
            if granted:
                self.voted_for = m.src
            self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))

    verdict = blind.check(GenerousLater)
    assert verdict.layer == WALKS
    assert verdict.counterexample is not None
    assert verdict.counterexample.minimal


def test_another_seed_looks_at_other_runs_and_comes_to_the_same_verdict():
    for seed in (1, 2):
        assert INCREMENT.check(_increment, seed=seed).passed


def _increment(key):
    from raft_lab.kv import Put, Range, Txn, mod_revision

    while True:
        found = yield Range(key)
        count = int(found.kvs[0].value) if found.kvs else 0
        revision = found.kvs[0].mod_revision if found.kvs else 0
        done = yield Txn([mod_revision(key) == revision], [Put(key, str(count + 1))])
        if done.succeeded:
            return
