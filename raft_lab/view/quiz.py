"""Prediction questions on screen: choose, and be told why. They work without a kernel, and record nothing."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.cluster import Cluster
from raft_lab.view.assets import STATIC, bundle
from raft_lab.view.questions import Question


class Quiz(anywidget.AnyWidget):
    """A question on screen. `chosen` is the number of the answer chosen last, counted from 0, or -1.

    Args:
        question: what to ask.
        cluster: where an answer that has a run of its own shows it, if asked to; labs on it follow.
    """

    _esm = bundle("quiz.js")
    _css = STATIC / "quiz.css"

    question = traitlets.Unicode().tag(sync=True)
    answers: Any = traitlets.List().tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)

    def __init__(self, question: Question, cluster: Cluster | None = None) -> None:
        runs = [option.run if cluster is not None else None for option in question.options]
        answers = [
            {"text": option.text, "right": option.right, "because": option.because, "runs": run is not None}
            for option, run in zip(question.options, runs, strict=True)
        ]
        super().__init__(question=question.text, answers=answers)
        self._cluster, self._runs = cluster, runs
        self.on_msg(self._receive)

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        """Show the run of an answer."""
        match content:
            case {"do": "run", "answer": int(number)} if 0 <= number < len(self._runs):
                run = self._runs[number]
                if self._cluster is None or run is None:
                    return
                try:
                    with self._cluster.lock:
                        run(self._cluster)
                except RaftLabError as error:
                    self.send({"type": "said", "text": str(error)})
                else:
                    self.send({"type": "said", "text": "Look at the lab above: Back and Forward walk through it."})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        listed = "\n".join(f"  ( ) {answer['text']}" for answer in self.answers)
        words = {"text/plain": f"{self.question}\n{listed}"}
        bundle = super()._repr_mimebundle_(**kwargs)
        if isinstance(bundle, tuple):
            return ({**bundle[0], **words}, *bundle[1:])
        return {**bundle, **words} if isinstance(bundle, dict) else bundle
