"""The talk's demo application: three pods behind one address, and a page that says whether the leader answered.

Beside the application there is a sidecar in each pod. The application asks it who leads, and compares that with its
own name: that is all it takes for an application to have a leader.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from raft_lab.kube.electors import Electors
from raft_lab.kube.explain import explain
from raft_lab.kube.objects import from_store
from raft_lab.kube.pods import PAUSED, RUNNING, Pod, PodView, view
from raft_lab.kube.records import BadRecord
from raft_lab.raft.errors import RaftLabError
from raft_lab.view.assets import STATIC, bundle
from raft_lab.view.elections import election_kind
from raft_lab.view.loopback import Loopback, Page
from raft_lab.view.pod_wishes import perform

PAGE = Page("Who leads?", "demo", "renderDemo", "followDemo")
SHOWN = 24
"""How many of the latest answers the page lists."""
BETWEEN_S = 1.0
"""So much of the cluster's time goes by before a page is loaded again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody got who loaded the page.

    Attributes:
        pod: who answered, or should have; "" if there was no pod to ask.
        name: who leads, as that pod's sidecar says; "" if it knows of nobody; None if nothing came.
        us: when, by the cluster's clock.
    """

    pod: str
    name: str | None
    us: int

    @property
    def is_leader(self) -> bool:
        """Whether the leader answered, as it says itself."""
        return self.name is not None and self.name == self.pod

    def __str__(self) -> str:
        if not self.pod:
            return "503: there is no pod that could answer"
        if self.name is None:
            return f"{self.pod} does not answer"
        if self.is_leader:
            return f"{self.pod}, the leader"
        return f"{self.pod}, not the leader ({f'that is {self.name}' if self.name else 'it knows of none'})"


class Demo(anywidget.AnyWidget):
    """The page, and below it the pods with what their sidecars say.

    Args:
        electors: pods, each with an elector that says who leads, such as `raft_lab.kube.stages.demo_of_2019()`.
    """

    _esm = bundle("demo.js")
    _css = STATIC / "demo.css"

    state: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, electors: Electors) -> None:
        if not isinstance(electors, Electors):
            raise TypeError(f"the demo shows Electors, not {electors!r}"[:200])
        self.electors = electors
        self.answers: list[Answer] = []
        """All that were given, in order."""
        self._turn = 0
        self._said = ""
        self._served: Loopback | None = None
        super().__init__(state=self._seen())
        self.on_msg(self._receive)
        self._stop_listening = electors.on_change(self._look)

    def get(self, pod: str = "") -> Answer:
        """Load the page now. Whoever looks back is taken to the present: nobody answers in the past.

        Args:
            pod: whom to ask; "": the next one that runs, as a Service of Kubernetes sends each request to another.

        Raises:
            UnknownName: there is no such pod.
        """
        with self.electors.cluster.lock:
            self.electors.to_present()
            asked = self.electors[pod] if pod else self._next()
            answer = Answer("", None, self.electors.now_us)
            if asked is not None:
                name = None if asked.state == PAUSED or not asked.lives else asked.leader
                answer = Answer(asked.name, name, self.electors.now_us)
            self.answers.append(answer)
            self._look()
            return answer

    def reload(self) -> Answer:
        """Load the page after a second of the cluster's time."""
        with self.electors.cluster.lock:
            self.electors.to_present()
            self.electors.run(BETWEEN_S)
            return self.get()

    def serve(self, port: int = 0) -> str:
        """Serve the page on this machine alone, too; answers with its address.

        `<address>answer` loads it as JSON, and `<address>pod-a` is what the sidecar of pod-a says.

        Args:
            port: where; 0: any that is free.

        Raises:
            OSError: the port is taken.
        """
        if self._served is None:
            self._served = Loopback(port, PAGE, self._seen(), self._over_http)
        return self._served.url

    def close(self) -> None:
        """Look no more, and serve no more; the pods go on."""
        if hasattr(self, "_stop_listening"):  # else it was refused before it was anything
            self._stop_listening()
        if getattr(self, "_served", None) is not None:
            assert self._served is not None
            self._served.close()
            self._served = None
        super().close()

    def _next(self) -> Pod | None:
        """The next pod, in turn, of those whose process is there."""
        pods = list(self.electors.pods.values())
        for number in range(len(pods)):
            pod = pods[(self._turn + number) % len(pods)]
            if pod.lives:
                self._turn += number + 1
                return pod
        return None

    def _over_http(self, path: str) -> str | None:
        name = path.removeprefix("/")
        if name == "answer":
            return json.dumps(_told(self.get()))
        with self.electors.cluster.lock:
            pod = self.electors.pods.get(name)
            return pod.answer if pod else None

    def _look(self) -> None:
        self.state = self._seen()
        if self._served is not None:
            self._served.tell(self.state)

    def _seen(self) -> dict[str, Any]:
        """What there is to see at the cluster's time, which somebody may have taken back; in plain values."""
        electors = self.electors
        world, now_us = electors.cluster.world, electors.now_us
        pods = tuple(view(pod) for pod in electors.pods.values())
        if now_us < electors.present_us:
            pods = electors.seen_at(electors.cluster.now.id)
        return {
            "time_us": now_us,
            "present_us": electors.present_us,
            "pods": [_pod(pod) for pod in pods],
            "answers": [_told(answer) for answer in self.answers if answer.us <= now_us][-SHOWN:],
            "kind": election_kind(electors).name,
            "name": f"{electors.namespace}/{electors.election}",
            "record": self._record(),
            "servers": [
                {"name": name, "leads": name == electors.cluster.leader, "down": name in world.crashed}
                for name in electors.cluster.servers
            ],
            "said": self._said,
        }

    def _record(self) -> list[list[str]]:
        """The record as the store has it, field by field."""
        electors = self.electors
        states = electors.cluster.world.servers.values()
        store = max((state.machine.data for state in states), key=lambda store: int(store.revision))
        found = store.keys.get(election_kind(electors).key(electors.namespace, electors.election))
        try:
            return [[name, value] for name, value, _ in explain(from_store(found)).rows] if found else []
        except BadRecord:
            return []

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        """Do what the browser asks for."""
        with self.electors.cluster.lock:
            self._said = ""
            try:
                if content == {"do": "reload"}:
                    self.reload()
                elif content == {"do": "present"}:
                    self.electors.to_present()
                else:
                    perform(self.electors, content)
            except RaftLabError as error:
                self._said = str(error)
            self._look()
            self.send({"type": "done"})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        lines = [f"{pod.name}: {pod.answer or pod.state}" for pod in self.electors.pods.values()]
        words = {"text/plain": "\n".join([*map(str, self.answers[-1:]), *lines])}
        made = super()._repr_mimebundle_(**kwargs)
        if isinstance(made, tuple):
            return ({**made[0], **words}, *made[1:])
        return {**made, **words} if isinstance(made, dict) else made


def _pod(pod: PodView) -> dict[str, Any]:
    lives = pod.state in (RUNNING, PAUSED)
    return {
        "name": pod.name,
        "state": pod.state,
        "answer": pod.answer or "",
        "leads": lives and pod.leader == pod.identity,
        "cut": pod.cut,
    }


def _told(answer: Answer) -> dict[str, Any]:
    return {"pod": answer.pod, "name": answer.name, "leader": answer.is_leader, "us": answer.us, "text": str(answer)}
