"""Mistakes that students and products have made are found, each with a run that is short enough to read."""

import inspect

import pytest

from check import broken
from raft_lab import INVARIANTS, Cluster, HandlerError, Server, explore
from raft_lab.check.invariants import broken_by
from raft_lab.check.walk import Walk

# --- Situations to start from -----------------------------------------------------------------------------------


def fresh(servers=3):
    return lambda engine: Cluster(servers, server=engine)


def with_logs(**logs):
    return lambda engine: Cluster(3, server=engine, logs=logs)


def just_elected(engine):
    """S1 leads by S2's vote; its no-op is on the way."""
    cluster = Cluster(3, server=engine)
    cluster.timeout("S1")
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")
    return cluster


def settled(engine):
    """S1 leads, and everyone has its no-op."""
    cluster = Cluster(3, server=engine)
    cluster.timeout("S1")
    cluster.deliver_all()
    return cluster


def one_behind(engine):
    """S1 and S2 have committed a command that never reached S3."""
    cluster = settled(engine)
    cluster.propose("set x 1")
    cluster.drop("S1", "S3")
    cluster.deliver_all()
    return cluster


def one_long_and_old(engine):
    """S1 has a long log of old; S2 and S3 have committed one entry of a later term."""
    logs = {"S1": [(1, "a"), (1, "b"), (1, "c")], "S2": [(2, "d")]}
    cluster = Cluster(3, server=engine, logs=logs)
    cluster.timeout("S2")
    cluster.cut("S2", "S1")
    cluster.deliver_all()
    for message in [m for m in cluster.messages if m.dst == "S1"]:
        cluster.drop(message)
    return cluster


def two_votes_on_their_way(engine):
    """S1 and S2 are candidates of one term among five; each is about to hear of one vote."""
    cluster = Cluster(5, server=engine)
    cluster.timeout("S1")
    cluster.timeout("S2")
    cluster.deliver("S1", "S3")
    cluster.deliver("S2", "S4")
    for src, dst in [("S1", "S2"), ("S1", "S4"), ("S1", "S5"), ("S2", "S1"), ("S2", "S3"), ("S2", "S5")]:
        cluster.drop(src, dst)
    return cluster


def an_old_append_on_its_way(engine):
    """S2 leads term 2; an append that S1 sent as leader of term 1 has not arrived at S3 yet."""
    cluster = settled(engine)
    cluster.propose("set x 1")
    cluster.drop("S1", "S2")
    cluster.timeout("S2")
    cluster.drop("S2", "S1")
    cluster.deliver("S2", "S3")
    cluster.deliver("S3", "S2")
    return cluster


def figure_8(engine):
    """Figure 8 (b) and (c): S1 leads term 4 and is about to send S2 its entry of term 2; S3 has one of term 3."""
    logs = {"S1": [(1, "a"), (2, "b")], "S2": [(1, "a")], "S3": [(1, "a"), (3, "c")]}
    cluster = Cluster(3, server=engine, logs=logs)
    cluster.timeout("S1")
    cluster.drop("S1", "S3")
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")
    cluster.drop("S1", "S3")
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")
    return cluster


DIVERGED = {"S1": [(1, "a"), (2, "b"), (2, "c")], "S2": [(1, "a"), (3, "d")], "S3": [(1, "a"), (3, "d")]}

FOUND = [
    # engine, where to start, bounds | what breaks, after how many actions
    (broken.VotesTwice, fresh(), {"term": 1}, "Votes Stay", 3),
    (broken.VotesTwice, fresh(), {"term": 1}, "Election Safety", 6),
    (broken.ForgetsVoteWhenLed, with_logs(S1=[(1, "a")]), {"term": 2}, "Election Safety", 7),
    (broken.VoteNotDurable, fresh(), {"term": 1, "crashes": 1}, "Election Safety", 8),
    (broken.VoteNotDurable, fresh(), {"term": 1, "crashes": 1}, "One Vote", 5),
    (broken.TermNotDurable, fresh(), {"term": 1, "crashes": 1}, "Election Safety", 8),
    (broken.CountsOldVotes, fresh(), {"term": 2}, "Election Safety", 7),
    (broken.CountsVotesByNumber, two_votes_on_their_way, {"term": 1, "duplicates": 2}, "Election Safety", 6),
    (broken.CountsVotesByNumber, two_votes_on_their_way, {"term": 1, "duplicates": 2}, "Elected by a Majority", 3),
    (broken.HalfIsEnough, fresh(4), {"term": 1, "messages": 12}, "Election Safety", 6),
    (broken.AnyLogMayLead, one_behind, {"term": 2}, "Leader Completeness", 3),
    (broken.LaterTermMayLead, one_behind, {"term": 2}, "Leader Completeness", 3),
    (broken.LongerLogMayLead, one_long_and_old, {"term": 4}, "Leader Completeness", 4),
    (broken.TermGoesBack, fresh(), {"term": 2}, "Terms Only Grow", 4),
    (broken.TermGoesBack, fresh(), {"term": 2}, "Election Safety", 7),
    (broken.HeartbeatsAlwaysSucceed, just_elected, {"term": 1, "heartbeats": 1}, "Commit Rule", 3),
    (broken.TermBeforeNotCompared, with_logs(S1=[(1, "a")], S2=[(2, "b")]), {"term": 3}, "Log Matching", 4),
    (broken.GapAccepted, with_logs(S1=[(1, "a"), (1, "b")]), {"term": 2}, "Progress Is True", 5),
    (broken.AlwaysTruncates, settled, {"term": 1, "commands": 2, "messages": 12}, "Commit Rule", 5),
    (broken.KeepsConflicts, with_logs(S1=[(1, "a")], S2=[(2, "b")]), {"term": 3}, "Log Matching", 6),
    (broken.CommitsItsWholeLog, with_logs(**DIVERGED), {"term": 4}, "State Machine Safety", 8),
    (broken.ObeysOldLeaders, an_old_append_on_its_way, {"term": 2}, "Commit Rule", 3),
    (broken.CommitGoesBack, settled, {"term": 1, "commands": 1, "heartbeats": 1}, "Committed Stays", 6),
    (broken.TakesAllAsStored, settled, {"term": 1, "commands": 1, "heartbeats": 1}, "Progress Is True", 4),
    (broken.CommitsByCounting, figure_8, {"term": 5}, "Commit Rule", 2),
    (broken.CommitsByCounting, figure_8, {"term": 5}, "Leader Completeness", 6),
    (broken.LogNotDurable, just_elected, {"term": 2, "crashes": 1}, "Leader Completeness", 7),
    (broken.MatchGoesBack, just_elected, {"term": 1, "commands": 1, "heartbeats": 1}, "Match Only Grows", 5),
]


@pytest.mark.parametrize(
    ("engine", "stage", "limits", "invariant", "length"), FOUND, ids=[f"{f[0].__name__}-{f[3]}" for f in FOUND]
)
def test_exploring_finds_the_shortest_run_that_shows_the_mistake(engine, stage, limits, invariant, length):
    report = explore(stage(engine), invariants={invariant}, **limits)
    assert report.counterexample is not None, report
    assert report.counterexample.violation.invariant == invariant
    assert len(report.counterexample.actions) == length
    assert str(report.counterexample).startswith(f"{invariant} is broken: ")


@pytest.mark.parametrize(
    ("engine", "stage", "limits", "invariant", "length"), FOUND, ids=[f"{f[0].__name__}-{f[3]}" for f in FOUND]
)
def test_the_same_places_hold_nothing_against_raft(engine, stage, limits, invariant, length):
    control = {
        broken.HeartbeatsAlwaysSucceed: broken.BareHeartbeats,
        broken.CommitsItsWholeLog: broken.FromTheBeginning,
        broken.CommitsByCounting: type("OneByOne", (Server,), {"max_entries_per_message": 1}),
    }.get(engine, Server)
    report = explore(stage(control), depth=length + 1, states=4000, **limits)
    assert report.counterexample is None, report
    assert not report.failure


# --- Random walks find most of them too, without any stage -------------------------------------------------------

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
    harmless = {broken.BareHeartbeats, broken.FromTheBeginning, broken.RefusesInTheOldTerm}
    assert engines - harmless == {row[0] for row in [*BY_WALKING, *FOUND]}


def test_every_invariant_is_broken_by_some_mistake():
    by_hand = {"Lease", "Configuration in Use"}  # in test_invariants.py
    assert {i.name for i in INVARIANTS} == {row[1] for row in BY_WALKING} | {row[3] for row in FOUND} | by_hand


@pytest.mark.parametrize("engine", [broken.BareHeartbeats, broken.FromTheBeginning, broken.RefusesInTheOldTerm])
def test_another_way_of_doing_raft_is_no_mistake(engine):
    for seed in range(100):
        walk = Walk(f"harmless {seed}", server=engine)
        for before, action, done in walk.steps(200):
            assert not broken_by(before, action, done)


# --- Mistakes that only cost progress -----------------------------------------------------------------------------


class IgnoresHigherTermsInReplies(Server):
    """11: a stale leader or candidate that hears of a higher term stays what it is."""

    def observe_term(self, m):
        if isinstance(m, (broken.RequestVote, broken.AppendEntries)):
            super().observe_term(m)


class NeverTriesAgain(Server):
    """14: a candidate whose election came to nothing does not start another."""

    def on_election_timeout(self):
        if not isinstance(self.role, broken.Candidate):
            super().on_election_timeout()


class ShorterLogMayLead(Server):
    """9: the comparison is the wrong way round."""

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return (last_log_term, last_log_index) < (self.log.last_term, self.log.last_index)


def stays_stuck(cluster: Cluster) -> bool:
    cluster.step(1500)
    return cluster.leader is None


def test_a_candidate_that_never_tries_again_leaves_the_cluster_without_a_leader():
    def split(engine):
        cluster = Cluster(4, server=engine, seed=1)
        cluster.timeout("S1")
        cluster.timeout("S2")
        cluster.timeout("S3")
        cluster.timeout("S4")
        return cluster

    assert stays_stuck(split(NeverTriesAgain))
    assert not stays_stuck(split(Server))


def test_a_comparison_the_wrong_way_round_elects_no_one():
    assert stays_stuck(Cluster(3, server=ShorterLogMayLead, seed=1))


def test_a_stale_leader_that_ignores_higher_terms_in_replies_goes_on_as_if_nothing_were():
    def deposed(engine):
        cluster = settled(engine)
        cluster.timeout("S2")
        cluster.drop("S2", "S1")
        cluster.deliver("S2", "S3")
        cluster.heartbeat("S1")
        cluster.deliver("S1", "S3")
        cluster.deliver("S3", "S1")
        return cluster["S1"].is_leader

    assert deposed(IgnoresHigherTermsInReplies)
    assert not deposed(Server)
