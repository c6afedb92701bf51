"""The lab: the live picture of a cluster, driven by hand and by code alike.

The browser has every step that it was told, and plays them without the kernel. It asks the kernel only to do
something, and is told only what is new: one message there, one back. With an answer come the steps that are likely
to be asked for next, so that a click on Step shows its picture before the kernel has confirmed it.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.cluster import Cluster, Driver
from raft_lab.sim.errors import ActionRefused
from raft_lab.sim.files import write_whole
from raft_lab.sim.tape import Step
from raft_lab.view import frames, page, picture, wishes
from raft_lab.view.ask import asked
from raft_lab.view.assets import bundle, styles

LIKELY = 2
"""How many steps the browser is told ahead of time."""


class Lab(anywidget.AnyWidget):
    """The widget that `cluster.lab()` shows.

    Args:
        cluster: what to show; the same object that the code cells drive. Several labs may show one cluster.
        title: a line above the picture.
        speed: how fast Play begins, from 0.25 to 8.
        ask: a question about what comes next, one of `raft_lab.view.ask.QUESTIONS`.
    """

    _esm = bundle("lab.js")
    _css = styles()

    tape = traitlets.Any().tag(sync=True, to_json=lambda _, lab: lab._whole_tape())
    options = traitlets.Dict().tag(sync=True)

    def __init__(self, cluster: Cluster, *, title: str = "", speed: float = 1, ask: str = "") -> None:
        if not isinstance(cluster, Cluster):
            raise TypeError(f"a lab shows a Cluster, not {cluster!r}")
        if not (isinstance(speed, int | float) and 0.25 <= speed <= 8):
            raise ValueError(f"speed must be a number from 0.25 to 8, not {speed!r}")
        if not isinstance(title, str):
            raise TypeError(f"the title is a line of text, not {title!r}"[:200])
        self.cluster = cluster
        self.title = title
        self._told = 0
        self._answering = 0
        self._trouble: Exception | None = None
        self._recording = frames.Recording(cluster)
        question = {"ask": asked(cluster, ask)} if ask else {}
        super().__init__(options={"speed": speed, "rules": frames.rule_book(), **question})
        self._told = self._all_told()
        self.on_msg(self._receive)
        self._stop_listening = cluster.on_change(self._tell)

    def close(self) -> None:
        """Take the picture away; the cluster goes on."""
        if hasattr(self, "_stop_listening"):  # else it was refused before it was anything
            self._stop_listening()
        super().close()

    def ask(self, question: str) -> None:
        """Ask what comes next, such as "which server wins?"; it is answered by a click, and judged by what happens.

        Raises:
            ValueError: there is no such question.
            ActionRefused: it makes no sense now.
        """
        self.options = {**self.options, "ask": asked(self.cluster, question)}

    def save_html(self, path: str | PathLike[str]) -> Path:
        """Write the whole tape as one web page that plays and scrubs offline, without Python.

        Raises:
            TraceError: it cannot be written there.
        """
        with self.cluster.lock:
            return page.save(path, self.cluster, title=self.title)

    def save_svg(self, path: str | PathLike[str]) -> Path:
        """Write the present situation as an SVG picture, for slides and papers.

        Raises:
            TraceError: it cannot be written there.
        """
        with self.cluster.lock:
            return write_whole(path, picture.svg(self.cluster) + "\n")

    def _whole_tape(self) -> frames.Json:
        if not hasattr(self, "cluster"):
            return {}
        with self.cluster.lock:
            return {
                "packed": self._recording.packed(),
                "cursor": self.cluster.now.id,
                "title": self.title,
                "names": frames.names(self.cluster.tape),
            }

    def _all_told(self) -> int:
        steps = self._recording.steps()
        return self._recording.first + len(steps)

    def _tell(self, reply_to: int = 0) -> None:
        if self._answering and not reply_to:
            return
        with self.cluster.lock:
            steps = self._recording.steps()
            first, driver = self._recording.first, self.cluster.driver
            new, self._told = steps[max(0, self._told - first) :], first + len(steps)
            likely = self.cluster.foresee(LIKELY) if reply_to and driver is None else []
            self.send(
                {
                    "type": "steps",
                    "steps": new,
                    "cursor": self.cluster.now.id,
                    "first": first,
                    "total": first + len(steps),
                    "live": {"paused": driver.paused, "speed": driver.speed} if driver is not None else None,
                    "names": frames.names(self.cluster.tape),
                    "likely": [self._recording.encoded(step) for step in likely],
                    "reply_to": reply_to,
                }
            )
            self._tell_trouble(driver)

    def _tell_trouble(self, driver: Driver | None) -> None:
        """Say once why time stands still, though nobody here has asked for it."""
        before, self._trouble = self._trouble, driver.trouble if driver is not None else None
        if self._trouble is not None and self._trouble is not before:
            text = f"The cluster was paused, since it cannot go on: {self._trouble}"
            self.send({"type": "refused", "text": text, "cursor": self.cluster.now.id, "reply_to": 0})

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
        if self._told < len(self.cluster.tape):
            self._tell(reply_to=-1)  # what was done before it came to that
        self.send({"type": "refused", "text": text, "cursor": self.cluster.now.id, "reply_to": number})

    def _answer(self, content: Any) -> bool:
        """Do it; whether the browser waits for an answer."""
        match content:
            case {"do": "hello", "have": int(have)}:
                self._told = max(0, min(have, self._told))
                return True
            case {"do": "live"} if self.cluster.driver is not None:
                self._drive(content)
                return True
            case {"do": "goto", "step": int(step)}:
                self._go(step)
                return False
            case {"do": "step", "at": int(at), **rest}:
                self._go(at)
                count = rest.get("count", 1)
                if not isinstance(count, int) or not 1 <= count <= 1000:
                    raise ActionRefused(f"a picture asks for 1 to 1000 steps at a time, not {count!r}")
                self.cluster.step(count)
                return True
            case {"do": "run", "at": int(at), "until": str(what)}:
                self._go(at)
                wishes.run_until(self.cluster, what)
                return True
            case {"do": "act", "at": int(at), "verb": str(verb), "args": list(args)}:
                self.cluster.perform(wishes.action(self._go(at), verb, args))
                return True
            case {"do": "name", "step": int(step), "name": str(name)}:
                self.cluster.name(name, step)
                return True
        raise ActionRefused(f"this picture and this raft_lab do not fit together: {content!r}"[:300])

    def _go(self, number: int) -> Step:
        """Where a wish begins. Where time flows by itself the browser may look at the past, but all happens now."""
        if self.cluster.driver is None:
            return self.cluster.goto(number)
        return (
            self.cluster.tape[number]
            if self.cluster.tape.first <= number < len(self.cluster.tape)
            else self.cluster.now
        )

    def _drive(self, wish: dict[str, Any]) -> None:
        driver = self.cluster.driver
        assert driver is not None
        match wish:
            case {"speed": int(speed) | float(speed)}:
                driver.speed = speed
            case {"paused": True}:
                driver.pause()
            case {"paused": False}:
                driver.resume()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if isinstance(bundle, tuple):
            return ({**bundle[0], "text/plain": picture.text(self.cluster)}, *bundle[1:])
        return {**bundle, "text/plain": picture.text(self.cluster)} if isinstance(bundle, dict) else bundle
