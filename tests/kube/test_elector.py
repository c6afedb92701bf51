"""client-go's own scenarios, on our elector: what it asks for, what it takes from the answers, what it tells."""

import pytest

from kube.scripted import (
    BEGIN,
    CONFLICT,
    NOT_FOUND,
    SECOND,
    Candidate,
    OneObject,
    ScriptedApi,
    Told,
    object_with,
)
from raft_lab.kube.elector import (
    BadConfig,
    HealthzAdaptor,
    LeaderCallbacks,
    LeaderElectionConfig,
    LeaderElector,
)
from raft_lab.kube.errors import ApiError
from raft_lab.kube.locks import LeaseLock
from raft_lab.kube.processes import Ask, Canceled, HandClock, Sleep
from raft_lab.kube.records import LeaderElectionRecord

Record = LeaderElectionRecord
NEVER, PAST, FUTURE = -(1 << 62), BEGIN - 3_600_000 * SECOND, BEGIN + 3_600_000 * SECOND
LOCKS = ["leases", "endpoints", "configmaps"]


def api_with(record, lock_type):
    """The object holds this record, and every write works."""
    return ScriptedApi(
        get=lambda request: object_with(record, lock_type),
        update=lambda request: request.object,
        create=lambda request: request.object,
    )


# What is there, what was seen of it before and when -> does it work, who leads then, transitions, what was asked for
TRIES = {
    "an object without a record": (None, Record(), NEVER, True, "baz", 1, ["get", "update"]),
    "a record of nobody": (Record(), Record(), NEVER, True, "baz", 1, ["get", "update"]),
    "a record that is long old": (Record("bing"), Record("bing"), PAST, True, "baz", 1, ["get", "update"]),
    "an empty holder, just seen": (Record(""), Record(), FUTURE, True, "baz", 1, ["get", "update"]),
    "somebody else's, just seen": (Record("bing"), Record(), FUTURE, False, "bing", 0, ["get"]),
    "one's own": (Record("baz"), Record("baz"), FUTURE, True, "baz", 0, ["get", "update"]),
}


@pytest.mark.parametrize("lock_type", LOCKS)
@pytest.mark.parametrize("name", TRIES)
def test_one_try(name, lock_type):
    there, seen, seen_at, works, holder, transitions, calls = TRIES[name]
    api = api_with(there, lock_type)
    baz = Candidate(api, lock_type)
    baz.observes(seen, seen_at)

    assert baz.do(baz.elector.try_acquire_or_renew(baz.context)) is works

    assert baz.elector.leader == holder
    assert baz.elector.observed_record.leader_transitions == transitions
    assert api.calls == calls
    baz.elector.maybe_report_transition()
    assert baz.told.calls == [f"leader is {holder!r}"]
    assert baz.told.events == []


@pytest.mark.parametrize("lock_type", LOCKS)
def test_where_there_is_no_object_it_makes_one(lock_type):
    api = ScriptedApi(get=lambda request: NOT_FOUND, create=lambda request: request.object)
    baz = Candidate(api, lock_type)

    assert baz.do(baz.elector.try_acquire_or_renew(baz.context))

    assert api.calls == ["get", "create"]
    assert (baz.elector.leader, baz.elector.observed_record.leader_transitions) == ("baz", 0)


@pytest.mark.parametrize("lock_type", LOCKS)
def test_a_record_that_was_just_seen_for_the_first_time_is_waited_for_as_long_as_it_says(lock_type):
    api = api_with(Record("bing", 3), lock_type)
    baz = Candidate(api, lock_type)
    assert not baz.do(baz.elector.try_acquire_or_renew(baz.context))
    baz.clock.go_on(3 * SECOND - 100)
    assert not baz.do(baz.elector.try_acquire_or_renew(baz.context))
    baz.clock.go_on(100)

    assert baz.do(baz.elector.try_acquire_or_renew(baz.context))

    assert api.calls == ["get", "get", "get", "update"]
    assert baz.elector.observed_record.leader_transitions == 1


def test_the_record_says_how_long_it_is_waited_for_and_not_the_one_who_waits():
    """Until v0.26 it was the one who waits."""
    baz = Candidate(api_with(Record("bing", 60), "leases"), lease_duration_us=10 * SECOND)
    assert not baz.do(baz.elector.try_acquire_or_renew(baz.context))
    baz.clock.go_on(59 * SECOND)
    assert not baz.do(baz.elector.try_acquire_or_renew(baz.context))


def test_the_times_in_the_record_do_not_matter():
    baz = Candidate(api_with(Record("bing", 3, BEGIN + 10**13, BEGIN + 10**13), "leases"))
    assert not baz.do(baz.elector.try_acquire_or_renew(baz.context))
    baz.clock.go_on(3 * SECOND)
    assert baz.do(baz.elector.try_acquire_or_renew(baz.context))


@pytest.mark.parametrize(("holder", "works", "calls"), [("bing", False, ["get"]), ("baz", True, ["get", "update"])])
def test_in_a_coordinated_election_it_only_renews_what_it_was_given(holder, works, calls):
    api = api_with(Record(holder), "leases")
    baz = Candidate(api, coordinated=True)
    baz.observes(Record("baz") if holder == "baz" else Record(), FUTURE)

    assert baz.do(baz.elector.try_coordinated_renew(baz.context)) is works

    assert api.calls == calls
    assert (baz.elector.leader, baz.elector.observed_record.leader_transitions) == (holder, 0)


@pytest.mark.parametrize(
    "record", [Record("baz", 10, preferred_holder="bing"), Record("baz", 10, strategy="x", preferred_holder="bing")]
)
def test_a_coordinated_leader_lets_go_when_somebody_else_is_preferred(record):
    baz = Candidate(api_with(record, "leases"), coordinated=True)
    baz.observes(Record("baz"), BEGIN)
    assert not baz.do(baz.elector.try_coordinated_renew(baz.context))


def test_a_new_process_says_that_it_leads_as_soon_as_it_has_read_its_own_identity():
    """Kubernetes' own components have a new identity in every process."""
    api = ScriptedApi(get=lambda request: object_with(Record("baz", 15)), update=lambda request: CONFLICT)
    baz = Candidate(api)
    assert not baz.do(baz.elector.try_acquire_or_renew(baz.context))
    assert baz.elector.is_leader


# Release


def test_release_gives_the_lease_back_and_says_so():
    api = OneObject()
    baz = Candidate(api)
    baz.do(baz.elector.try_acquire_or_renew(baz.context))
    baz.elector.maybe_report_transition()

    assert baz.do(baz.elector.release())
    baz.elector.maybe_report_transition()

    assert api.calls == ["get", "create", "get", "update"]
    assert baz.told.calls == ["leader is 'baz'", "leader is ''"]
    spec = api.object["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("", 1, 0)
    assert spec["renewTime"] == spec["acquireTime"]


def test_release_tries_again_when_a_renewal_has_come_in_between():
    conflicts = iter([CONFLICT])
    api = ScriptedApi(
        get=lambda request: object_with(Record("baz", 10)),
        update=lambda request: next(conflicts, request.object),
    )
    baz = Candidate(api)
    baz.observes(Record("baz"), BEGIN)

    assert baz.do(baz.elector.release())
    assert api.calls == ["get", "update", "get", "update"]


@pytest.mark.parametrize("error", [NOT_FOUND, ApiError(500, "InternalError", "etcdserver: no leader")])
def test_release_fails_when_the_record_cannot_be_read(error):
    baz = Candidate(ScriptedApi(get=lambda request: error))
    baz.observes(Record("baz"), BEGIN)
    assert not baz.do(baz.elector.release())


def test_release_leaves_alone_what_belongs_to_somebody_else():
    api = api_with(Record("bing", 10), "leases")
    baz = Candidate(api)
    baz.observes(Record("bing"), BEGIN)
    assert baz.do(baz.elector.release())
    assert api.calls == ["get"]


def test_release_gives_back_what_is_somebody_elses_by_now_if_it_has_not_heard_of_that():
    """It reads the record for its version only, and asks IsLeader of what it saw before: so it is in client-go."""
    api = OneObject()
    api.written(object_with(Record("bing", 10)))
    baz = Candidate(api)
    baz.observes(Record("baz", 10), BEGIN)
    assert baz.do(baz.elector.release())
    assert api.object["spec"]["holderIdentity"] == ""


QUICK = {"lease_duration_us": 15 * SECOND, "renew_deadline_us": 2 * SECOND, "retry_period_us": SECOND}


def test_canceled_in_the_middle_of_an_update_it_gives_the_lease_back():
    api = OneObject()
    baz = Candidate(api, release_on_cancel=True, **QUICK)
    updates = 0

    def update(request):
        nonlocal updates
        updates += 1
        if updates % 2 == 1 and updates < 5:
            return Canceled()  # the fast path is left out
        if updates == 4:
            baz.context.cancel()
            return Canceled()
        return api.update(request)

    api.answers["update"] = update
    baz.do(baz.elector.run(baz.context))

    assert updates == 5
    assert api.object["spec"]["holderIdentity"] == ""
    assert baz.told.events == ["baz became leader", "baz stopped leading"]


def test_canceled_in_the_middle_of_a_get_it_gives_the_lease_back():
    api = OneObject()
    baz = Candidate(api, release_on_cancel=True, **QUICK)
    gets = updates = 0

    def get(request):
        nonlocal gets
        gets += 1
        if gets == 4:
            baz.context.cancel()
            return Canceled()
        return api.get(request)

    def update(request):
        nonlocal updates
        updates += 1
        return Canceled() if updates % 2 == 1 else api.update(request)  # the fast path is left out

    api.answers |= {"get": get, "update": update}
    baz.do(baz.elector.run(baz.context))

    assert api.object["spec"]["holderIdentity"] == ""
    assert baz.told.events == ["baz became leader", "baz stopped leading"]


# Run


def renewing(cancel_at, conflict_at=None):
    """A leader that is told to stop in the middle of an update; answers with what it has asked for."""
    api = OneObject()
    baz = Candidate(api, **QUICK)
    updates = 0

    def update(request):
        nonlocal updates
        updates += 1
        if updates == conflict_at:
            return CONFLICT
        if updates == cancel_at:
            baz.context.cancel()
        return api.update(request)

    api.answers["update"] = update
    baz.do(baz.elector.run(baz.context))
    assert baz.told.calls == ["leader is 'baz'", "started", "stopped"]
    assert baz.told.leading.canceled
    return api.calls


def test_a_leader_renews_by_one_update_each():
    assert renewing(cancel_at=2) == ["get", "create", "update", "update"]


def test_when_somebody_has_written_in_between_it_reads_first():
    assert renewing(cancel_at=4, conflict_at=2) == ["get", "create", "update", "update", "get", "update", "update"]


def test_on_stopped_leading_is_called_although_it_never_led():
    baz = Candidate(api_with(Record("bing", 3600), "leases"))
    waits = baz.elector.run(baz.context)
    wish = next(waits)
    assert isinstance(wish, Ask)
    assert isinstance(waits.send(object_with(Record("bing", 3600))), Sleep)
    baz.context.cancel()
    with pytest.raises(StopIteration):
        waits.send(None)
    assert baz.told.calls == ["leader is 'bing'", "stopped"]


def test_waits_between_tries_differ_by_up_to_2_2_times_the_retry_period():
    def first_wait(jitter):
        baz = Candidate(api_with(Record("bing", 60), "leases"))
        baz.elector.jitter = lambda: jitter
        running = baz.elector.run(baz.context)
        next(running)
        return running.send(object_with(Record("bing", 60))).us

    assert (first_wait(0.0), first_wait(0.5), first_wait(1.0)) == (2 * SECOND, 3.2 * SECOND, 4.4 * SECOND)


def lost_at(**api_and_config):
    """When a leader gives up whose API stops to answer after the first renewal, in seconds after that renewal."""
    api = OneObject()
    baz = Candidate(api, **api_and_config)
    renewed = []

    def update(request):
        if renewed:
            raise ApiError(500, "InternalError", "etcdserver: request timed out")
        renewed.append(baz.clock.time_us)
        api.answers["get"] = lambda request: ApiError(500, "InternalError", "etcdserver: request timed out")
        return api.update(request)

    api.answers["update"] = update
    baz.do(baz.elector.run(baz.context))
    assert baz.told.calls[-1] == "stopped"
    return (baz.clock.time_us - renewed[0]) / SECOND


@pytest.mark.parametrize(
    ("lease", "deadline", "retry", "stops"), [(15, 10, 2, 12), (6, 4, 1, 5), (4, 3.9, 3, 6.9), (10, 5, 2.5, 7.5)]
)
def test_a_leader_stops_at_its_last_renewal_plus_retry_period_plus_renew_deadline(lease, deadline, retry, stops):
    durations = (int(seconds * SECOND) for seconds in (lease, deadline, retry))
    names = ("lease_duration_us", "renew_deadline_us", "retry_period_us")
    assert lost_at(**dict(zip(names, durations, strict=True))) == pytest.approx(stops, abs=0.001)


def test_is_leader_flips_early_and_the_work_is_told_late():
    """Somebody edits the record. The next try sees it; the work goes on until RenewDeadline is over."""
    api = OneObject()
    baz = Candidate(api, lease_duration_us=15 * SECOND, renew_deadline_us=10 * SECOND, retry_period_us=2 * SECOND)
    seen = []

    def update(request):
        api.object = object_with(Record("intruder", 15))
        return CONFLICT

    def get(request):
        if baz.told.leading:
            seconds = round((baz.clock.time_us - BEGIN) / SECOND, 3)
            seen.append((seconds, baz.elector.is_leader, list(baz.told.calls)))
        return api.get(request)

    api.answers |= {"get": get, "update": update}
    baz.do(baz.elector.run(baz.context))

    assert seen[0] == (0.0, True, ["leader is 'baz'", "started"])
    assert seen[1:] == [(at, False, ["leader is 'baz'", "started"]) for at in (2.0, 4.0, 6.0, 8.0)]
    assert round((baz.clock.time_us - BEGIN) / SECOND, 3) == 10.0
    assert baz.told.calls == ["leader is 'baz'", "started", "leader is 'intruder'", "stopped"]


# Setting up


def config(**changes):
    told = Told()
    usual = {"lock": LeaseLock("foo", "bar", "baz"), "callbacks": told.callbacks()}
    return LeaderElectionConfig(**{**usual, **changes})


nothing = LeaderCallbacks(lambda context: None, lambda: None)

OBJECTIONS = [
    ({"lease_duration_us": 10 * SECOND}, "leaseDuration must be greater than renewDeadline"),
    (
        {"renew_deadline_us": 1_200_000, "retry_period_us": SECOND},
        "renewDeadline must be greater than retryPeriod*JitterFactor",
    ),
    (
        {"lease_duration_us": 0, "renew_deadline_us": -1, "retry_period_us": -2},
        "leaseDuration must be greater than zero",
    ),
    (
        {"lease_duration_us": 1, "renew_deadline_us": 0, "retry_period_us": -1},
        "renewDeadline must be greater than zero",
    ),
    ({"lease_duration_us": 2, "renew_deadline_us": 1, "retry_period_us": 0}, "retryPeriod must be greater than zero"),
    ({"callbacks": LeaderCallbacks(None, None)}, "OnStartedLeading callback must not be nil"),
    ({"callbacks": LeaderCallbacks(lambda context: None, None)}, "OnStoppedLeading callback must not be nil"),
    ({"lock": None}, "Lock must not be nil."),
    ({"lock": LeaseLock("foo", "bar", "")}, "Lock identity is empty"),
]


@pytest.mark.parametrize(("changes", "words"), OBJECTIONS)
def test_what_makes_no_sense_is_refused_in_client_gos_words(changes, words):
    with pytest.raises(BadConfig) as error:
        LeaderElector(config(**changes), HandClock())
    assert str(error.value) == words


def test_of_two_objections_the_first_is_told():
    with pytest.raises(BadConfig, match=r"^leaseDuration must be greater than renewDeadline$"):
        LeaderElector(config(lease_duration_us=1, lock=None, callbacks=LeaderCallbacks(None, None)), HandClock())


@pytest.mark.parametrize(
    ("lease", "deadline", "retry"), [(15, 10, 2), (15, 2, 1), (4, 3.9, 3), (2, 1.201, 1), (0.9, 0.5, 0.1)]
)
def test_what_is_accepted_although_some_of_it_is_dangerous(lease, deadline, retry):
    durations = {
        "lease_duration_us": int(lease * SECOND),
        "renew_deadline_us": int(deadline * SECOND),
        "retry_period_us": int(retry * SECOND),
    }
    assert not LeaderElector(config(**durations), HandClock()).is_leader


# Health


@pytest.mark.parametrize(
    ("holder", "age", "verdict"),
    [
        ("baz", 3600, "failed election to renew leadership on lease foo"),
        ("bing", 3600, ""),
        ("baz", 0, ""),
        ("baz", 61, ""),
        ("baz", 81, "failed election to renew leadership on lease foo"),
    ],
)
def test_the_health_check_fails_when_a_leader_has_not_renewed_for_long(holder, age, verdict):
    clock, adaptor = HandClock(), HealthzAdaptor(20 * SECOND)
    elector = LeaderElector(config(lease_duration_us=60 * SECOND, name="foo", watch_dog=adaptor), clock)
    elector.set_observed_record(Record(holder))
    clock.go_on(age * SECOND)
    assert adaptor.check() == verdict


def test_a_health_check_without_an_elector_is_content():
    assert HealthzAdaptor(20 * SECOND).check() == ""
