"""What clients ask and are told, as JSON for the browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raft_lab.raft.log import Log
from raft_lab.raft.state import Accepted, Answer, Applied, ReadDone, Rejected
from raft_lab.sim import actions
from raft_lab.sim.tape import Step

Json = dict[str, Any]


def told(step: Step) -> Json:
    """What a client asked for at this step, and what clients were told."""
    told: Json = {}
    match step.action:
        case actions.Propose(_, op):
            told["ask"] = {"kind": "propose", "what": str(op)}
        case actions.Read(_, id, how):
            told["ask"] = {"kind": "read", "what": "read" if how == "read-index" else f"{how} read", "id": id}
    log = step.world.servers[step.action.actor].log if step.action and step.action.actor in step.world.servers else None
    answers = [encoded for answer in step.transition.answers if (encoded := _answer(answer, log))]
    if answers:
        told["answers"] = answers
    return told


def _answer(answer: Answer, log: Log | None) -> Json:
    match answer:
        case Accepted(index, term):
            return {"kind": "accepted", "index": index, "term": term}
        case Rejected(_, reason):
            return {"kind": "rejected", "what": reason}
        case Applied(index, _, reply) if log and log.first_index <= index <= log.last_index:
            return {"kind": "applied", "index": index, "term": log.term(index), "what": str(reply)}
        case ReadDone(id, index, content):
            return {"kind": "read", "id": id, "index": index, "what": content_text(content)}
    return {}


def content_by_key(content: Any) -> dict[str, str]:
    """What a state machine holds, by key."""
    if not isinstance(content, Mapping):
        content = content.shown() if hasattr(content, "shown") else {"": content}
    return {str(key): str(value) for key, value in content.items()}


def content_text(content: Any) -> str:
    """What a state machine holds, in one line."""
    return (
        ", ".join(f"{key} = {value}" if key else value for key, value in content_by_key(content).items()) or "nothing"
    )
