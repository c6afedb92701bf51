"""Lesson 08: a bug is well hidden if it does harm and nobody sees it on a good day; and a step can be found guilty."""

import random
from dataclasses import replace

import pytest

from raft_lab import Cluster, Server, explore
from raft_lab.course.breaking import FIND_THE_STEP, HIDE_A_BUG, SUSPECTS, departure
from raft_lab.sim import scenarios, stages

SCENES = [
    (SUSPECTS[0], scenarios.longer_but_older, {"term": 4}),
    (SUSPECTS[1], lambda server: stages.led(3, server), {"term": 1, "commands": 2}),
    (SUSPECTS[2], stages.figure_8_of_three, {"term": 5}),
]


class VotesTwice(Server):
    def may_vote_for(self, candidate):
        return True


class Deaf(Server):
    def on_append_entries(self, m):
        pass


class TruncatesAlways(Server):
    def conflicts(self, index, entry):
        return True


class Same(Server):
    pass


class NoHints(Server):
    def refuse_entries(self, m):
        self.acknowledge(m, False)


class CommitsLate(Server):
    def note_match(self, peer, match_index):
        known = self.role.progress[peer]
        match_index = max(known.match_index, match_index)
        self.note_progress(peer, replace(known, match_index=match_index, next_index=match_index + 1))


class Dices(Server):
    def may_vote_for(self, candidate):
        return random.random() < 0.9


def test_what_does_harm_and_is_not_seen_on_a_good_day_is_well_hidden():
    verdict = HIDE_A_BUG.check(VotesTwice)
    assert verdict.passed
    assert verdict.points == 5
    assert verdict.summary.startswith("Well hidden")
    assert verdict.counterexample.violation.invariant in verdict.summary
    assert verdict.difference.rule == "One vote a term, first come first served (§5.2)."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Deaf, "no leader is elected, or nothing is committed"),
        (TruncatesAlways, "Everybody sees that one: in fair weather, at step"),
        (NoHints, "does what Raft does, as far as was looked"),
        (CommitsLate, "no run that was tried shows that it does harm"),
        (Dices, "uses random in may_vote_for"),
        (Server, "Give check() your class"),
        ("Mine", "Give check() your class"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_hidden_bug_is_told_why(answer, said):
    verdict = HIDE_A_BUG.check(answer)
    assert not verdict.passed
    assert said in verdict.summary
    assert verdict.points == 0


@pytest.mark.parametrize(("suspect", "scene", "limits"), SCENES, ids=lambda value: getattr(value, "__name__", ""))
def test_in_a_run_of_each_suspect_there_is_a_step_to_be_found(suspect, scene, limits):
    cluster = explore(scene(suspect), **limits).counterexample.cluster()
    verdicts = []
    for step in cluster.history:
        cluster.goto(step)
        verdicts.append(FIND_THE_STEP.check(cluster))
    assert any(verdict.passed for verdict in verdicts)
    guilty = [verdict.passed for verdict in verdicts].index(True)
    assert "Nothing has happened yet" in verdicts[0].summary
    assert all("so is all before it" in verdict.summary for verdict in verdicts[1:guilty])
    assert all(verdict.passed or "look further back" in verdict.summary for verdict in verdicts[guilty:])
    assert verdicts[guilty].difference.rule


def test_no_step_of_raft_is_guilty():
    cluster = Cluster(5, seed=3)
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.crash(cluster.leader)
    cluster.run(600)
    assert [step.id for step in cluster.history if departure(step)] == []
