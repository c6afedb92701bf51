"""The lab: the live picture of a cluster, driven by hand and by code alike.

The browser has every step that it was told, and plays them without the kernel. It asks the kernel only to do
something, and is told only what is new: one message there, one back.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from raft_lab.raft.errors import RaftLabError
from raft_lab.sim import actions
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused, UnknownName
from raft_lab.sim.tape import Step
from raft_lab.view import frames, picture

STATIC = Path(__file__).parent / "static"


def bundle(entry: str) -> str:
    """One ES module out of `entry` and the modules beside it that it imports, each after what it needs."""
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name in done:
            return
        done[name] = ""
        source = (STATIC / name).read_text(encoding="utf-8")
        for needed in re.findall(r'^import .* from "\./(.*)";$', source, flags=re.MULTILINE):
            add(needed)
        source = re.sub(r"^import .*;$\n", "", source, flags=re.MULTILINE)
        del done[name]
        done[name] = re.sub(r"^export (?!default)", "", source, flags=re.MULTILINE)

    add(entry)
    return "\n".join(done.values())


class Lab(anywidget.AnyWidget):
    """The widget that `cluster.lab()` shows.

    Args:
        cluster: what to show; the same object that the code cells drive. Several labs may show one cluster.
        title: a line above the picture.
        speed: how fast Play begins, from 0.25 to 8.
    """

    _esm = bundle("lab.js")
    _css = STATIC / "lab.css"

    tape = traitlets.Any().tag(sync=True, to_json=lambda _, lab: lab._whole_tape())
    options = traitlets.Dict().tag(sync=True)

    def __init__(self, cluster: Cluster, *, title: str = "", speed: float = 1) -> None:
        if not isinstance(cluster, Cluster):
            raise TypeError(f"a lab shows a Cluster, not {cluster!r}")
        if not (isinstance(speed, int | float) and 0.25 <= speed <= 8):
            raise ValueError(f"speed must be a number from 0.25 to 8, not {speed!r}")
        self.cluster = cluster
        self.title = title
        self._told = 0
        self._answering = 0
        self._encoded: list[frames.Json] = []
        super().__init__(options={"speed": speed})
        self._told = len(self._encoded)
        self.on_msg(self._receive)
        self._stop_listening = cluster.on_change(self._tell)

    def close(self) -> None:
        """Take the picture away; the cluster goes on."""
        self._stop_listening()
        super().close()

    def _steps_upto_now(self) -> list[frames.Json]:
        tape = self.cluster.tape
        while len(self._encoded) < len(tape):
            self._encoded.append(frames.encode_step(tape.steps[len(self._encoded)]))
        return self._encoded

    def _whole_tape(self) -> frames.Json:
        if not hasattr(self, "cluster"):
            return {}
        with self.cluster.lock:
            return {
                "steps": list(self._steps_upto_now()),
                "cursor": self.cluster.now.id,
                "title": self.title,
                "modified": self._modified(),
            }

    def _modified(self) -> str:
        return self.cluster.modified

    def _tell(self, reply_to: int = 0) -> None:
        if self._answering and not reply_to:
            return
        with self.cluster.lock:
            steps = self._steps_upto_now()
            new, self._told = steps[self._told :], len(steps)
            self.send(
                {
                    "type": "steps",
                    "steps": new,
                    "cursor": self.cluster.now.id,
                    "total": len(steps),
                    "modified": self._modified(),
                    "reply_to": reply_to,
                }
            )

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        """Do what the browser asks for, on whatever thread it arrives, and answer with one message."""
        number = content.get("n", 0) if isinstance(content, dict) else 0
        with self.cluster.lock:
            self._answering += 1
            try:
                answer = self._answer(content)
            except RaftLabError as error:
                self._refuse(str(error), number)
            except Exception as error:  # the learner looks at the picture, not at a log
                self._refuse(f"{type(error).__name__}: {error}", number)
            else:
                if answer:
                    self._tell(reply_to=number or -1)
            finally:
                self._answering -= 1

    def _refuse(self, text: str, number: int) -> None:
        self.send({"type": "refused", "text": text, "cursor": self.cluster.now.id, "reply_to": number})

    def _answer(self, content: Any) -> bool:
        """Do it; whether the browser waits for an answer."""
        match content:
            case {"do": "hello", "have": int(have)}:
                self._told = max(0, min(have, self._told))
                return True
            case {"do": "goto", "step": int(step)}:
                self.cluster.goto(step)
                return False
            case {"do": "step", "at": int(at), **rest}:
                self.cluster.goto(at)
                count = rest.get("count", 1)
                if not isinstance(count, int) or not 1 <= count <= 1000:
                    raise ActionRefused(f"a picture asks for 1 to 1000 steps at a time, not {count!r}")
                self.cluster.step(count)
                return True
            case {"do": "act", "at": int(at), "verb": str(verb), "args": list(args)}:
                at_step = self.cluster.goto(at)
                self.cluster.perform(_action(at_step, verb, args))
                return True
        raise ActionRefused(f"this picture and this raft_lab do not fit together: {content!r}"[:300])

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if isinstance(bundle, tuple):
            return ({**bundle[0], "text/plain": picture.text(self.cluster)}, *bundle[1:])
        return {**bundle, "text/plain": picture.text(self.cluster)} if isinstance(bundle, dict) else bundle


_ON_MESSAGE = {a.verb: a for a in (actions.Deliver, actions.Drop, actions.Duplicate, actions.Hold, actions.Release)}
_ON_SERVER = {
    a.verb: a
    for a in (
        *(actions.Timeout, actions.Silence, actions.Heartbeat, actions.CheckQuorum, actions.Compact),
        *(actions.WriteDisk, actions.Crash, actions.Restart, actions.Boot),
    )
}
_ON_LINK = {a.verb: a for a in (actions.Cut, actions.Mend)}


def _action(step: Step, verb: str, args: list[Any]) -> actions.Action:
    """The action that a click asks for; what comes from a browser is not trusted to be in order."""
    match verb, args:
        case _, [str(key)] if verb in _ON_MESSAGE:
            for flight in step.schedule.flights:
                if f"m{flight.serial}" == key:
                    return _ON_MESSAGE[verb](flight.message)
            raise UnknownName("this message is not in flight any more")
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
    raise ActionRefused(f"there is no action {verb!r} with {args!r}"[:200])


def _are_names(names: list[Any]) -> bool:
    return all(isinstance(name, str) for name in names)
