"""What electors do to each other on a real API in simulated time: each a fact that was seen with client-go itself."""

import pytest

from kube.worlds import QUICK, SECOND, TIGHT, last_renewal, quiet, started, when, with_raft
from raft_lab import ActionRefused, Cluster, UnknownName
from raft_lab.kube import stages
from raft_lab.kube.elector import BadConfig
from raft_lab.kube.electors import Electors
from raft_lab.kube.errors import ApiError
from raft_lab.kube.network import Faults
from raft_lab.kube.requests import Delete, Get, Patch
from raft_lab.kube.timeline import BELIEVES, MAY, PAUSED, WORKS

LEASE = ("leases", "default", "demo")


def test_three_pods_elect_one_on_a_cluster_of_three():
    electors = with_raft()
    for name in ("pod-a", "pod-b", "pod-c"):
        electors.start(name)
    electors.run(20)
    assert len(electors.workers) == 1
    assert electors.workers == electors.believers == (electors.leader,)
    lease = electors.ask(Get(*LEASE))
    assert lease["spec"]["holderIdentity"] == electors.leader
    assert electors.lease.holder_identity == electors.leader
    assert {pod.leader for pod in electors.pods.values()} == {electors.leader}
    assert electors.guarded.writes
    assert electors.overlaps() == electors.overlaps(BELIEVES) == electors.overlaps(MAY) == []


def test_the_same_seed_is_the_same_run():
    def run(seed):
        electors = with_raft(seed, faults=Faults(error=0.1, slow=0.1), **QUICK)
        for name in ("pod-a", "pod-b", "pod-c"):
            electors.start(name)
        electors.run(8)
        electors.crash(electors.leader or "pod-a")
        electors.run(12)
        return electors.timeline.events, electors.guarded.writes

    assert run(3) == run(3)
    assert run(3) != run(4)


# How a leader loses


@pytest.mark.parametrize("how", ["errors", "hangs", "refuses"])
def test_a_leader_stops_at_its_last_renewal_plus_retry_period_plus_renew_deadline(how):
    electors = started(quiet(**QUICK), "a")
    electors.fail_api(60, how)
    electors.run(10)
    assert when(electors, "a", "OnStoppedLeading") == pytest.approx(last_renewal(electors, "a") + 1 + 4, abs=0.02)


def test_with_the_durations_of_kubernetes_these_are_twelve_seconds():
    electors = started(quiet(), "a", "b")
    electors.cut("a")
    electors.run(40)
    stopped, renewed = when(electors, "a", "OnStoppedLeading"), last_renewal(electors, "a")
    assert stopped == pytest.approx(renewed + 12, abs=0.02)
    assert when(electors, "b", "OnStartedLeading") > renewed + 15
    assert electors.overlaps() == []


def test_durations_that_are_accepted_let_two_lead_at_once_though_all_clocks_are_right():
    """4 s / 3.9 s / 3 s: the lease is over 2.9 s before its holder gives up."""
    found = []
    for seed in range(8):
        electors = started(quiet(seed, **TIGHT), "a", "b", seconds=12)
        electors.cut("a")
        electors.run(15)
        stopped, renewed = when(electors, "a", "OnStoppedLeading"), last_renewal(electors, "a")
        assert stopped == pytest.approx(renewed + 3 + 3.9, abs=0.02)
        found += electors.overlaps()
    assert found
    assert {(overlap.first, overlap.second) for overlap in found} == {("a", "b")}
    assert max(overlap.end_us - overlap.begin_us for overlap in found) < 2.9 * SECOND


def test_who_gives_the_lease_back_after_losing_it_works_longer_than_the_lease_lasts():
    """It asks the API first, and only then tells its work to end: when that hangs, half of RenewDeadline later."""
    electors = started(quiet(2, release_on_cancel=True), "a", "b")
    electors.cut("a")
    electors.run(40)
    stopped, renewed = when(electors, "a", "OnStoppedLeading"), last_renewal(electors, "a")
    assert stopped == pytest.approx(renewed + 2 + 10 + 5, abs=0.02)
    [overlap] = electors.overlaps()
    assert (overlap.first, overlap.second) == ("a", "b")


def test_what_counts_is_how_long_a_whole_try_may_take_and_not_a_request():
    """15 s are 3 s more than 11 s and 1 s, and no request takes more than 2 s. Still two lead at once.

    The leader's update is done, and it does not hear of it; it reads; it writes again, which changes nothing, and takes
    that for its renewal, almost 6 s after the others saw one.
    """
    late = {"latency": (0.01, 0.01), "request_timeout": 2, "lease_duration": 15, "renew_deadline": 11}
    electors = started(quiet(**late, retry_period=1), "a", "b", "c", "d", seconds=6)
    known = electors.leases[-1].revision
    electors.run_until(lambda e: e.leases[-1].revision > known)
    for seconds in (3.9, 1.9):  # 2 s of them for the answer that never comes; then for those to the read, and the write
        electors.cut("a", way="back")
        electors.run(seconds)
        electors.mend("a")
        electors.run(0.015)
    electors.cut("a")
    electors.run(20)
    [overlap] = electors.overlaps()
    assert overlap.first == "a"


def test_is_leader_flips_early_and_the_work_ends_late():
    electors = started(quiet(), "a")
    electors.ask(Patch(*LEASE, {"spec": {"holderIdentity": "intruder"}}))
    edited = electors.now_us / SECOND
    electors.run(20)
    [believed] = electors.timeline.intervals(BELIEVES)
    [worked] = electors.timeline.intervals(WORKS)
    assert believed.end_us / SECOND - edited <= 2.1
    assert worked.end_us - believed.end_us == pytest.approx(10 * SECOND, abs=0.05 * SECOND)
    assert when(electors, "a", "OnNewLeader 'intruder'") == when(electors, "a", "OnStoppedLeading")


def test_a_pause_leaves_two_at_work_and_the_one_who_was_away_learns_of_it_last():
    electors = started(quiet(**QUICK), "a", "b")
    electors.pause("a", 14)
    paused = electors.now_us / SECOND
    electors.run(30)
    [a_believed] = electors.timeline.intervals(BELIEVES, "a")
    [a_worked] = electors.timeline.intervals(WORKS, "a")
    assert 5 < when(electors, "b", "OnStartedLeading") - paused < 8.5
    assert a_believed.end_us / SECOND == pytest.approx(paused + 14, abs=0.05)
    assert a_worked.end_us / SECOND == pytest.approx(paused + 14 + 4, abs=0.05)
    assert [i.lasts_us(electors.now_us) for i in electors.timeline.intervals(PAUSED)] == [14 * SECOND]
    [overlap] = electors.overlaps()
    assert overlap.end_us == a_worked.end_us
    assert electors.guarded.interleaved


def test_a_short_pause_costs_nothing():
    electors = started(quiet(**QUICK), "a", "b")
    electors.pause("a", 3)
    electors.run(20)
    assert electors.leader == "a"
    assert electors.lease.leader_transitions == 0


# Identities, deletion, release, races


def test_two_processes_of_one_identity_both_lead():
    electors = started(quiet(**QUICK), "a")
    electors.start("a-again", identity="a")
    electors.run(10)
    assert electors.workers == ("a", "a-again")
    assert electors.lease.leader_transitions == 0


def test_a_restarted_process_goes_on_leading_at_once_and_keeps_since_when():
    electors = started(quiet(), "a", "b")
    before = electors.lease
    electors.crash("a")
    electors.run(3)
    electors.restart("a")
    electors.run(1)
    assert electors.leader == "a"
    assert electors.lease.acquire_time_us == before.acquire_time_us
    assert electors.lease.leader_transitions == before.leader_transitions


def test_after_delete_and_create_transitions_begin_anew_and_resource_versions_do_not():
    electors = started(quiet(**QUICK), "a", "b")
    electors.crash("a")
    electors.run(15)
    assert electors.lease.leader_transitions == 1
    version = electors.leases[-1].revision
    electors.crash("b")
    electors.ask(Delete(*LEASE))
    electors.start("c")
    electors.run(2)
    assert electors.lease.leader_transitions == 0
    assert electors.leases[-1].revision > version
    assert electors.leases[-1].record.holder_identity == "c"


def test_who_gives_the_lease_back_is_followed_at_the_next_try():
    electors = started(quiet(release_on_cancel=True), "a", "b")
    electors.stop("a")
    electors.run(0.1)
    assert (electors.lease.holder_identity, electors.lease.lease_duration_seconds) == ("", 1)
    assert electors["a"].state == "ended"
    electors.run(4.4)
    assert electors.leader == "b"
    assert electors.lease.leader_transitions == 1


def test_who_does_not_give_it_back_is_waited_for():
    electors = started(quiet(), "a", "b")
    electors.stop("a")
    electors.run(10)
    assert electors.leader is None
    electors.run(15)
    assert electors.leader == "b"


def test_of_two_who_create_the_lease_at_once_one_is_refused_and_tries_again():
    electors = quiet(latency=(0.002, 0.002))
    electors.start("a")
    electors.start("b")
    electors.run(1)
    refused = [call for call in electors.wires.calls if isinstance(call.outcome, ApiError)]
    assert [call.outcome.reason for call in refused] == ["NotFound", "NotFound", "AlreadyExists"]
    loser = refused[-1].pod
    electors.run(5)
    assert electors.leader not in (None, loser)
    again = [
        call.sent_us for call in electors.wires.calls if call.pod == loser and call.sent_us > refused[-1].received_us
    ]
    assert 2 * SECOND <= again[0] - refused[-1].received_us < 4.4 * SECOND


def test_a_lease_of_less_than_a_second_is_refused_by_the_api_and_nobody_ever_leads():
    electors = quiet(lease_duration=0.9, renew_deadline=0.5, retry_period=0.1)
    electors.start("a")
    electors.run(3)
    assert electors.leader is None
    told = {
        str(call.outcome) for call in electors.wires.calls if call.outcome and type(call.request).__name__ == "Create"
    }
    assert len(told) == 1
    assert "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0" in told.pop()


def test_when_answers_are_lost_a_leader_finds_its_own_name_and_leads_on():
    electors = started(quiet(**QUICK), "a")
    electors.cut("a", way="back")
    electors.run(3)
    electors.mend("a")
    electors.run(3)
    assert electors.leader == "a"
    assert electors.lease.leader_transitions == 0


def test_of_two_locks_each_may_win_one_and_then_nobody_leads_until_both_are_old():
    """Seen with client-go 1.20: one wins the Endpoints, the other the Lease."""
    electors = quiet(4, lock="endpointsleases", latency=(0.001, 0.01), **QUICK)
    electors.start("a")
    electors.start("b")
    electors.run(10)
    [a_believed] = electors.timeline.intervals(BELIEVES, "a")
    [a_worked] = electors.timeline.intervals(WORKS, "a")
    assert a_believed.lasts_us(electors.now_us) < 0.1 * SECOND
    assert a_worked.lasts_us(electors.now_us) == 4 * SECOND
    assert when(electors, "a", "OnNewLeader") == when(electors, "a", "OnNewLeader 'leaderelection.k8s.io/unknown'")
    assert 6 < when(electors, "b", "OnStartedLeading") < 8.5


# Clocks


def test_wall_clocks_may_show_anything():
    electors = started(quiet(), "a", "b", seconds=10)
    electors.set_clock("b", step=3600)
    electors.set_clock("a", step=-86400)
    electors.run(30)
    assert electors.leader == "a"
    assert electors.lease.leader_transitions == 0


@pytest.mark.parametrize(("speed", "overlaps"), [(1.2, False), (1.6, True)])
def test_a_clock_that_runs_fast_takes_over_too_early(speed, overlaps):
    """15 s on the fast clock must be more than the 12 s that a leader needs to give up: it bears 1.25."""
    found = []
    for seed in range(6):
        electors = started(quiet(seed), "a", "b", seconds=3)
        electors.set_clock("b", speed=speed)
        electors.run(10)
        electors.cut("a")
        electors.run(40)
        found += electors.overlaps()
    assert bool(found) is overlaps


# How long nobody leads


@pytest.mark.parametrize("pods", [2, 4])
def test_after_a_crash_another_one_leads_when_the_lease_is_over_and_it_looks_next(pods):
    """It has seen the last change by its next try, waits for as long as the lease lasts, and tries again."""
    waits = []
    for seed in range(8):
        electors = started(quiet(seed, **QUICK), *"abcd"[:pods], seconds=7)
        electors.crash("a")
        crashed, renewed = electors.now_us / SECOND, last_renewal(electors, "a")
        electors.run_until(lambda e: e.leader)
        waits.append(electors.now_us / SECOND - renewed)
        assert electors.now_us / SECOND - crashed <= 6 + 2 * 2.2 * 1 + 0.1
    assert min(waits) >= 6
    assert max(waits) <= 6 + 2 * 2.2 * 1 + 0.1


# Raft below


def test_when_the_raft_leader_crashes_the_lease_is_renewed_all_the_same():
    electors = started(with_raft(), "a", "b", "c")
    electors.cluster.crash(electors.cluster.leader)
    electors.run(20)
    assert electors.leader == "a"
    assert electors.lease.leader_transitions == 0


def test_without_a_majority_of_etcd_nobody_leads_for_long():
    electors = started(with_raft(**QUICK), "a", "b")
    for server in electors.cluster.servers[:2]:
        electors.cluster.crash(server)
    electors.run(12)
    assert electors.workers == ()
    for server in electors.cluster.servers[:2]:
        electors.cluster.restart(server)
    electors.run(15)
    assert len(electors.workers) == 1


# What cannot be done


def test_what_cannot_be_done_is_refused_in_a_sentence():
    electors = quiet()
    electors.start("a")
    with pytest.raises(UnknownName, match="there is no pod 'b': a"):
        electors.crash("b")
    with pytest.raises(ActionRefused, match="a runs already"):
        electors.start("a")
    with pytest.raises(ActionRefused, match="a runs"):
        electors.restart("a")
    with pytest.raises(ActionRefused, match="does not stand still"):
        electors.resume("a")
    with pytest.raises(ActionRefused, match='cut a pod off from "api" or "store"'):
        electors.cut("a", "etcd")
    with pytest.raises(ActionRefused, match="fails by errors, hangs, refuses"):
        electors.fail_api(1, "fire")
    with pytest.raises(TypeError, match="there is no setting 'lease'"):
        electors.start("b", lease=3)
    with pytest.raises(BadConfig, match="leaseDuration must be greater"):
        electors.start("b", lease_duration=3)
    with pytest.raises(TypeError, match="a pod has a name such as 'pod-a', not 7"):
        electors.start(7)
    assert list(electors.pods) == ["a"]
    before = electors.now_us
    for act in (lambda t: electors.run(t), lambda t: electors.pause("a", t), lambda t: electors.fail_api(t)):
        for seconds in (0, -1, "3", True, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="seconds"):
                act(seconds)
    with pytest.raises(ValueError, match="no number of seconds"):
        electors.set_clock("a", step="yesterday")
    with pytest.raises(ValueError, match="speed is a number above 0"):
        electors.set_clock("a", speed=0)
    assert (electors.now_us, electors["a"].state) == (before, "running")
    electors.crash("a")
    with pytest.raises(ActionRefused, match="a does not run"):
        electors.pause("a", 3)


def test_whoever_waits_for_what_never_comes_is_told_so():
    electors = started(quiet(), "a", "b", seconds=10)
    before = electors.now_us
    with pytest.raises(ActionRefused, match=r"in 30 s .* did not come about \(a: running, believes to lead, works; b:"):
        electors.run_until(lambda e: e.leader == "b", seconds=30)
    assert electors.now_us == pytest.approx(before + 30 * SECOND, abs=SECOND)
    with pytest.raises(ValueError, match="0 seconds"):
        electors.run_until(lambda e: e.leader == "b", seconds=0)


def test_pods_do_not_go_back_with_the_cluster():
    electors = started(with_raft(), "a", "b", seconds=10)
    cluster, last = electors.cluster, electors.views[-1][0]
    early = next(step.id for step in cluster.history if step.schedule.now_us > 0.6 * SECOND)
    cluster.goto(early)
    assert [(pod.name, pod.works) for pod in electors.seen_at(early)] == [("a", True)]
    for act in (lambda: electors.run(1), lambda: electors.crash("a"), lambda: electors.ask(Get(*LEASE))):
        with pytest.raises(ActionRefused, match=rf"stand at 10\.\d+ s and do not go back: cluster.goto\({last}\)"):
            act()
    cluster.goto(last)
    electors.run(20)
    assert electors.leader == "a"


def test_electors_need_a_store():
    with pytest.raises(ActionRefused, match="no key-value store"):
        Electors(Cluster(3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fencing": "hope"}, "fencing is one of"),
        ({"latency": (0.1, 0.01)}, "shortest and the longest"),
        ({"latency": (0, 0.01)}, "more than 0 seconds"),
        ({"kind": "zookeeper"}, "kind is 'client-go' or 'sidecar'"),
        ({"work_every": -1}, "0 or more"),
        ({"lock": "files"}, "lock is one of leases, endpoints, configmaps"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_beginning(options, words):
    with pytest.raises(ValueError, match=words):
        quiet(**options)


def test_a_renewal_below_the_pods_is_a_transaction_that_becomes_an_entry():
    cluster = stages.one_renewal()
    before = len(cluster["S2"].log)
    cluster.forward()
    assert "txn if mod(/registry/leases/default/demo) = " in str(cluster.now.sentence)
    assert len(cluster[cluster.leader].log) == before + 1
