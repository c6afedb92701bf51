"""The picture of an election in Kubernetes: pods, API server, etcd and Raft on one axis of time, driven by hand too."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import anywidget
import traitlets

from raft_lab.kube.electors import Electors
from raft_lab.raft.errors import RaftLabError
from raft_lab.view.assets import STATIC, bundle, styles
from raft_lab.view.elections import ElectionRecording, Json, ring_at
from raft_lab.view.pod_wishes import perform


class ElectorsLab(anywidget.AnyWidget):
    """The widget that `electors.lab()` shows.

    Args:
        electors: what to show; the same object that the code cells drive.
        title: a line above the picture.
    """

    _esm = bundle("electors.js")
    _css = styles() + (STATIC / "electors.css").read_text(encoding="utf-8")

    picture = traitlets.Any().tag(sync=True, to_json=lambda _, lab: lab._whole())

    def __init__(self, electors: Electors, *, title: str = "") -> None:
        if not isinstance(electors, Electors):
            raise TypeError(f"this picture shows Electors, not {electors!r}"[:200])
        self.electors = electors
        self._recording = ElectionRecording(electors, title)
        self._pods = list(electors.pods)
        self._code = ""
        self._acting = False
        super().__init__()
        self.on_msg(self._receive)
        self._stop_listening = electors.on_change(self._tell)

    def close(self) -> None:
        """Take the picture away; the pods go on."""
        if hasattr(self, "_stop_listening"):  # else it was refused before it was anything
            self._stop_listening()
        super().close()

    def _whole(self) -> Json:
        if not hasattr(self, "_recording"):
            return {}
        with self.electors.cluster.lock:
            return {**self._recording.whole(), "code": self._code}

    def _tell(self) -> None:
        """Send what is new, unless it is the browser itself that acts, and waits for the answer."""
        if self._acting:
            return
        with self.electors.cluster.lock:
            if self._pods != list(self.electors.pods):
                self._pods = list(self.electors.pods)
                self.send_state("picture")
            else:
                self.send({"type": "news", "news": {**self._recording.news(), "code": self._code}})

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        """Do what the browser asks for, on whatever thread it arrives, and answer with one message."""
        with self.electors.cluster.lock:
            self._acting = True
            try:
                self._go_on_where_it_stopped(content)
                answer = self._answer(content)
            except RaftLabError as error:
                answer = {"type": "refused", "text": str(error)}
            except Exception as error:  # the learner looks at the picture, not at a log
                answer = {"type": "refused", "text": f"{type(error).__name__}: {error}"}
            finally:
                self._acting = False
            if answer is None or answer["type"] == "refused":
                self._tell()
            if answer is not None:
                self.send(answer)

    def _go_on_where_it_stopped(self, content: Any) -> None:
        """A lab of the cluster may have gone back to look at something; the pods have not."""
        cluster = self.electors.cluster
        if content.get("do") != "look" and cluster.schedule.now_us < self._recording.now_us:
            cluster.goto(self._recording.tip.id)

    def _answer(self, content: Any) -> Json | None:
        """Do it; what to say to it, if that is not simply what is new."""
        match content:
            case {"do": "hello"}:
                return None
            case {"do": "look", "at_us": int(at)}:
                return {"type": "frame", "at_us": at, "frame": self._ring(at)}
        code = perform(self.electors, content)
        if not content.get("quiet"):
            self._code = code
        return None

    def _ring(self, at_us: int) -> Json:
        path = self._recording.tip.path()
        return ring_at(path[max(0, bisect_right(path, at_us, key=lambda step: step.schedule.now_us) - 1)])
