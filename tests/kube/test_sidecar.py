"""The talk's sidecar, leader-elector:0.5: what it answers, what it writes, and how today's elector differs."""

import json
import re

import pytest

from kube.scripted import BEGIN, OneObject
from kube.worlds import SECOND, last_renewal, quiet, started, when
from raft_lab.kube.elector import BadConfig
from raft_lab.kube.explain import explain
from raft_lab.kube.locks import EndpointsLock
from raft_lab.kube.processes import Context, HandClock, run_by_hand
from raft_lab.kube.records import ANNOTATION, LeaderElectionRecord, annotation_of
from raft_lab.kube.requests import Get, Patch
from raft_lab.kube.sidecar import Sidecar, SidecarElector

DEMO = "mboye-leader-election-demo"
PODS = [f"{DEMO}-5d4b8c9f7-{suffix}" for suffix in ("x2x4z", "q8k7p", "v6l9m")]


def the_talk(seed=1):
    """Three pods, each with the sidecar, in the talk's namespace; Kubernetes starts again what ends."""
    electors = quiet(seed, kind="sidecar", namespace="mboye", election=DEMO, restart_after=1)
    for pod in PODS:
        electors.start(pod)
    electors.run(20)
    return electors


def annotation(electors):
    found = electors.ask(Get("endpoints", electors.namespace, electors.election))
    return found["metadata"]["annotations"][ANNOTATION]


def test_the_annotation_of_the_talk_comes_out_field_by_field():
    electors = the_talk()
    text = annotation(electors)
    assert re.fullmatch(
        r'\{"holderIdentity":"mboye-leader-election-demo-5d4b8c9f7-\w{5}","leaseDurationSeconds":10,'
        r'"acquireTime":"2019-02-27T17:00:\d\dZ","renewTime":"2019-02-27T17:00:\d\dZ","leaderTransitions":0\}',
        text,
    )
    assert json.loads(text)["holderIdentity"] == electors.leader
    assert ("leaderTransitions", "0") in [(name, value) for name, value, _ in explain(text).rows]


def test_every_pod_answers_the_same_name():
    electors = the_talk()
    assert {electors[pod].answer for pod in PODS} == {f'{{"name":"{electors.leader}"}}'}


def test_after_a_takeover_the_count_is_one_for_a_moment_and_zero_for_ever():
    electors = the_talk()
    gone = electors.leader
    electors.delete(gone)
    electors.run(30)
    counts = [
        (lease.record.holder_identity, lease.record.leader_transitions) for lease in electors.leases if lease.record
    ]
    taken = counts.index((electors.leader, 1))
    assert electors.leader != gone
    assert set(counts[taken + 1 :]) == {(electors.leader, 0)}
    assert {electors[pod].answer for pod in PODS if pod != gone} == {f'{{"name":"{electors.leader}"}}'}


def test_a_container_that_is_killed_is_started_again_and_leads_on():
    electors = the_talk()
    leader = electors.leader
    electors.crash(leader)
    assert electors[leader].answer is None
    electors.run(8)
    assert electors.leader == leader


def test_who_loses_the_race_to_create_the_object_ends_and_is_started_again():
    """It looks for a Conflict, and is told AlreadyExists."""
    electors = the_talk()
    ends = [event for event in electors.timeline.events if event.what.startswith("ends")]
    assert {event.what for event in ends} == {f'ends: failed to create election: endpoints "{DEMO}" already exists'}
    assert all(electors[pod].state == "running" for pod in PODS)


def test_it_stops_at_its_last_renewal_plus_renew_deadline():
    """The next round follows the last one at once, but sleeps first: RetryPeriod is not added, as it is today."""
    electors = started(quiet(kind="sidecar"), "a")
    electors.fail_api(8)
    electors.run(10)
    [work] = electors.timeline.intervals("works")[:1]
    assert work.end_us / SECOND == pytest.approx(last_stop(electors), abs=0.05)


def last_stop(electors):
    renewals = [
        call.received_us / SECOND
        for call in electors.wires.calls
        if type(call.request).__name__ == "Update" and isinstance(call.outcome, dict)
    ]
    return max(at for at in renewals if at < when(electors, "a", "a stopped leading")) + 5


def test_a_request_without_an_answer_is_waited_for_and_it_goes_on_saying_its_own_name():
    """A split brain that was reported: contrib#690."""
    electors = started(quiet(kind="sidecar"), "a", "b")
    electors.cut("a", way="back")
    electors.run(40)
    assert electors["a"].answer == '{"name":"a"}'
    assert electors["b"].answer == '{"name":"b"}'
    assert electors.workers == ("a", "b")
    electors.mend("a")
    electors.run(20)
    assert electors["a"].answer == '{"name":"b"}'


def test_an_elector_of_today_in_its_place_would_have_stopped():
    electors = started(quiet(lock="endpoints", lease_duration=10, renew_deadline=5, retry_period=2.5), "a", "b")
    electors.cut("a", way="back")
    electors.run(40)
    assert electors.workers == ("b",)
    assert when(electors, "a", "OnStoppedLeading") == pytest.approx(last_renewal(electors, "a") + 7.5, abs=0.05)


def test_it_does_not_give_the_lease_back_and_does_not_take_an_empty_one_at_once():
    electors = started(quiet(kind="sidecar"), "a", "b")
    electors.stop("a")
    empty = LeaderElectionRecord("", 1, 0, 0, 3)
    patch = {"metadata": {"annotations": {ANNOTATION: annotation_of(empty)}}}
    electors.ask(Patch("endpoints", "default", "demo", patch))
    emptied = electors.now_us / SECOND
    electors.run(20)
    assert when(electors, "b", "b became leader") > emptied + 10


def test_it_waits_for_as_long_as_it_was_itself_told_and_not_for_what_the_record_says():
    clock = HandClock(BEGIN, tick_us=1)
    api = OneObject()
    other = EndpointsLock("foo", "bar", "bing")
    run_by_hand(other.create(Context(clock), LeaderElectionRecord("bing", 600)), api, clock)
    sidecar = Sidecar("foo", "bar", "baz", clock)
    tried = sidecar.elector.try_acquire_or_renew(Context(clock))
    assert not run_by_hand(tried, api, clock)
    clock.go_on(10 * SECOND)
    assert run_by_hand(sidecar.elector.try_acquire_or_renew(Context(clock)), api, clock)


def test_every_renewal_reads_first():
    electors = started(quiet(kind="sidecar"), "a", seconds=10)
    verbs = [type(call.request).__name__ for call in electors.wires.calls if call.to == "api"]
    assert verbs[:4] == ["Get", "Create", "Get", "Get"]
    assert verbs[4:10] == ["Update", "Get", "Update", "Get", "Update", "Get"]


def test_two_rules_only_are_asked_of_its_durations():
    lock, clock = EndpointsLock("foo", "bar", ""), HandClock()
    nothing = {"on_started_leading": None, "on_stopped_leading": None, "on_new_leader": None}

    def made(lease, deadline, retry):
        durations = {"lease_duration_us": lease, "renew_deadline_us": deadline, "retry_period_us": retry}
        return SidecarElector(lock, clock, **durations, **nothing)

    with pytest.raises(BadConfig, match="leaseDuration must be greater than renewDeadline"):
        made(5, 5, 1)
    with pytest.raises(BadConfig, match="renewDeadline must be greater than retryPeriod"):
        made(15, 12, 10)
    assert made(3, 2, 0)
