"""What only one may do at a time: a key of the store that the leader writes, with and without fencing.

A lease cannot keep a leader from working that does not know yet that it is none. Only what is written to can: it
refuses whoever comes with an older token than it has seen (Martin Kleppmann, "How to do distributed locking").
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from raft_lab.kube.processes import Ask, Context, NoAnswer, Program, Sleep
from raft_lab.kv.calls import Unknown
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import Compare, CompareResult, CompareTarget, Put, Range, Txn
from raft_lab.kv.responses import RangeResponse, TxnResponse

NONE, RESOURCE_VERSION, TRANSITIONS = "none", "resourceVersion", "leaseTransitions"
FENCING = (NONE, RESOURCE_VERSION, TRANSITIONS)
"""What a write has to show: nothing; the resourceVersion of the write by which the lease was acquired, which grows with
every write to etcd; or the lease's count of transitions, which begins anew when somebody deletes the lease."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was accepted.

    Attributes:
        revision: at which it happened.
        token: what its writer showed, or would have shown.
        turn: which time of leading it belongs to: the revision at which that was acquired.
        who: who wrote.
        number: the how manieth of this turn.
    """

    revision: int
    token: int
    turn: int
    who: str
    number: int


class Guarded:
    """A key that only the leader should write.

    Args:
        key: its name in the store.
        fencing: one of `FENCING`.
    """

    def __init__(self, key: str = "guarded", fencing: str = NONE) -> None:
        if fencing not in FENCING:
            raise ValueError(f"fencing is one of {', '.join(FENCING)}, not {fencing!r}")
        self.key = key
        self.fencing = fencing
        self.writes: list[Write] = []
        """All that were accepted, in the store's order."""
        self.rejected: list[Write] = []
        """Those that came with an older token than the last one accepted."""

    def request(self, token: int, turn: int, who: str, number: int) -> Any:
        """What to ask of the store. The token stands first in the value, so that the store can compare it."""
        key = self.key.encode()
        write = Put(key, f"{token:020} {turn} {number} {who}".encode())
        if self.fencing == NONE:
            return write
        newer = Compare(key, CompareTarget.VALUE, CompareResult.GREATER, f"{token:020}~".encode())
        return Txn((newer,), (Range(key),), (write,))

    def accepted(self, value: bytes, revision: int) -> None:
        """The store has taken a write."""
        self.writes.append(_write(value, revision))

    def was_stale(self, response: Any) -> bool:
        """Whether the store has refused a write by this response."""
        return isinstance(response, TxnResponse) and response.succeeded

    def shown(self, request: Any) -> int:
        """The token that a write shows, or would show."""
        put: Any = request.failure[0] if isinstance(request, Txn) else request
        return _write(put.value, 0).token

    def newest(self, refusal: TxnResponse) -> int:
        """The token that was seen when a write was refused."""
        [stands] = refusal.responses
        assert isinstance(stands, RangeResponse)
        return _write(stands.kvs[0].value, 0).token

    def answered(self, request: Any, response: Any) -> None:
        """The store has answered this: has it refused a write?"""
        if isinstance(request, Txn) and self.was_stale(response):
            put = request.failure[0]
            assert isinstance(put, Put)
            self.rejected.append(_write(put.value, response.revision))

    @property
    def interleaved(self) -> list[Write]:
        """The writes of an earlier turn that came after one of a later turn: what fencing is there to prevent."""
        newest, found = 0, []
        for write in self.writes:
            if write.turn < newest:
                found.append(write)
            newest = max(newest, write.turn)
        return found


def _write(value: bytes, revision: int) -> Write:
    token, turn, number, who = value.decode().split(" ", 3)
    return Write(revision, int(token), int(turn), who, int(number))


@dataclass(slots=True)
class Turn:
    """A time of leading: what its worker shows, taken once when the lease was acquired."""

    who: str
    version: int
    transitions: int

    def token(self, fencing: str) -> int:
        """What a write shows."""
        return self.transitions if fencing == TRANSITIONS else self.version


def work(guarded: Guarded, turn: Turn, every_us: int, context: Context) -> Program:
    """Write again and again as long as the context says so: as a leader's code does, which knows nothing else."""
    number = 0
    while not context.done:
        number += 1
        token = turn.token(guarded.fencing)
        with suppress(NoAnswer, EtcdError, Unknown):  # it does not matter here; an application would look
            yield Ask(guarded.request(token, turn.version, turn.who, number), context)
        yield Sleep(every_us, context)
