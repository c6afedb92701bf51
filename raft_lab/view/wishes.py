"""What a browser asks for, as values of the engine. What comes from a browser is not trusted to be in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raft_lab.raft.rules import turned
from raft_lab.raft.server import Server
from raft_lab.raft.state import Leader
from raft_lab.sim import actions
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused, UnknownName
from raft_lab.sim.tape import Step

_ON_MESSAGE = {a.verb: a for a in (actions.Deliver, actions.Drop, actions.Duplicate, actions.Hold, actions.Release)}
_ON_SERVER = {
    a.verb: a
    for a in (
        *(actions.Timeout, actions.Silence, actions.Heartbeat, actions.CheckQuorum, actions.Compact),
        *(actions.WriteDisk, actions.Crash, actions.Restart, actions.Boot),
    )
}
_ON_LINK = {a.verb: a for a in (actions.Cut, actions.Mend)}


def action(step: Step, verb: str, args: list[Any]) -> actions.Action:
    """The action that a click asks for.

    Raises:
        ActionRefused, UnknownName: there is no such action here.
    """
    match verb, args:
        case _, [str(key)] if verb in _ON_MESSAGE:
            return _ON_MESSAGE[verb](_message(step, key))
        case "delay", [str(key), int(ms)]:
            return actions.Delay(_message(step, key), ms * 1000)
        case _, [str(server)] if verb in _ON_SERVER:
            return _ON_SERVER[verb](server)
        case _, [str(src), str(dst)] if verb in _ON_LINK:
            return _ON_LINK[verb](src, dst)
        case "propose", [str(server), str(op)]:
            return actions.Propose(server, op)
        case "read", [str(server), str(how)]:
            return actions.Read(server, f"r{len(step.path())}", how)
        case "transfer_leadership", [str(server), str(to)]:
            return actions.TransferLeadership(server, to)
        case "reconfigure", [str(server), list(voters), list(learners)] if _are_names(voters) and _are_names(learners):
            return actions.Reconfigure(server, frozenset(voters), frozenset(learners))
        case "partition", [*groups] if all(isinstance(g, list) and _are_names(g) for g in groups):
            return actions.Partition(tuple(frozenset(group) for group in groups if group))
        case "heal", []:
            return actions.Heal()
        case "switch", [str(rule), bool(on)]:
            behaviour = step.world.behaviour
            if isinstance(behaviour, type) and issubclass(behaviour, Server):
                return actions.Swap(turned(behaviour, rule, on))
    raise ActionRefused(f"there is no action {verb!r} with {args!r}"[:200])


def _message(step: Step, key: str) -> Any:
    for flight in step.schedule.flights:
        if f"m{flight.serial}" == key:
            return flight.message
    raise UnknownName("this message is not in flight any more")


def _are_names(names: list[Any]) -> bool:
    return all(isinstance(name, str) for name in names)


MOST_STEPS = 2000
"""So long a picture runs until something is so."""


def run_until(cluster: Cluster, what: str) -> None:
    """Let due things happen, at least one, until `what` has come about.

    Raises:
        ActionRefused: it did not come about; the steps taken stay on the tape.
    """
    if what not in _UNTIL:
        raise ActionRefused(f"one can run until one of {', '.join(_UNTIL)}, not until {what!r}"[:200])
    name, so = _UNTIL[what]
    cluster.step()
    try:
        cluster.run_until(so, max_steps=MOST_STEPS)
    except ActionRefused as refused:
        if "raise max_steps" in str(refused):
            raise ActionRefused(f"after {MOST_STEPS} more steps there is still no {name}") from None
        raise


def _has_elected(cluster: Cluster) -> bool:
    step = cluster.now
    before = step.parent.world.servers if step.parent else {}
    return any(
        isinstance(state.role, Leader) and not (name in before and isinstance(before[name].role, Leader))
        for name, state in step.world.servers.items()
    )


def _has_committed(cluster: Cluster) -> bool:
    before = cluster.now.parent
    return before is not None and (cluster.world.ghosts.committed.last_index > before.world.ghosts.committed.last_index)


def _logs_are_equal(cluster: Cluster) -> bool:
    logs = [state.log for name, state in cluster.world.servers.items() if name not in cluster.world.crashed]
    ends = {(log.last_index, log.last_term) for log in logs}
    return len(ends) == 1 and all(log.same_prefix(logs[0], log.last_index) for log in logs)


def _is_broken(cluster: Cluster) -> bool:
    return bool(cluster.now.violations)


_UNTIL: dict[str, tuple[str, Callable[[Cluster], bool]]] = {
    "leader": ("new leader", _has_elected),
    "commit": ("new committed entry", _has_committed),
    "equal": ("moment at which all running servers have the same log", _logs_are_equal),
    "violation": ("broken rule", _is_broken),
}
