"""Where the record stands: read, made, changed, in Leases and in annotations, as client-go's tests want it."""

import json

import pytest

from kube.scripted import BEGIN, NOT_FOUND, SECOND, OneObject, ScriptedApi, object_with
from raft_lab.kube.errors import ApiError
from raft_lab.kube.locks import UNKNOWN_LEADER, LeaseLock, LockError, MultiLock, lock_of
from raft_lab.kube.processes import Context, HandClock, run_by_hand
from raft_lab.kube.records import (
    ANNOTATION,
    BadRecord,
    LeaderElectionRecord,
    annotation_of,
    of_annotation,
    of_spec,
    spec_of,
)

LOCKS = ["leases", "endpoints", "configmaps"]
RECORD = LeaderElectionRecord("me", 15, BEGIN, BEGIN + SECOND, 1)
CLOCK = HandClock(BEGIN)
CONTEXT = Context(CLOCK)


def do(api, program):
    return run_by_hand(program, api, CLOCK)


@pytest.mark.parametrize("lock_type", LOCKS)
def test_what_is_created_can_be_read_and_changed(lock_type):
    api, lock = OneObject(), lock_of(lock_type, "foo", "bar", "me")
    do(api, lock.create(CONTEXT, RECORD))
    assert do(api, lock.get(CONTEXT))[0] == RECORD

    do(api, lock.update(CONTEXT, LeaderElectionRecord("you", 15)))

    assert do(api, lock.get(CONTEXT))[0].holder_identity == "you"
    assert lock.resource_version == "3"
    assert api.object["metadata"]["name"] == "bar"
    assert api.object["kind"] == {"leases": "Lease", "endpoints": "Endpoints", "configmaps": "ConfigMap"}[lock_type]


@pytest.mark.parametrize("lock_type", LOCKS)
def test_what_is_not_there_is_not_found_and_what_is_there_is_not_made_again(lock_type):
    api, lock = OneObject(), lock_of(lock_type, "foo", "bar", "me")
    with pytest.raises(ApiError, match="not found"):
        do(api, lock.get(CONTEXT))
    do(api, lock.create(CONTEXT, RECORD))
    with pytest.raises(ApiError) as error:
        do(api, lock.create(CONTEXT, RECORD))
    assert error.value.reason == "AlreadyExists"


@pytest.mark.parametrize(
    ("lock_type", "words"),
    [("leases", "lease"), ("endpoints", "endpoint"), ("configmaps", "configmap")],
)
def test_what_was_not_read_cannot_be_changed(lock_type, words):
    api, lock = OneObject(object_with(RECORD, lock_type)), lock_of(lock_type, "foo", "bar", "me")
    with pytest.raises(LockError, match=f"^{words} not initialized, call get or create first$"):
        do(api, lock.update(CONTEXT, RECORD))
    assert api.calls == []


def test_after_a_conflict_every_update_fails_until_the_object_is_read():
    api, lock = OneObject(), LeaseLock("foo", "bar", "me")
    do(api, lock.create(CONTEXT, RECORD))
    api.written(api.object)
    for _ in range(2):
        with pytest.raises(ApiError, match="modified"):
            do(api, lock.update(CONTEXT, RECORD))
    do(api, lock.get(CONTEXT))
    do(api, lock.update(CONTEXT, RECORD))


def test_everything_else_in_the_object_stays():
    api = OneObject()
    api.written({"metadata": {"name": "bar", "annotations": {"other": "x"}}, "subsets": [1]})
    lock = lock_of("endpoints", "foo", "bar", "me")
    do(api, lock.get(CONTEXT))
    do(api, lock.update(CONTEXT, RECORD))
    assert api.object["subsets"] == [1]
    assert api.object["metadata"]["annotations"] == {"other": "x", ANNOTATION: annotation_of(RECORD)}


@pytest.mark.parametrize(
    ("there", "mine", "after"),
    [
        ({"a": "1", "b": "2"}, {"a": "3"}, {"a": "3", "b": "2"}),
        (None, {"a": "3"}, {"a": "3"}),
        ({"a": "1"}, None, {"a": "1"}),
    ],
)
def test_ones_own_labels_are_set_and_others_stay(there, mine, after):
    api = OneObject()
    api.written({"metadata": {"name": "bar", "labels": there}, "spec": {}})
    lock = LeaseLock("foo", "bar", "me", labels=mine)
    do(api, lock.get(CONTEXT))
    do(api, lock.update(CONTEXT, RECORD))
    assert api.object["metadata"]["labels"] == after


def test_events_say_who_and_need_no_listener():
    heard = []
    LeaseLock("foo", "bar", "me", recorder=heard.append).record_event("became leader")
    LeaseLock("foo", "bar", "me").record_event("became leader")
    assert heard == ["me became leader"]
    assert LeaseLock("foo", "bar", "me").describe() == "foo/bar"


# Records


def test_a_lease_and_a_record_say_the_same():
    full = LeaderElectionRecord("foo", 10, BEGIN + 123_456, BEGIN + 234_567, 1, "strategy", "preferred")
    for record in (full, LeaderElectionRecord("foo", 10, BEGIN + 123_456, BEGIN + 234_567, 1)):
        assert of_spec(spec_of(record)) == record
    assert spec_of(full)["renewTime"] == "2023-11-14T22:13:20.234567Z"
    assert of_spec({}) == LeaderElectionRecord()


def test_an_annotation_has_client_gos_order_and_whole_seconds():
    record = LeaderElectionRecord("B", 4, BEGIN + 999_999, BEGIN + 2 * SECOND, 0)
    assert annotation_of(record) == (
        '{"holderIdentity":"B","leaseDurationSeconds":4,"acquireTime":"2023-11-14T22:13:20Z",'
        '"renewTime":"2023-11-14T22:13:22Z","leaderTransitions":0}'
    )
    assert of_annotation(annotation_of(record)).renew_time_us == BEGIN + 2 * SECOND


def test_a_renewal_within_the_same_second_looks_like_none():
    """client-go compares the record as JSON, where times have whole seconds, also that of a Lease."""
    api, lock = OneObject(), LeaseLock("foo", "bar", "me")
    do(api, lock.create(CONTEXT, LeaderElectionRecord("me", 15, BEGIN, BEGIN)))
    first = do(api, lock.get(CONTEXT))[1]
    do(api, lock.update(CONTEXT, LeaderElectionRecord("me", 15, BEGIN, BEGIN + 900_000)))
    assert do(api, lock.get(CONTEXT))[1] == first
    do(api, lock.update(CONTEXT, LeaderElectionRecord("me", 15, BEGIN, BEGIN + SECOND)))
    assert do(api, lock.get(CONTEXT))[1] != first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("leader", "not JSON"),
        ("[]", "holds no record"),
        ('{"leaseDurationSeconds":"4"}', "leaseDurationSeconds must be a whole number, not '4'"),
        ('{"holderIdentity":7}', "holderIdentity must be text, not 7"),
        ('{"leaseDurationSeconds":true}', "must be a whole number, not True"),
        ('{"renewTime":"2026-11-23 07:43:11.765596"}', "no time such as"),
        ('{"renewTime":12}', "no time such as"),
        ('{"renewTime":"T"}', "no time such as"),
    ],
)
def test_what_is_no_record_is_said_to_be_none(text, words):
    with pytest.raises(BadRecord, match=words):
        of_annotation(text)


def test_the_python_clients_annotation_is_one_that_client_go_never_acquires():
    """kubernetes 37's ConfigMapLock writes its duration as text and local times."""
    theirs = {"holderIdentity": "A", "leaseDurationSeconds": "4", "acquireTime": "2026-11-23 07:43:11.765596"}
    api = OneObject({"metadata": {"annotations": {ANNOTATION: json.dumps(theirs)}}})
    with pytest.raises(BadRecord):
        do(api, lock_of("configmaps", "foo", "bar", "me").get(CONTEXT))


# Two locks at once


class Both:
    """An API with an Endpoints object and a Lease."""

    def __init__(self):
        self.of = {"endpoints": OneObject(), "leases": OneObject()}

    def __call__(self, request):
        return self.of[request.resource](request)


def test_who_holds_one_half_only_does_not_lead():
    both, mine, theirs = Both(), lock_of("endpointsleases", "foo", "bar", "me"), lock_of("leases", "foo", "bar", "you")
    do(both, theirs.create(CONTEXT, LeaderElectionRecord("you", 15)))
    with pytest.raises(ApiError):
        do(both, mine.create(CONTEXT, LeaderElectionRecord("me", 15)))
    assert do(both, mine.get(CONTEXT))[0].holder_identity == UNKNOWN_LEADER


def test_two_locks_are_written_together():
    both, lock = Both(), lock_of("configmapsleases", "foo", "bar", "me")
    both.of["configmaps"] = both.of.pop("endpoints")
    do(both, lock.create(CONTEXT, RECORD))
    do(both, lock.update(CONTEXT, LeaderElectionRecord("me", 15, leader_transitions=2)))
    record, raw = do(both, lock.get(CONTEXT))
    assert (record.holder_identity, record.leader_transitions) == ("me", 2)
    assert raw.count(b"holderIdentity") == 2
    assert isinstance(lock, MultiLock)
    assert lock.describe() == "foo/bar"


def test_an_old_elector_that_knows_only_the_first_lock_is_respected():
    both = Both()
    do(both, lock_of("endpoints", "foo", "bar", "old").create(CONTEXT, LeaderElectionRecord("old", 15)))
    assert do(both, lock_of("endpointsleases", "foo", "bar", "me").get(CONTEXT))[0].holder_identity == "old"


@pytest.mark.parametrize("lock_type", ["", "pods", "leasesleases", "podsleases"])
def test_other_locks_there_never_were(lock_type):
    with pytest.raises(LockError, match=f"^Invalid lock-type {lock_type}$"):
        lock_of(lock_type, "foo", "bar", "me")


def test_the_lock_gives_a_request_no_longer_than_its_own_time():
    lock = LeaseLock("foo", "bar", "me", timeout_us=SECOND)
    asked = next(lock.get(CONTEXT.with_timeout(3 * SECOND)))
    assert asked.context.deadline_us == CLOCK.time_us + SECOND
    assert ScriptedApi(get=lambda request: NOT_FOUND).calls == []
