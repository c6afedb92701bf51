"""The elector of 2016 as a sidecar (`leader-elector:0.5` of kubernetes/contrib), which applications ask over HTTP.

It runs beside the application in the same pod, and says to whoever asks on its port who leads: `{"name": "…"}`. Its
algorithm is client-go's in an early state. What came later: the count of transitions survives a renewal; an empty
holder is free at once; the first try to renew is not put off; a request has a deadline; a lease can be given back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from raft_lab.kube.elector import FAILURES, JITTER_FACTOR, NEVER, SECOND, BadConfig
from raft_lab.kube.errors import ApiError
from raft_lab.kube.locks import EndpointsLock, is_conflict, is_not_found
from raft_lab.kube.processes import Ask, Clock, Context, Program, Sleep
from raft_lab.kube.records import LeaderElectionRecord
from raft_lab.kube.requests import Create


class SidecarElector:
    """The sidecar's candidate: client-go's elector as it was when it was part of Kubernetes' own code (v1.4).

    Args:
        lock: the annotation of an Endpoints object.
        clock: the clock of its process.
        lease_duration_us: how long others wait after the last change that they saw: each for as long as it was itself
            told, whatever the record says.
        renew_deadline_us: how long a leader tries to renew.
        retry_period_us: how long everybody waits between tries.
        on_started_leading: with the context of the work.
        on_stopped_leading: at the end.
        on_new_leader: with the identity of a leader that was not known before.
        jitter: numbers from 0 up to 1, by which waits differ.

    Raises:
        BadConfig: it cannot be made like this; the words are client-go's.
    """

    def __init__(
        self,
        lock: EndpointsLock,
        clock: Clock,
        *,
        lease_duration_us: int,
        renew_deadline_us: int,
        retry_period_us: int,
        on_started_leading: Callable[[Context], None],
        on_stopped_leading: Callable[[], Program],
        on_new_leader: Callable[[str], None],
        jitter: Callable[[], float] = lambda: 0.5,
    ) -> None:
        if lease_duration_us <= renew_deadline_us:
            raise BadConfig("leaseDuration must be greater than renewDeadline")
        if renew_deadline_us <= int(JITTER_FACTOR * retry_period_us):
            raise BadConfig("renewDeadline must be greater than retryPeriod*JitterFactor")
        self.lock = lock
        self.clock = clock
        self.lease_duration_us = lease_duration_us
        self.renew_deadline_us = renew_deadline_us
        self.retry_period_us = retry_period_us
        self.on_started_leading = on_started_leading
        self.on_stopped_leading = on_stopped_leading
        self.on_new_leader = on_new_leader
        self.jitter = jitter
        self.observed_record = LeaderElectionRecord()
        self.observed_time_us = NEVER
        self.reported_leader = ""

    @property
    def is_leader(self) -> bool:
        """Whether the record that was seen last names this candidate."""
        return self.observed_record.holder_identity == self.lock.identity

    def run(self, context: Context) -> Program:
        """Wait until it leads, and lead until it cannot any more."""
        yield from self._acquire(context)
        if not context.done:
            leading = context.with_cancel()
            self.on_started_leading(leading)
            yield from self._renew(leading)
            leading.cancel()
        yield from self.on_stopped_leading()

    def _acquire(self, context: Context) -> Program:
        while not context.done:
            succeeded = yield from self.try_acquire_or_renew(context)
            self._maybe_report_transition()
            if succeeded:
                self.lock.record_event("became leader")
                return
            yield Sleep(int(self.retry_period_us * (1 + JITTER_FACTOR * self.jitter())), context)

    def _renew(self, context: Context) -> Program:
        renewed = True
        while renewed and not context.done:
            renewed = yield from self._renew_in_time(context)
            self._maybe_report_transition()
        self.lock.record_event("stopped leading")

    def _renew_in_time(self, context: Context) -> Program:
        """Try after RetryPeriod, and so on; the last time when RenewDeadline is over (wait.Poll).

        That it is over ends no request: one without an answer is waited for, and the sidecar says its own name.
        """
        end = self.clock.now_us() + self.renew_deadline_us
        while not context.done:
            rest = end - self.clock.now_us()
            yield Sleep(min(self.retry_period_us, max(rest, 0)), context)
            if (yield from self.try_acquire_or_renew(context)):
                return True
            if rest <= self.retry_period_us:
                return False
        return False

    def try_acquire_or_renew(self, context: Context) -> Program:
        """Take the lease if it is free or over, or else renew it if it is one's own; returns whether that worked."""
        now, wall = self.clock.now_us(), self.clock.wall_us()
        record = LeaderElectionRecord(self.lock.identity, self.lease_duration_us // SECOND, wall, wall)
        try:
            old, raw = yield from self.lock.get(context)
        except FAILURES as error:
            return is_not_found(error) and (yield from self._write(self.lock.create(context, record), record))
        mine = old.holder_identity == self.lock.identity
        if raw:
            if old != self.observed_record:
                self._observe(old)
            if self.observed_time_us + self.lease_duration_us > now and not mine:
                return False
        if mine:
            record = replace(record, acquire_time_us=old.acquire_time_us)  # its leaderTransitions is 0: not copied
        else:
            record = replace(record, leader_transitions=old.leader_transitions + 1)
        return (yield from self._write(self.lock.update(context, record), record))

    def _write(self, writing: Program, record: LeaderElectionRecord) -> Program:
        try:
            yield from writing
        except FAILURES:
            return False
        self._observe(record)
        return True

    def _observe(self, record: LeaderElectionRecord) -> None:
        self.observed_record = record
        self.observed_time_us = self.clock.now_us()

    def _maybe_report_transition(self) -> None:
        if self.observed_record.holder_identity != self.reported_leader:
            self.reported_leader = self.observed_record.holder_identity
            self.on_new_leader(self.reported_leader)


def _no_work(context: Context) -> None:
    """The image does nothing but answer who leads."""


class Sidecar:
    """The container `leader-elector:0.5`: `--election=name --election-namespace=namespace --id=identity --ttl=10s`.

    Args:
        namespace: of the election.
        election: its name: that of the Endpoints object.
        identity: who stands in the record; its pod's host name.
        clock: the clock of its process.
        ttl_us: how long a lease lasts; half of it is the time to renew it, a quarter the time between tries.
        recorder: is told of events.
        jitter: numbers from 0 up to 1, by which waits differ.
        on_started_leading: with the context of the work: the image has none, but a pod may follow it.
    """

    def __init__(
        self,
        namespace: str,
        election: str,
        identity: str,
        clock: Clock,
        *,
        ttl_us: int = 10 * SECOND,
        recorder: Callable[[str], None] | None = None,
        jitter: Callable[[], float] = lambda: 0.5,
        on_started_leading: Callable[[Context], None] = _no_work,
    ) -> None:
        self.name = ""
        """Who leads, as far as it knows."""
        self._on_started_leading = on_started_leading
        self.lock = EndpointsLock(namespace, election, identity, recorder=recorder)
        self.elector = SidecarElector(
            self.lock,
            clock,
            lease_duration_us=ttl_us,
            renew_deadline_us=ttl_us // 2,
            retry_period_us=ttl_us // 4,
            on_started_leading=self._started,
            on_stopped_leading=self._ask_who_leads,
            on_new_leader=self._now_leads,
            jitter=jitter,
        )
        self.context = Context(clock)

    def answer(self) -> str:
        """What it says over HTTP, on every path, with status 200."""
        return json.dumps({"name": self.name}, separators=(",", ":"))

    def run(self, context: Context) -> Program:
        """Run until the container is killed; returns why, should it end by itself.

        The object is made first, without a record. Of two that do so at the same time the second ends here: it looks
        for a Conflict, and is told AlreadyExists. Kubernetes starts the container again.
        """
        self.context = context
        try:
            try:
                yield from self._read()
            except ApiError as error:
                if not is_not_found(error):
                    raise
                metadata = {"name": self.lock.name, "namespace": self.lock.namespace}
                made = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
                try:
                    yield Ask(Create("endpoints", self.lock.namespace, made), context)
                except ApiError as refused:
                    if not is_conflict(refused):
                        raise
            self.name = yield from self._read()
        except FAILURES as error:
            return f"failed to create election: {error}"
        while not context.done:
            yield from self.elector.run(context)
        return ""

    def _read(self) -> Program:
        record, _ = yield from self.lock.get(self.context)
        return record.holder_identity

    def _started(self, context: Context) -> None:
        self.name = self.lock.identity
        self._on_started_leading(context)

    def _now_leads(self, identity: str) -> None:
        self.name = identity

    def _ask_who_leads(self) -> Program:
        try:
            self.name = yield from self._read()
        except FAILURES:
            self.name = ""
