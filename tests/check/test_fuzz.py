"""Random runs with many faults: the same everywhere, able to find what is wrong, and honest about what they saw."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from check.broken import AnswersAtOnce, VotesTwice
from raft_lab import Cluster, Leader, RaftLabError, Server, fuzz, with_rules, without
from raft_lab.check import fuzz as fuzzing
from raft_lab.check.liveness import PROGRESS, can_go_on
from raft_lab.check.mixes import MIXES, Mix, Weather
from raft_lab.check.stepper import LINEARIZABILITY, NO_HANDLER_FAILS, Stepper
from raft_lab.sim.actions import Propose, Silence, Stall, Timeout
from raft_lab.sim.schedule import Timing

# --- The same everywhere -----------------------------------------------------------------------------------------


def small_campaign(**options):
    return fuzz(without(Server, "current-term commit"), 12, 200, progress=False, **options)


def test_the_report_is_the_same_wherever_the_runs_are_made():
    here = small_campaign()
    assert here.findings
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two, ThreadPoolExecutor(2) as threads:
        for executor in (one, two, threads):
            there = small_campaign(executor=executor)
            assert there == here
            assert str(there) == str(here)


CODE = """
from raft_lab import Server, fuzz, without
print(fuzz(without(Server, "current-term commit"), 12, 200, progress=False))
print(fuzz(Server, 4, 200, mix="leases", progress=False))
"""


def test_the_report_is_the_same_under_any_hash_seed():
    said = {
        subprocess.run(
            [sys.executable, "-c", CODE],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert "Commit Rule" in said.pop()


def test_a_run_alone_is_the_run_that_it_is_among_others():
    among = fuzz(VotesTwice, 8, progress=False).findings
    alone = [fuzz(VotesTwice, [finding.seed], progress=False).findings[0] for finding in among]
    assert alone == list(among)
    assert among[0].code == f"fuzz(VotesTwice, seeds=[{among[0].seed}], actions=400)"


def test_an_option_that_is_not_drawn_leaves_the_other_draws_alone():
    mix = MIXES["swarm"]
    fewer = Mix("swarm", {kind: w for kind, w in mix.weights.items() if kind != "boot"}, options=mix.options,
                sizes=mix.sizes)  # fmt: skip
    for seed in range(20):
        one, other = Weather.drawn(mix, seed), Weather.drawn(fewer, seed)
        assert {kind: w for kind, w in one.weights.items() if kind != "boot"} == dict(other.weights)
        assert (one.servers, one.rules, one.reordering) == (other.servers, other.rules, other.reordering)


# --- What it finds -----------------------------------------------------------------------------------------------

FOUND_WITHIN = {
    "election restriction": ("swarm", 10),
    "later term before longer log": ("plain", 40),
    "one vote per term": ("swarm", 10),
    "durable vote": ("swarm", 10),
    "step down on a higher term": ("swarm", 10),
    "log consistency check": ("swarm", 20),
    "truncate only at a conflict": ("swarm", 10),
    "current-term commit": ("swarm", 10),
    "a tail must fit the snapshot": ("small messages", 60),
    "separate majorities": ("swarm", 20),
    "one change at a time": ("swarm", 10),
    "own-term commit before a single-server change": ("swarm", 40),
    "own-term commit before a read": ("plain", 100),
    "read-index round": ("plain", 200),
    "session de-duplication": ("swarm", 20),
    "disk before answer": ("swarm", 10),
}
"""In which mix, and within how many seeds, the fuzzer finds that a rule is missing."""


@pytest.mark.parametrize("rule", FOUND_WITHIN)
def test_that_a_rule_is_missing_is_found_within_so_many_seeds(rule):
    mix, seeds = FOUND_WITHIN[rule]
    report = fuzz(without(Server, rule), seeds, 300, mix=mix, findings=1, progress=False)
    assert report.findings, report
    assert report.findings[0].counterexample.minimal


class VotesForNobody(Server):
    def may_vote_for(self, candidate):
        return candidate == self.id


class NeverCommits(Server):
    def may_commit(self, index):
        return False


class NeverGoesBack(Server):
    """A leader leaves a follower alone whose log did not match."""

    def on_append_entries_reply(self, m):
        if m.success:
            super().on_append_entries_reply(m)


@pytest.mark.parametrize(
    ("server", "reason"),
    [(VotesForNobody, "no leader is elected"), (NeverCommits, "leads, but commits nothing new")],
)
def test_a_cluster_that_cannot_go_on_is_found_without_any_fault(server, reason):
    finding = fuzz(server, 10, 100, mix="plain", findings=1, progress=False).findings[0]
    assert finding.violation.invariant == PROGRESS
    assert reason in finding.violation.reason
    small = finding.counterexample
    assert small.actions == (), "nothing has to happen before"
    assert small.minimal
    cluster = small.cluster()
    cluster.step(500)
    assert cluster.world.ghosts.committed.last_index == 0


def test_a_cluster_that_faults_have_brought_to_a_halt_is_found():
    finding = fuzz(NeverGoesBack, 40, 60, mix="plain", findings=1, progress=False).findings[0]
    assert finding.violation.invariant == PROGRESS
    assert finding.counterexample.actions


def test_who_leads_without_a_quorum_is_not_asked_to_go_on():
    """S1 leads with a configuration of which only S1 and S2 are left: others follow it, and nobody can commit."""
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.reconfigure(voters={"S1"})
    assert can_go_on(cluster.world, frozenset({"S1", "S2", "S3"}))
    assert not can_go_on(cluster.world, frozenset({"S1"})), "C_old,new needs a majority of the old three as well"


def test_nor_is_who_will_get_a_configuration_that_needs_others():
    cluster = Cluster(5)
    cluster.timeout("S5")
    for voter in ("S1", "S2"):
        cluster.deliver("S5", voter)
        cluster.deliver(voter, "S5")
    cluster.reconfigure({"S1", "S2"}, learners={"S3", "S4", "S5"})
    cluster.crash("S5")
    cluster.crash("S1")
    rest = frozenset({"S2", "S3", "S4"})
    assert not can_go_on(cluster.world, rest), "C_old,new is on its way to them, and needs S1"
    for message in cluster.messages:
        cluster.drop(message)
    assert can_go_on(cluster.world, rest)


def test_a_handler_that_raises_is_a_finding():
    class Falling(Server):
        def on_append_entries(self, m):
            raise ValueError("no thanks")

    finding = fuzz(Falling, 10, findings=1, progress=False).findings[0]
    assert finding.violation.invariant == NO_HANDLER_FAILS
    assert "no thanks" in str(finding)


def test_only_the_invariants_asked_for_count():
    report = fuzz(VotesTwice, 40, invariants={"Election Safety"}, findings=1, progress=False)
    assert {finding.violation.invariant for finding in report.findings} == {"Election Safety"}
    assert "invariants=['Election Safety']" in report.findings[0].code


# --- Time --------------------------------------------------------------------------------------------------------


def test_what_no_order_of_the_clients_operations_explains_is_found_and_made_small():
    """Other invariants are broken long before; only what clients see was asked for."""
    (finding,) = fuzz(AnswersAtOnce, [3], invariants={LINEARIZABILITY}, progress=False).findings
    assert finding.violation.invariant == LINEARIZABILITY
    small = finding.counterexample
    assert small.minimal
    assert isinstance(small.actions[-1], Propose)
    assert len(small.actions) < 30 < finding.actions


def test_where_time_passes_a_timer_does_not_run_out_early():
    world = Cluster(3, rules=["leader stickiness"]).world
    stepper = Stepper(world, Timing())
    assert "has not run that long" in stepper.refusal(Timeout("S1"))
    stepper.perform(Stall(149_999))
    assert stepper.refusal(Timeout("S1")) is not None
    stepper.perform(Stall(1))
    assert stepper.refusal(Timeout("S1")) is None
    assert Stepper(world).refusal(Timeout("S1")) is None, "where it stands still, it may"
    assert "does not hold on to a leader" in stepper.refusal(Silence("S1"))


def test_a_lease_that_never_ends_is_found():
    class TrustsForEver(with_rules(Server, "leader stickiness")):
        def has_lease(self):
            return isinstance(self.role, Leader)

    report = fuzz(TrustsForEver, 60, 300, mix="leases", findings=1, progress=False)
    assert report.findings[0].violation.invariant in ("Lease", "Fresh Reads")
    small = report.findings[0].counterexample
    assert small.minimal
    assert small.violation in small.cluster().now.violations


# --- What it says ------------------------------------------------------------------------------------------------


def test_what_never_happened_is_said():
    report = fuzz(Server, 1, 5, mix="leases", progress=False)
    assert "lease read answered at once" in report.missing
    assert "It never happened, so nothing is known of it: " in str(report)
    assert "verified" not in str(report)


def test_a_campaign_of_some_size_misses_nothing():
    report = fuzz(Server, 80, 250, mix="swarm", progress=False)
    assert not report.missing
    assert not report.findings
    assert report.runs == 80
    assert report.seen["leader elected"] > 80


def test_it_stops_when_enough_went_wrong():
    report = fuzz(VotesTwice, 1000, findings=3, progress=False)
    assert len(report.findings) == 3
    assert report.stopped
    assert report.runs == report.findings[-1].seed + 1
    assert [finding.counterexample is None for finding in report.findings] == [False, True, True]
    with pytest.raises(RaftLabError, match="only the first finding of its kind"):
        report.findings[1].lab()


def test_interrupted_it_says_what_it_has_seen_so_far(monkeypatch):
    play = fuzzing.play

    def until_the_eighth(plan, seed):
        if seed == 8:
            raise KeyboardInterrupt
        return play(plan, seed)

    monkeypatch.setattr(fuzzing, "play", until_the_eighth)
    report = fuzz(VotesTwice, 100, findings=100, progress=False)
    assert report.interrupted
    assert report.runs == 8
    assert report.findings
    assert "(interrupted)" in str(report)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"server": dict}, "server must be a subclass of Server"),
        ({"seeds": 0}, "at least one run is needed"),
        ({"seeds": "7"}, "seeds are whole numbers"),
        ({"seeds": [1, "2"]}, "seeds are whole numbers"),
        ({"actions": -1}, "actions must be a whole number from 0 on"),
        ({"findings": 0}, "findings must be a whole number from 1 on"),
        ({"mix": "rain"}, "there is no mix 'rain'; the mixes are: swarm"),
        ({"mix": 3}, "mix must be a Mix"),
        ({"invariants": {"Luck"}}, "there is no invariant called 'Luck'"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused_in_one_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        fuzz(**options)
    assert "\n" not in str(caught.value)


def test_a_class_that_workers_cannot_find_is_refused_in_one_sentence():
    class InACell(Server):
        pass

    with ProcessPoolExecutor(1) as executor, pytest.raises(RaftLabError, match="workers cannot run InACell"):
        fuzz(InACell, 3, executor=executor, progress=False)
