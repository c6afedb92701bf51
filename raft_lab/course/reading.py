"""Lesson 05: when a leader may answer a read, and what each way of reading costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raft_lab.check.explore import Bounds
from raft_lab.course.exercises import Exercise
from raft_lab.raft.server import Server
from raft_lab.raft.state import Applied, ReadDone
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster

if TYPE_CHECKING:
    import pandas as pd


# --- The exercise ------------------------------------------------------------------------------------


def _asked_while_deposed(server: type[Server]) -> Cluster:
    """S1 does not know that it leads no more, and a client asks it."""
    cluster = stages.deposed()
    cluster.swap(server)
    return cluster


def _asked_just_elected(server: type[Server]) -> Cluster:
    """S2 has just been elected, and a client asks it."""
    cluster = stages.just_elected()
    cluster.swap(server)
    return cluster


ANSWER_READS = Exercise(
    ("answer_reads", "is_confirmed", "may_take_read_index"),
    ("AppendEntriesReply", "InstallSnapshotReply", "ReadRequest"),
    (
        (_asked_while_deposed, Bounds(term=2, reads=1, messages=8, states=1_500)),
        (_asked_just_elected, Bounds(term=2, reads=1, messages=8, states=1_500)),
    ),
    source="section 6.4 of the dissertation",
)


# --- What reading costs ------------------------------------------------------------------------------


def reads_compared(trials: int = 20) -> pd.DataFrame:
    """Each way of reading, on five servers: how long until the answer, how many messages, whether it is written.

    Args:
        trials: how many reads of each kind, with seeds 0, 1, 2 …

    Returns:
        One row a way of reading: median latency in milliseconds, messages, entries in the log.
    """
    import pandas as pd

    rows = {}
    for how in ("through the log", "read-index", "lease", "local"):
        costs = [_cost(how, seed) for seed in range(trials)]
        rows[how] = {
            "ms until the answer (median)": round(sorted(ms for ms, _ in costs)[trials // 2], 1),
            "messages": max(messages for _, messages in costs),
            "entries written": int(how == "through the log"),
            "strong": {"lease": "if clocks are good", "local": "no"}.get(how, "yes"),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _cost(how: str, seed: int) -> tuple[float, int]:
    """Milliseconds until the answer, and messages that it took."""
    cluster = Cluster(5, seed=seed, rules=["leader stickiness"])
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.run_until(lambda c: c.leader is not None and all(s.commit_index == 2 for s in c.world.servers.values()))
    cluster.run_until(lambda c: not c.messages)
    asked, begun = len(cluster.history), cluster.schedule.now_us
    if how == "through the log":
        cluster.propose("get x")
    else:
        cluster.read(how=how)
    cluster.run_until(
        lambda c: any(_is_answer(answer) for step in c.history[asked:] for answer in step.transition.answers)
    )
    sent = [m for step in cluster.history[asked:] for m in step.transition.sent]
    return (cluster.schedule.now_us - begun) / 1000, len(sent)


def _is_answer(answer: object) -> bool:
    return isinstance(answer, ReadDone) or (isinstance(answer, Applied) and answer.command.op == "get x")
