"""The invariants: what each sees, and what none of them may hold against Raft."""

import ast
import inspect
from dataclasses import replace

import pytest

from check.broken import VotesTwice
from raft_lab import INVARIANTS, Cluster, Configuration, Log, Server
from raft_lab.check import invariants
from raft_lab.check.invariants import broken_by, broken_in
from raft_lab.check.walk import Walk
from raft_lab.sim import scenarios
from raft_lab.sim.actions import Restart
from raft_lab.sim.scenarios import Stage

NAMES = [i.name for i in INVARIANTS]


def settled(servers: int = 3, **options) -> Cluster:
    cluster = Cluster(servers, **options)
    cluster.timeout("S1")
    cluster.deliver_all()
    return cluster


def test_each_invariant_has_a_name_of_its_own_a_statement_and_a_place_in_the_paper():
    assert len(set(NAMES)) == len(NAMES)
    for invariant in INVARIANTS:
        assert invariant.scope in ("server", "history", "pair", "step", "whole")
        assert invariant.statement.endswith(".")
        assert "  " not in invariant.statement
        assert invariant.section.startswith(("§", "Figure", "dissertation"))


def test_the_five_of_figure_3_are_there():
    five = {"Election Safety", "Leader Append-Only", "Log Matching", "Leader Completeness", "State Machine Safety"}
    assert five <= set(NAMES)


def test_a_violation_stays_on_the_tape_with_its_reason():
    cluster = Cluster(3, server=VotesTwice)
    cluster.timeout("S1")
    cluster.timeout("S2")
    cluster.deliver("S1", "S3")
    step = cluster.deliver("S2", "S3")
    (where, violation), *_ = cluster.violations
    assert where is step
    assert str(violation) == "Votes Stay is broken: In term 1, S3 had voted for S1 and changed it to S2."
    cluster.back()
    assert cluster.violations == []


def test_a_world_that_raft_has_reached_is_in_order_as_a_whole():
    for seed in range(20):
        walk = Walk(f"as a whole {seed}")
        for _ in walk.steps(150):
            pass
        assert broken_in(walk.world) == []


def test_asking_only_what_changed_misses_nothing():
    """After each action `broken_by` looks at what it can have changed, and `broken_in` at everything."""
    for seed in range(40):
        walk = Walk(f"broken {seed}", server=VotesTwice)
        for before, action, done in walk.steps(200):
            local, everywhere = broken_by(before, action, done), broken_in(done.world)
            if everywhere:
                assert local, everywhere
                break


# --- What looks wrong and is right -------------------------------------------------------------------------------


def test_a_stale_leader_elected_late_need_not_hold_what_a_later_term_has_committed():
    """etcd's published LeaderCompletenessInv calls this a mistake: it looks at the term of the entry."""
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.deliver("S1", "S2")  # S2's vote for term 1 is on its way to S1
    cluster.timeout("S3")
    cluster.drop("S3", "S2")
    cluster.timeout("S3")
    cluster.deliver("S3", "S2")
    cluster.deliver("S2", "S3")  # S3 leads term 2
    cluster.deliver("S3", "S2", "AppendEntries")
    cluster.deliver("S2", "S3")  # and has committed its no-op
    assert cluster["S3"].commit_index == 1
    cluster.deliver("S2", "S1")  # only now does S1 win term 1
    assert cluster["S1"].is_leader
    assert cluster["S1"].current_term == 1
    assert cluster["S1"].log.entry(1) != cluster.world.ghosts.committed.entry(1)
    assert cluster.violations == []
    assert broken_in(cluster.world) == []


def test_a_stale_leader_need_not_hold_old_entries_that_a_later_term_has_committed():
    """The entry is of term 1, but it was committed in term 4: to the leader of term 3 it means nothing."""
    logs = {"S1": [(1, "a")], "S2": [(1, "a")], "S3": [(2, "b")]}
    cluster = Cluster(3, logs=logs)
    cluster.timeout("S3")
    cluster.deliver("S3", "S2")  # S2's vote for term 3 is on its way to S3
    cluster.drop("S3", "S1")
    assert cluster["S2"].voted_for == "S3"
    cluster.timeout("S1")
    cluster.timeout("S1")
    for message in [m for m in cluster.messages if m.src == "S1" and m.term == 3]:
        cluster.drop(message)
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")  # S1 leads term 4
    cluster.deliver("S1", "S2", "AppendEntries")
    cluster.deliver("S2", "S1")
    assert cluster.world.ghosts.committed.term(1) == 1
    cluster.deliver("S2", "S3")
    assert (cluster["S3"].is_leader, cluster["S3"].current_term) == (True, 3)
    assert cluster["S3"].log.entry(1).term == 2
    assert cluster.violations == []


def test_two_leaders_of_different_terms_may_both_believe_in_themselves():
    cluster = settled()
    cluster.partition({"S1"})
    cluster.timeout("S2")
    cluster.deliver("S2", "S3")
    cluster.deliver("S3", "S2")
    assert cluster["S1"].is_leader
    assert cluster["S2"].is_leader
    assert cluster.violations == []


def test_a_commit_index_begins_anew_after_a_crash():
    cluster = settled()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    assert cluster["S2"].commit_index == 1
    cluster.crash("S2")
    cluster.restart("S2")
    assert cluster["S2"].commit_index == 0
    cluster.heartbeat("S1")
    cluster.deliver_all()
    assert cluster["S2"].commit_index == 1
    assert cluster.violations == []


def test_a_server_may_have_voted_for_one_who_lacks_what_it_has_committed_since():
    """Commented out in etcd's specification: votedFor[i] = j does not mean that j has i's committed entries."""
    cluster = Cluster(5)
    cluster.timeout("S4")
    cluster.deliver("S4", "S5")
    cluster.timeout("S1")
    for name in ("S2", "S3"):
        cluster.deliver("S1", name)
        cluster.deliver(name, "S1")
    for name in ("S2", "S3"):
        cluster.deliver("S1", name, "AppendEntries")
        cluster.deliver(name, "S1")
    cluster.heartbeat("S1")
    cluster.deliver(next(m for m in cluster.messages if m.dst == "S5" and getattr(m, "leader_commit", 0) == 1))
    assert (cluster["S5"].voted_for, cluster["S5"].commit_index) == ("S4", 1)
    assert cluster["S4"].log.last_index == 0
    assert cluster.violations == []


def test_an_overwritten_entry_that_a_majority_once_stored():
    """Figure 8 (d): entry 2 of term 2 is on S1 and S2, and S3 overwrites it; it was never committed."""
    logs = {"S1": [(1, "a"), (2, "b")], "S2": [(1, "a"), (2, "b")], "S3": [(1, "a"), (3, "c")]}
    cluster = Cluster(3, logs=logs)
    cluster.timeout("S3")
    cluster.deliver_all()
    assert cluster.leader == "S3"
    assert [e.term for _, e in cluster["S1"].log] == [1, 3, 4]
    assert cluster.violations == []


def test_an_entry_of_a_higher_term_may_stand_where_an_older_one_is_committed():
    """True in Multi-Paxos and not in Raft: Figure 8 (e), where S5 keeps an entry of term 3 at a committed index."""
    cluster = scenarios.figure_8_committed()
    committed = cluster.world.ghosts.committed
    assert committed.last_index == 3
    assert (committed.term(2), cluster["S5"].log.term(2)) == (2, 3)
    assert cluster.violations == []
    assert broken_in(cluster.world) == []


def test_a_log_that_is_more_up_to_date_need_not_hold_what_another_server_has_committed():
    """etcd's published MoreUpToDateCorrectInv: S4 knows entry 2 of term 2 as committed, and S5's log ends in term 3."""
    cluster = scenarios.figure_8_committed()
    cluster.goto(next(step.id for step in cluster.history if step.action == Restart("S5")) - 1)
    stage = Stage(cluster).ask("S1", "S4", "AppendEntries")
    while cluster["S4"].log.last_index < 2:
        stage.ask("S1", "S4", "AppendEntries")
    s4, s5 = cluster["S4"], cluster["S5"]
    assert (s4.commit_index, s4.log.last_term) == (2, 2)
    assert (s5.log.last_term, s5.log.last_index) > (s4.log.last_term, s4.log.last_index)
    assert not s5.log.same_prefix(s4.log, 2)
    assert cluster.violations == []
    assert broken_in(cluster.world) == []


# --- What is easily overlooked -----------------------------------------------------------------------------------


def test_a_vote_counts_as_real_only_from_the_voters_disk_on():
    """S3 answers before its vote is on disk; nothing has gone wrong yet, but a crash would let it vote again."""
    cluster = Cluster(5, rules=["slow disk"], without=["disk before answer"])
    cluster.timeout("S1")
    cluster.write_disk("S1")
    cluster.deliver("S1", "S3")
    cluster.deliver("S3", "S1")
    assert [str(v) for _, v in cluster.violations] == [
        "Votes Are Real is broken: S1 counts a vote by S3 in term 1, but S3 does not have it on disk yet."
    ]


def test_a_joint_configuration_is_committed_by_both_halves_also_if_it_is_left_in_the_same_step():
    class NewHalfOnly(Server):
        def quorum_min(self, value):
            return Configuration(self.configuration.voters).quorum_min(value)

    cluster = settled(server=NewHalfOnly)
    cluster.reconfigure(learners={"S4", "S5"})
    cluster.deliver_all()
    assert cluster.violations == []
    cluster.reconfigure(voters={"S1", "S4", "S5"})
    cluster.deliver("S1", "S4")
    cluster.deliver("S4", "S1")
    assert not cluster["S1"].configuration.is_joint
    assert [str(v) for _, v in cluster.violations] == [
        "Commit Rule is broken: S1 committed entry 3, but only S1, S4 stored it: "
        "no quorum of {S1, S2, S3} and {S1, S4, S5}."
    ]


def test_who_leads_already_is_asked_too_when_an_older_leader_commits():
    """S2 leads term 2 without the entry that S1, still leading term 1, commits only now."""
    cluster = settled(without=["election restriction"])
    cluster.propose("set x 1")
    cluster.deliver("S1", "S3", "AppendEntries")
    cluster.timeout("S2")
    for message in [m for m in cluster.messages if (m.src, m.dst) == ("S2", "S1")]:
        cluster.drop(message)
    cluster.deliver("S2", "S3", "RequestVote")
    cluster.deliver("S3", "S2", "RequestVoteReply")
    assert cluster["S2"].is_leader
    assert cluster.violations == []
    cluster.deliver("S3", "S1", "AppendEntriesReply")
    (violation,) = [v for _, v in cluster.violations]
    assert violation.reason == "S2 leads term 2 without set x 1 (term 1), committed at index 2."


# --- Two that no mistake in a handler brings about ------------------------------------------------------------------


def test_a_lease_that_outlives_its_leadership_is_seen():
    """The others' clocks run and the leader's stands still: its lease proves nothing then."""
    cluster = settled(rules=["leader stickiness"])
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.partition({"S1"})
    cluster.silence("S3")
    cluster.timeout("S2")
    cluster.deliver("S2", "S3")
    cluster.deliver("S3", "S2")
    cluster.read("S1", how="lease")
    assert [v.invariant for _, v in cluster.violations] == ["Lease"]


def test_a_configuration_that_is_not_the_latest_in_the_log_is_seen():
    class Astray(Log):
        @property
        def configuration(self):
            return Configuration({"S9"})

    state = settled()["S1"]
    ask = next(i.ask for i in INVARIANTS if i.name == "Configuration in Use")
    assert ask(state) is None
    log = Astray(state.log.snapshot, [entry for _, entry in state.log])
    assert ask(replace(state, log=log)) == "S1 uses {S9} instead of {S1, S2, S3}."


# --- Each asks what it says --------------------------------------------------------------------------------------


@pytest.mark.parametrize("invariant", INVARIANTS, ids=NAMES)
def test_what_an_invariant_reports_is_a_sentence(invariant):
    tree = ast.parse(inspect.getsource(invariants))
    function = next(f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == invariant.ask.__name__)
    returned = [
        r.value
        for r in ast.walk(function)
        if isinstance(r, ast.Return) and isinstance(r.value, (ast.JoinedStr, ast.Constant, ast.IfExp))
    ]
    returned = [value.orelse if isinstance(value, ast.IfExp) else value for value in returned]
    sentences = [ast.unparse(value) for value in returned if ast.unparse(value) != "None"]
    assert sentences
    assert all(text.rstrip("'\"").endswith(".") for text in sentences)
