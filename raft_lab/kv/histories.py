"""What clients of the store asked and were told, as a history for the linearizability checker."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from raft_lab.kv.calls import NO_LEADER, TIMED_OUT, Unknown
from raft_lab.kv.clients import Asked
from raft_lab.kv.requests import LeaseExpire, LeaseExpireResponse, Range
from raft_lab.raft.log import Command
from raft_lab.sim.tape import Step

if TYPE_CHECKING:
    from raft_lab.check.histories import History, Operation

REQUEST, LEASES_END = "etcdctl", "leases end"
"""The kinds of operations."""


def history(asked: Sequence[Asked], path: Sequence[Step]) -> History:
    """Every request as one would give it to etcdctl, and every end of leases.

    Reads that may be stale are left out: nothing is promised of them. That leases end is an operation, too; it is read
    off what was committed, since no client asks for it.

    Args:
        asked: what was asked for.
        path: all steps from the first on.
    """
    from raft_lab.check.histories import History

    moments = [step for step in path for _ in (0, 1)]
    return History(
        (*_requests(asked), *_leases_ended(path)),
        source=f"{len(path[-1].world.servers)} servers, {len(asked)} requests",
        times_us=tuple(step.schedule.now_us for step in moments),
        steps=tuple(step.id for step in moments),
    )


def _requests(asked: Sequence[Asked]) -> Iterator[Operation]:
    from raft_lab.check.histories import Operation

    for each in asked:
        request, outcome = each.call.request, each.call.outcome
        if isinstance(request, Range) and request.serializable:
            continue
        returned = None if isinstance(outcome, Unknown) else each.returned
        failed = returned is not None and (outcome is NO_LEADER or outcome is TIMED_OUT)
        result = None if returned is None or failed else outcome
        yield Operation(each.client, REQUEST, None, request, each.called, returned, result, failed)


def _leases_ended(path: Sequence[Step]) -> Iterator[Operation]:
    from raft_lab.check.histories import Operation

    ghosts, behaviour = path[-1].world.ghosts, path[-1].world.behaviour
    for index in range(path[0].world.ghosts.committed.last_index + 1, ghosts.committed.last_index + 1):
        command = ghosts.committed.entry(index).value
        if not (isinstance(command, Command) and isinstance(command.op, LeaseExpire)):
            continue
        reply = ghosts.reply(index, behaviour)
        if isinstance(reply, LeaseExpireResponse) and reply.expired:
            begun = bisect_left(path, command.time_us, key=lambda step: step.schedule.now_us)
            over = max(begun, bisect_left(path, index, key=lambda step: step.world.ghosts.committed.last_index))
            yield Operation("time", LEASES_END, None, reply.expired, 2 * begun, 2 * over, reply)
