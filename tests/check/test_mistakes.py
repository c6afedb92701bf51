"""Mistakes that students and products have made are found, each with a run that is short enough to read."""

import inspect

import pytest

from bugs.catalogue import CATALOGUE
from check import broken
from raft_lab import INVARIANTS, HandlerError, Server
from raft_lab.check.invariants import broken_by
from raft_lab.check.walk import Walk

# --- Random walks find most of them without any stage; tests/bugs has stages, and the shortest runs ---------------

BY_WALKING = [
    (broken.VotesTwice, "Votes Stay"),
    (broken.ForgetsVoteWhenLed, "Votes Stay"),
    (broken.VoteNotDurable, "Votes Stay"),
    (broken.TermNotDurable, "Terms Only Grow"),
    (broken.CountsOldVotes, "Votes Are Real"),
    (broken.InventsVotes, "Votes Are Real"),
    (broken.HalfIsEnough, "Elected by a Majority"),
    (broken.AnyLogMayLead, "Leader Completeness"),
    (broken.LaterTermMayLead, "Leader Completeness"),
    (broken.TermGoesBack, "Terms Only Grow"),
    (broken.CrownsItself, "Role Moves"),
    (broken.SendsTheNextTerm, "Message Terms"),
    (broken.LabelsWithTheNextTerm, "Log Terms"),
    (broken.HeartbeatsAlwaysSucceed, "Progress Is True"),
    (broken.GapAccepted, "Progress Is True"),
    (broken.TermBeforeNotCompared, "Log Matching"),
    (broken.KeepsConflicts, "Progress Is True"),
    (broken.AlwaysTruncates, "Committed Stays"),
    (broken.SendsWhatItDoesNotHold, "Leader Owns Its Term"),
    (broken.LeaderTidiesUp, "Leader Append-Only"),
    (broken.MatchGoesBack, "Match Only Grows"),
    (broken.TakesAllAsStored, "Commit Rule"),
    (broken.CommitsAtOnce, "Commit Rule"),
    (broken.CommitsByCounting, "Commit Rule"),
    (broken.CommitGoesBack, "Committed Stays"),
    (broken.CommitsBeyondItsLog, "Index Order"),
    (broken.LogNotDurable, "Crash Keeps the Disk"),
    (broken.RemembersCommit, "Crash Keeps the Disk"),
    (broken.TellsWhoApplied, "State Is the Fold"),
    (broken.CommitsAtOnce, "A Quorum Has It"),
    (broken.CrownsItself, "Candidate's Term Is Unused"),
    (broken.StaysAfterRemoval, "Removed Leader Goes"),
    (broken.ChangesAtOnce, "Configurations Overlap"),
    (broken.ChangesTooSoon, "Own Commit Before Change"),
    (broken.ChangesTwice, "One Change at a Time"),
    (broken.ForgetsInSnapshots, "Snapshot Is the Prefix"),
    (broken.ReadsAtOnce, "Fresh Reads"),
    (broken.SaysDoneTheSecondTime, "Stored Reply"),
    (broken.AnswersAtOnce, "Stored Reply"),
    (broken.TermNotDurable, "Crash Keeps the Disk"),
]


def walked(engine: type[Server], wanted: str, walks: int = 120, actions: int = 200) -> str | None:
    """The first reason that random walks give why `wanted` is broken."""
    for seed in range(walks):
        walk = Walk(f"broken {seed}", server=engine)
        try:
            for before, action, done in walk.steps(actions):
                found = broken_by(before, action, done)
                if reasons := [v.reason for v in found if v.invariant == wanted]:
                    return reasons[0]
                if found:
                    break
        except HandlerError:
            continue
    return None


@pytest.mark.parametrize(("engine", "invariant"), BY_WALKING, ids=[f"{e.__name__}-{i}" for e, i in BY_WALKING])
def test_random_walks_find_the_mistake(engine, invariant):
    reason = walked(engine, invariant)
    assert reason
    assert reason[-1] == "."
    assert "None" not in reason


def test_every_mistake_is_in_a_table():
    engines = {
        e
        for _, e in inspect.getmembers(broken, inspect.isclass)
        if issubclass(e, Server) and e.__module__ == "check.broken"
    }
    assert engines - {row[0] for row in BY_WALKING} == {broken.RefusesInTheOldTerm}


def test_every_invariant_is_broken_by_some_mistake():
    by_hand = {"Lease", "Configuration in Use"}  # in test_invariants.py
    by_search = {bug.breaks for bug in CATALOGUE if bug.layer == "explore"}
    assert {i.name for i in INVARIANTS} == {row[1] for row in BY_WALKING} | by_search | by_hand


@pytest.mark.parametrize("engine", [broken.BareHeartbeats, broken.FromTheBeginning, broken.RefusesInTheOldTerm])
def test_another_way_of_doing_raft_is_no_mistake(engine):
    for seed in range(100):
        walk = Walk(f"harmless {seed}", server=engine)
        for before, action, done in walk.steps(200):
            assert not broken_by(before, action, done)
