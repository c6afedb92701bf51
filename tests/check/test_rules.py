"""The rules as switches: what breaks without each one, and that nothing breaks with it."""

import inspect
import pickle

import pytest

from raft_lab import INVARIANTS, RULES, Cluster, Leader, RaftLabError, Server, with_rules, without
from raft_lab.raft.rules import base, modified, rule, switched
from raft_lab.raft.state import ReadDone
from raft_lab.sim import scenarios
from raft_lab.sim.actions import Read

NEEDED = {
    "election restriction": scenarios.leader_completeness,
    "later term before longer log": scenarios.long_old_log_campaigns,
    "one vote per term": scenarios.two_candidates,
    "durable vote": scenarios.vote_crash_vote,
    "step down on a higher term": scenarios.old_leader_meets_new_term,
    "log consistency check": scenarios.divergent_logs,
    "truncate only at a conflict": scenarios.late_short_request,
    "current-term commit": scenarios.figure_8,
    "a tail must fit the snapshot": scenarios.snapshot_over_a_stray_tail,
    "separate majorities": scenarios.joint_consensus_split,
    "one change at a time": scenarios.two_changes_at_once,
    "own-term commit before a single-server change": scenarios.single_server_bug,
    "own-term commit before a read": scenarios.read_of_a_new_leader,
    "read-index round": scenarios.stale_read,
    "session de-duplication": scenarios.duplicate_command,
    "disk before answer": scenarios.unsynced_vote,
}
"""Each rule of Raft, and the run that goes wrong without it."""

PLAYED_WITH = tuple(rule.name for rule in RULES if rule.optional and rule.name != "slow disk")
"""With a slow disk some scenarios cannot go on: in them nobody lets the disks write after each delivery."""
SCENARIOS = {
    name: make
    for name, make in inspect.getmembers(scenarios, inspect.isfunction)
    if make.__module__ == scenarios.__name__ and not name.startswith("_")
}


def broken(cluster: Cluster) -> set[str]:
    return {violation.invariant for _, violation in cluster.violations}


# --- Rules that Raft needs ---------------------------------------------------------------------------------------


def test_every_rule_that_raft_needs_has_a_run_that_needs_it():
    assert set(NEEDED) == {rule.name for rule in RULES if not rule.optional}
    assert {rule(name).protects for name in NEEDED} <= {invariant.name for invariant in INVARIANTS}


@pytest.mark.parametrize("name", NEEDED)
def test_without_the_rule_what_it_protects_is_broken(name):
    assert rule(name).protects in broken(NEEDED[name](without(Server, name)))


@pytest.mark.parametrize("name", NEEDED)
def test_with_the_rule_the_same_run_breaks_nothing(name):
    cluster = NEEDED[name](Server)
    assert len(cluster.history) > 4
    assert cluster.violations == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_scenario_breaks_anything_in_raft(name):
    expected = {"Fresh Reads", "Lease"} if name == "stale_lease_read" else set()
    assert broken(SCENARIOS[name](Server)) == expected


@pytest.mark.parametrize("name", SCENARIOS)
def test_nor_with_any_rule_that_raft_leaves_open(name):
    expected = {"Fresh Reads", "Lease"} if name == "stale_lease_read" else set()
    for option in PLAYED_WITH:
        assert broken(SCENARIOS[name](with_rules(Server, option))) <= expected, option


def test_a_lease_is_worth_what_the_clocks_are_worth():
    def served(cluster):
        return [
            step
            for step in cluster.history
            if isinstance(step.action, Read) and any(isinstance(a, ReadDone) for a in step.transition.answers)
        ]

    slow, right = scenarios.stale_lease_read(speed=0.4), scenarios.stale_lease_read(speed=1)
    assert broken(slow) == {"Fresh Reads", "Lease"}
    assert served(slow)
    assert right["S1"].is_leader, "it has not heard of the new one either, but it knows what time it is"
    assert broken(right) == set()
    assert not served(right)


# --- Rules that Raft leaves open ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", [scenarios.asymmetric_partition, scenarios.disruptive_server])
@pytest.mark.parametrize(
    ("rules", "undisturbed"),
    [((), False), (("check-quorum",), False), (("pre-vote",), True), (("leader stickiness",), True)],
    ids=["plain", "check-quorum", "pre-vote", "stickiness"],
)
def test_who_cannot_win_does_not_depose_a_leader_that_works(scene, rules, undisturbed):
    cluster = scene(with_rules(Server, *rules))
    assert cluster["S1"].is_leader == undisturbed
    assert (cluster["S1"].current_term == 1) == undisturbed
    assert (cluster["S2"].current_term == 1) == undisturbed


def test_with_stickiness_alone_the_outsiders_term_runs_away_and_with_pre_vote_it_stays():
    assert scenarios.asymmetric_partition(with_rules(Server, "leader stickiness"))["S3"].current_term == 4
    assert scenarios.asymmetric_partition(with_rules(Server, "pre-vote"))["S3"].current_term == 1


@pytest.mark.parametrize(("rules", "leads"), [((), True), (("check-quorum",), False)], ids=["plain", "check-quorum"])
def test_a_leader_without_a_quorum_steps_down_if_it_looks(rules, leads):
    cluster = scenarios.stale_leader(with_rules(Server, *rules))
    cluster.run(700)
    assert cluster["S1"].is_leader == leads
    assert cluster["S1"].current_term == 1
    assert cluster.leader in ("S3", "S4", "S5")
    assert cluster.violations == []


@pytest.mark.parametrize(
    ("rules", "goes_on"),
    [
        ((), False),
        (("pre-vote", "leader stickiness"), False),
        (("pre-vote", "leader stickiness", "check-quorum"), True),
    ],
    ids=["plain", "undisturbed", "check-quorum too"],
)
def test_a_leader_that_is_heard_but_hears_nobody_holds_everything_up_unless_it_looks(rules, goes_on):
    cluster = scenarios.deaf_leader(with_rules(Server, *rules))
    assert [s.id for s in cluster.world.servers.values() if s.is_leader] == (["S2"] if goes_on else ["S1"])
    assert (cluster.world.ghosts.committed.last_index > 1) == goes_on
    assert cluster.violations == []


def test_a_leader_with_a_quorum_looks_and_stays():
    cluster = Cluster(5, seed=1, rules=["check-quorum"])
    cluster.run_until(leader=True)
    leader = cluster.leader
    cluster.crash(next(name for name in cluster.servers if name != leader))
    cluster.run(3000)
    assert cluster.leader == leader
    assert cluster[leader].current_term == 1
    assert isinstance(cluster[leader].role, Leader)


# --- The switches ------------------------------------------------------------------------------------------------


def test_each_rule_has_a_name_of_its_own_a_statement_and_a_place():
    assert len({rule.name for rule in RULES}) == len(RULES)
    for one in RULES:
        assert one.statement.endswith(".")
        assert one.section.startswith(("§", "Figure", "dissertation"))
        assert one.methods


def test_a_cluster_says_what_was_changed_and_what_is_optional_is_no_change():
    assert Cluster(3).modified == ""
    assert Cluster(3, rules=["pre-vote", "slow disk"]).modified == ""
    assert Cluster(3, without=["election restriction"]).modified == "without election restriction"
    two = Cluster(3, without=["election restriction", "durable vote"], rules=["pre-vote"])
    assert two.modified == "without election restriction, without durable vote"

    class Mine(Server):
        pass

    assert Cluster(3, server=Mine).modified == "handlers of Mine"
    assert Cluster(3, server=Mine, without=["durable vote"]).modified == "handlers of Mine, without durable vote"


def test_a_saved_and_loaded_run_still_says_so(tmp_path):
    cluster = Cluster(3, seed=4, without=["election restriction"], rules=["pre-vote"])
    cluster.run(500)
    cluster.save(tmp_path / "run.json")
    loaded = Cluster.load(tmp_path / "run.json")
    assert loaded.modified == "without election restriction"
    assert loaded.world == cluster.world
    assert loaded.run(500).world == cluster.run(500).world
    assert "without=['election restriction']" in loaded.code()


def test_a_rule_that_is_turned_off_on_the_way_is_told_from_then_on_also_in_a_file(tmp_path):
    cluster = scenarios.leader_completeness(without(Server, "election restriction"))
    assert cluster.modified == "without election restriction"
    assert broken(cluster) == {"Leader Completeness"}
    cluster.save(tmp_path / "run.json")
    loaded = Cluster.load(tmp_path / "run.json")
    assert loaded.modified == "without election restriction"
    assert broken(loaded) == {"Leader Completeness"}
    assert loaded.goto(0).id == 0
    assert loaded.modified == ""


def test_switching_the_same_rules_gives_the_same_class():
    assert without(Server, "durable vote") is without(Server, "durable vote")
    assert without(without(Server, "durable vote"), "durable vote") is without(Server, "durable vote")
    assert base(without(Server, "durable vote")) is Server
    assert switched(Server) is Server
    both = with_rules(without(Server, "durable vote"), "pre-vote")
    assert (both.rules_off, both.rules_on) == (("durable vote",), ("pre-vote",))
    assert modified(both) == "without durable vote"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Cluster(3, rules=["telepathy"]), "there is no rule 'telepathy'; the rules are: election restriction"),
        (lambda: Cluster(3, without=["telepathy"]), "there is no rule 'telepathy'"),
        (lambda: Cluster(3, without=["pre-vote"]), "'pre-vote' is off unless it is asked for"),
        (lambda: Cluster(3, rules=["durable vote"]), "'durable vote' is on unless it is turned off"),
    ],
    ids=["no such rule", "no such rule to turn off", "off already", "on already"],
)
def test_what_cannot_be_switched_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(RaftLabError) as caught:
        call()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


class Broadcasting(with_rules(Server, "pre-vote")):
    """A class of someone who starts from a server with another rule."""

    volatile = {"asked": 0}

    def ask_for_pre_votes(self):
        super().ask_for_pre_votes()
        self.asked += 1


def test_a_class_on_top_of_a_switched_one_keeps_its_handlers_and_the_rule(tmp_path):
    cluster = Cluster(3, seed=1, server=Broadcasting)
    assert cluster.world.behaviour is Broadcasting
    assert cluster.modified == "handlers of Broadcasting"
    cluster.timeout("S1")
    assert cluster["S1"].extra["asked"] == 1
    assert cluster["S1"].current_term == 0, "it has only asked"
    cluster.save(tmp_path / "run.json")
    assert Cluster.load(tmp_path / "run.json", Broadcasting).world == cluster.world
    lax = without(Broadcasting, "election restriction")
    assert lax.rules_on == ("pre-vote",)
    assert Cluster(3, server=lax).modified == "handlers of Broadcasting, without election restriction"
    assert pickle.loads(pickle.dumps(Broadcasting)) is Broadcasting
    assert pickle.loads(pickle.dumps(lax)) is lax


def test_a_rule_is_switched_in_the_running_cluster_and_the_run_stays_marked():
    cluster = Cluster(3, rules=["pre-vote"])
    off = cluster.switch("election restriction", on=False)
    assert "“election restriction” is off from now on. Without it Leader Completeness may break." in str(off)
    assert cluster.modified == "without election restriction"
    on = cluster.switch("election restriction", on=True)
    assert cluster.world.behaviour is with_rules(Server, "pre-vote")
    assert cluster.modified == f"without election restriction until step {on.id}"
    cluster.goto(0)
    assert cluster.modified == ""


def test_a_switch_is_code_that_can_be_run_again():
    cluster = Cluster(3)
    cluster.switch("pre-vote", on=True)
    cluster.switch("durable vote", on=False)
    again = Cluster(3)
    exec(cluster.code().split("\n", 1)[1], {"cluster": again})
    assert again.world.behaviour is cluster.world.behaviour


@pytest.mark.parametrize(
    ("server", "rule", "on", "sentence"),
    [
        (Server, "durable vote", True, "'durable vote' is on already"),
        (Server, "pre-vote", False, "'pre-vote' is off already"),
        (Server, "gravity", False, "there is no rule 'gravity'"),
        (Broadcasting, "pre-vote", False, "Broadcasting itself was made with 'pre-vote' on"),
    ],
    ids=["on already", "off already", "no such rule", "part of the class"],
)
def test_a_switch_that_changes_nothing_is_refused(server, rule, on, sentence):
    cluster = Cluster(3, server=server)
    with pytest.raises(RaftLabError, match=sentence):
        cluster.switch(rule, on=on)
    assert len(cluster.tape) == 1
