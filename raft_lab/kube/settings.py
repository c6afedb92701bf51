"""How a pod stands for election, and the candidate that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from raft_lab.kube.elector import SECOND, LeaderCallbacks, LeaderElectionConfig, LeaderElector
from raft_lab.kube.locks import LOCK_TYPES, lock_of
from raft_lab.kube.processes import Clock, Context
from raft_lab.kube.sidecar import Sidecar

CLIENT_GO, SIDECAR = "client-go", "sidecar"
LONGEST_S = 1e9
"""Some thirty years."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pod stands for election; durations are seconds, and by default those of Kubernetes' own components.

    Attributes:
        kind: "client-go", or "sidecar" for the elector of 2016.
        lock: "leases", "endpoints", "configmaps", "endpointsleases" or "configmapsleases"; a sidecar has "endpoints".
        lease_duration: how long others wait after the last change that they saw.
        renew_deadline: how long a leader tries to renew.
        retry_period: how long everybody waits between tries.
        release_on_cancel: give the lease back when told to stop.
        ttl: of a sidecar: its three durations are this, a half and a quarter of it.
        request_timeout: how long a request may take; None: client-go's choice, half of renew_deadline, at least 1 s.
        speed: how fast the pod's clock runs; 1 is right.
        offset: by how much its wall clock is wrong.
        work_every: how often the leader writes to what is guarded; 0: never.
        restart_after: how long after its process has ended the pod starts another one; None: it does not.
        unique_identity: every process has an identity of its own, as Kubernetes' own components have (host name and a
            UUID); else a process that is started again takes the lease of the one before it for its own.
        elector: of kind "client-go": the class that decides.
    """

    kind: str = CLIENT_GO
    lock: str = "leases"
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    release_on_cancel: bool = False
    ttl: float = 10.0
    request_timeout: float | None = None
    speed: float = 1.0
    offset: float = 0.0
    work_every: float = 1.0
    restart_after: float | None = None
    unique_identity: bool = False
    elector: type[LeaderElector] = LeaderElector

    def __post_init__(self) -> None:
        if self.kind not in (CLIENT_GO, SIDECAR):
            raise ValueError(f"kind is {CLIENT_GO!r} or {SIDECAR!r}, not {self.kind!r}")
        if self.lock not in LOCK_TYPES:
            raise ValueError(f"lock is one of {', '.join(LOCK_TYPES)}, not {self.lock!r}")
        if not (isinstance(self.speed, int | float) and 0 < self.speed < 1000):
            raise ValueError(f"speed is a number above 0, such as 1.1, not {self.speed!r}")
        if us(self.work_every) < 0 or us(self.restart_after or 0) < 0:
            raise ValueError("work_every and restart_after are seconds, 0 or more")

    @property
    def resource(self) -> str:
        """The kind of object in which the record stands; of two locks the Lease."""
        if self.kind == SIDECAR:
            return "endpoints"
        return "leases" if self.lock.endswith("leases") else self.lock

    @property
    def request_timeout_us(self) -> int:
        """How long a request may take."""
        given = self.request_timeout
        return us(max(1.0, self.renew_deadline / 2) if given is None else given)

    def but(self, changes: dict[str, Any]) -> Settings:
        """These settings with some changed.

        Raises:
            TypeError: there is no setting of this name.
        """
        known = [field.name for field in fields(Settings)]
        if unknown := sorted(changes.keys() - set(known)):
            raise TypeError(f"there is no setting {unknown[0]!r}; there are {', '.join(known)}")
        return replace(self, **changes)

    def candidate(
        self,
        place: tuple[str, str],
        identity: str,
        clock: Clock,
        jitter: Callable[[], float],
        started: Callable[[Context], None],
        note: Callable[[str], None],
    ) -> LeaderElector | Sidecar:
        """An elector, or a sidecar.

        Args:
            place: namespace and name of the election.
            identity: as whom it stands.
            clock: its own.
            jitter: numbers from 0 up to 1.
            started: called with the context of its work when it leads.
            note: told what happens to it.

        Raises:
            BadConfig: it cannot be made like this.
        """
        namespace, election = place
        if self.kind == SIDECAR:
            return Sidecar(
                namespace,
                election,
                identity,
                clock,
                ttl_us=us(self.ttl),
                recorder=note,
                jitter=jitter,
                on_started_leading=started,
            )
        callbacks = LeaderCallbacks(
            started, lambda: note("OnStoppedLeading"), lambda leader: note(f"OnNewLeader {leader!r}")
        )
        config = LeaderElectionConfig(
            lock_of(self.lock, namespace, election, identity, recorder=note, timeout_us=self.request_timeout_us),
            callbacks,
            us(self.lease_duration),
            us(self.renew_deadline),
            us(self.retry_period),
            release_on_cancel=self.release_on_cancel,
            name=election,
        )
        return self.elector(config, clock, jitter)


def us(seconds: float) -> int:
    """Seconds as microseconds.

    Raises:
        ValueError: this is no number of seconds.
    """
    if not (isinstance(seconds, int | float) and not isinstance(seconds, bool) and abs(seconds) < LONGEST_S):
        raise ValueError(f"{seconds!r} is no number of seconds"[:100])
    return round(seconds * SECOND)


def lasting_us(seconds: float) -> int:
    """A time that something lasts, as microseconds.

    Raises:
        ValueError: this is no number of seconds above 0.
    """
    if us(seconds) <= 0:
        raise ValueError(f"it must last for more than 0 seconds, not for {seconds!r}")
    return us(seconds)
