"""client-go's leader elector (k8s.io/client-go/tools/leaderelection), as a program that somebody lets run.

It promises less than one would like: "this implementation does not guarantee that only one client is acting as a
leader" says its first paragraph. What it does:

- Nobody compares the times in the record with a clock. A candidate looks when the record has last *changed*, by its own
  clock, and waits from then on for as long as the record says. So clocks may show anything, if they run equally fast.
- The leader writes a new renewTime every RetryPeriod. If that fails for RenewDeadline it gives up by itself, and hopes
  that this is before anybody else's wait is over.

All durations are microseconds. Names, order and conditions are client-go's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from raft_lab.kube.errors import ApiError
from raft_lab.kube.locks import Lock, LockError, is_conflict, is_not_found
from raft_lab.kube.processes import Clock, Context, NoAnswer, Program, Sleep
from raft_lab.kube.records import BadRecord, LeaderElectionRecord
from raft_lab.raft.errors import RaftLabError

SECOND = 1_000_000
JITTER_FACTOR = 1.2
NEVER = -(1 << 62)
"""A moment before all others: Go's zero time."""

FAILURES = (ApiError, NoAnswer, LockError, BadRecord)
"""How a request of a lock can fail."""


class BadConfig(RaftLabError, ValueError):
    """An elector cannot be made like this; the words are client-go's."""


def _nothing(identity: str) -> None:
    """Nobody wants to know who leads."""


def _at_once(callback: Callable[[], None]) -> None:
    callback()


@dataclass(frozen=True, slots=True)
class LeaderCallbacks:
    """Whom an elector tells what. client-go calls the first and the last in goroutines of their own.

    Attributes:
        on_started_leading: with the context of the work, which is canceled when it must end.
        on_stopped_leading: always at the end, also by an elector that has never led.
        on_new_leader: with the identity of a leader that was not known before, one's own included.
    """

    on_started_leading: Callable[[Context], None] | None
    on_stopped_leading: Callable[[], None] | None
    on_new_leader: Callable[[str], None] = _nothing


@dataclass(frozen=True, slots=True)
class LeaderElectionConfig:
    """How an elector is set up; the durations are those of Kubernetes' own components.

    Attributes:
        lock: where the record stands.
        callbacks: whom to tell.
        lease_duration_us: how long others wait after the last change that they saw; whole seconds of it.
        renew_deadline_us: how long a leader tries to renew before it gives up.
        retry_period_us: how long everybody waits between tries.
        watch_dog: tells a health check when the lease was not renewed.
        release_on_cancel: give the lease back at the end, so that the next one need not wait. Whoever sets it must see
            to it that the work has ended before.
        name: for messages.
        coordinated: renew only what a controller has assigned (KEP-4355).
    """

    lock: Lock | None
    callbacks: LeaderCallbacks
    lease_duration_us: int = 15 * SECOND
    renew_deadline_us: int = 10 * SECOND
    retry_period_us: int = 2 * SECOND
    watch_dog: HealthzAdaptor | None = None
    release_on_cancel: bool = False
    name: str = ""
    coordinated: bool = False

    def check(self) -> Lock:
        """The lock, if all of this makes sense to NewLeaderElector: the first objection wins.

        Not asked, although two may lead at once otherwise: whether the lease outlasts RenewDeadline + RetryPeriod.

        Raises:
            BadConfig: it does not.
        """
        objections = (
            (self.lease_duration_us <= self.renew_deadline_us, "leaseDuration must be greater than renewDeadline"),
            (
                self.renew_deadline_us <= int(JITTER_FACTOR * self.retry_period_us),
                "renewDeadline must be greater than retryPeriod*JitterFactor",
            ),
            (self.lease_duration_us < 1, "leaseDuration must be greater than zero"),
            (self.renew_deadline_us < 1, "renewDeadline must be greater than zero"),
            (self.retry_period_us < 1, "retryPeriod must be greater than zero"),
            (self.callbacks.on_started_leading is None, "OnStartedLeading callback must not be nil"),
            (self.callbacks.on_stopped_leading is None, "OnStoppedLeading callback must not be nil"),
        )
        for wrong, why in objections:
            if wrong:
                raise BadConfig(why)
        if self.lock is None:
            raise BadConfig("Lock must not be nil.")
        if self.lock.identity == "":
            raise BadConfig("Lock identity is empty")
        return self.lock


class LeaderElector:
    """One candidate.

    Args:
        config: see `LeaderElectionConfig`.
        clock: the clock of its process.
        jitter: numbers from 0 up to 1, by which waits differ.
        go: how a callback is begun that client-go begins in a goroutine. At once, where time is simulated; in real time
            `raft_lab.kube.remote.in_a_thread`, or the elector does not renew while the callback works.

    Raises:
        BadConfig: the config makes no sense.
    """

    def __init__(
        self,
        config: LeaderElectionConfig,
        clock: Clock,
        jitter: Callable[[], float] = lambda: 0.5,
        go: Callable[[Callable[[], None]], None] = _at_once,
    ) -> None:
        self.go = go
        self.lock = config.check()
        self.config = config
        self.clock = clock
        self.jitter = jitter
        self.observed_record = LeaderElectionRecord()
        self.observed_raw_record = b""
        self.observed_time_us = NEVER
        """When the record was last seen to change, or was written, by the clock of this process."""
        self.reported_leader = ""
        if config.watch_dog is not None:
            config.watch_dog.set_leader_election(self)

    # What others ask

    @property
    def is_leader(self) -> bool:
        """Whether the record that was seen last names this candidate. However old that is: it does not look at time."""
        return self.observed_record.holder_identity == self.lock.identity

    @property
    def leader(self) -> str:
        """Whom the record names that was seen last."""
        return self.observed_record.holder_identity

    def check(self, max_tolerable_expired_lease_us: int) -> str:
        """What a health check is told, '' if all is well: does it believe to lead although its lease is long over?"""
        age = self.clock.now_us() - self.observed_time_us
        if self.is_leader and age > self.config.lease_duration_us + max_tolerable_expired_lease_us:
            return f"failed election to renew leadership on lease {self.config.name}"
        return ""

    # Once through

    def run(self, context: Context) -> Program:
        """Wait until it leads, lead until it cannot any more or is told to stop, and return. Only once."""
        callbacks = self.config.callbacks
        assert callbacks.on_started_leading is not None
        assert callbacks.on_stopped_leading is not None
        leading = context.with_cancel()
        try:
            if (yield from self.acquire(context)):
                self.go(partial(callbacks.on_started_leading, leading))
                yield from self.renew(leading)
                leading.cancel()
        except Exception:  # a callback has failed; the end is told of all the same
            leading.cancel()
            callbacks.on_stopped_leading()
            raise
        callbacks.on_stopped_leading()

    def acquire(self, context: Context) -> Program:
        """Try until it is the leader, or the context is over; returns which of them."""
        while not context.done:
            succeeded = yield from self._try(context)
            self.maybe_report_transition()
            if succeeded:
                self.lock.record_event("became leader")
                return True
            period = self.config.retry_period_us
            yield Sleep(int(period * (1 + JITTER_FACTOR * self.jitter())), context)
        return False

    def renew(self, context: Context) -> Program:
        """Renew the lease until that fails for RenewDeadline, or the context is over."""
        while not context.done:
            renewed = yield from self._renew_in_time(context)
            self.maybe_report_transition()
            if not renewed:
                break
            yield Sleep(self.config.retry_period_us, context)
        if self.config.release_on_cancel:
            yield from self.release()
        self.lock.record_event("stopped leading")

    def _renew_in_time(self, context: Context) -> Program:
        """Try at once, and whenever RetryPeriod has passed since then, for RenewDeadline (PollUntilContextTimeout)."""
        context = context.with_timeout(self.config.renew_deadline_us)
        begun, period = self.clock.now_us(), self.config.retry_period_us
        tick = begun + period
        while not context.done:
            if (yield from self._try(context)):
                return True
            now = self.clock.now_us()
            if now < tick:  # else one has come meanwhile: go on at once
                yield Sleep(tick - now, context)
                now = self.clock.now_us()
            tick = begun + period * ((now - begun) // period + 1)
        return False

    def _try(self, context: Context) -> Program:
        return self.try_coordinated_renew(context) if self.config.coordinated else self.try_acquire_or_renew(context)

    # One try

    def try_acquire_or_renew(self, context: Context) -> Program:
        """Take the lease if it is free or over, or else renew it if it is one's own; returns whether that worked."""
        now = self.clock.now_us()
        record = self._new_record()

        # 1. The leader takes it that nothing has changed since its last write.
        if self.is_leader and self.is_lease_valid(now):
            record = _continued(record, self.observed_record)
            if (yield from self._write(self.lock.update(context, record), record)):
                return True

        # 2. Read the record, or make it.
        try:
            old, raw = yield from self.lock.get(context)
        except FAILURES as error:
            if not is_not_found(error):
                return False
            return (yield from self._write(self.lock.create(context, record), record))

        # 3. Has it changed since it was last seen? Whoever holds it, and is not known to be late, keeps it.
        self._observe(old, raw)
        if not self.may_take(old, now):
            return False

        # 4. Write it.
        if self.is_leader:
            record = _continued(record, old)
        else:
            record = replace(record, leader_transitions=old.leader_transitions + 1)
        return (yield from self._write(self.lock.update(context, record), record))

    def try_coordinated_renew(self, context: Context) -> Program:
        """Renew the lease if a controller has given it to this candidate; returns whether that worked."""
        now = self.clock.now_us()
        try:
            old, raw = yield from self.lock.get(context)
        except FAILURES:
            return False
        self._observe(old, raw)
        is_over = self.observed_time_us + old.lease_duration_seconds * SECOND < now
        if is_over or not self.is_leader or old.preferred_holder:  # the last: "end of term", somebody else shall lead
            return False
        record = replace(_continued(self._new_record(), old), strategy=old.strategy)
        return (yield from self._write(self.lock.update(context, record), record))

    def _new_record(self) -> LeaderElectionRecord:
        wall = self.clock.wall_us()
        return LeaderElectionRecord(self.lock.identity, self.config.lease_duration_us // SECOND, wall, wall)

    def _write(self, writing: Program, record: LeaderElectionRecord) -> Program:
        try:
            yield from writing
        except FAILURES:
            return False
        self.set_observed_record(record)
        return True

    def _observe(self, record: LeaderElectionRecord, raw: bytes) -> None:
        if raw != self.observed_raw_record:
            self.set_observed_record(record)
            self.observed_raw_record = raw

    def release(self) -> Program:
        """Give the lease back: an empty holder is free at once. Returns whether that worked.

        It asks what it saw last whether the lease is its own, and not what it reads here: so it can give back the lease
        of somebody who has taken it meanwhile.
        """
        context = Context(self.clock).with_timeout(self.config.renew_deadline_us)
        while True:
            try:
                old, _ = yield from self.lock.get(context)
                if not self.is_leader:
                    return True
                wall = self.clock.wall_us()
                record = LeaderElectionRecord("", 1, wall, wall, old.leader_transitions)
                yield from self.lock.update(context, record)
            except FAILURES as error:
                if is_conflict(error):  # a renewal that was under way has come through meanwhile
                    continue
                return False
            self.set_observed_record(record)
            return True

    def is_lease_valid(self, now_us: int) -> bool:
        """Whether the record changed within the time that it names itself."""
        return self.observed_time_us + self.observed_record.lease_duration_seconds * SECOND > now_us

    def may_take(self, record: LeaderElectionRecord, now_us: int) -> bool:
        """Whether it may write itself into this record, which it has just read.

        It may if nobody holds it, if it does itself, or if it has not changed for as long as the record says.
        """
        return not record.holder_identity or self.is_leader or not self.is_lease_valid(now_us)

    def set_observed_record(self, record: LeaderElectionRecord) -> None:
        """This is the record, as of now."""
        self.observed_record = record
        self.observed_time_us = self.clock.now_us()

    def maybe_report_transition(self) -> None:
        """Tell of a leader that was not told of before."""
        if self.observed_record.holder_identity != self.reported_leader:
            self.reported_leader = self.observed_record.holder_identity
            self.go(partial(self.config.callbacks.on_new_leader, self.reported_leader))


def _continued(record: LeaderElectionRecord, old: LeaderElectionRecord) -> LeaderElectionRecord:
    """A renewal: the holder took it when it took it, and nothing has gone from one to another."""
    return replace(record, acquire_time_us=old.acquire_time_us, leader_transitions=old.leader_transitions)


class HealthzAdaptor:
    """A health check (`/healthz/leaderElection`): it fails when an elector believes to lead but renews no more.

    Args:
        timeout_us: how long after the end of its lease a leader may still be called well.
    """

    def __init__(self, timeout_us: int) -> None:
        self.timeout_us = timeout_us
        self.elector: LeaderElector | None = None

    def set_leader_election(self, elector: LeaderElector) -> None:
        """This is the elector whose health is asked for."""
        self.elector = elector

    def check(self) -> str:
        """What is wrong, or ''."""
        return self.elector.check(self.timeout_us) if self.elector else ""
