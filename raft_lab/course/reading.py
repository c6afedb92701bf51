"""Lesson 05: when a leader may answer a read, and what each way of reading costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from raft_lab.check.explore import Bounds
from raft_lab.course.comparing import first_difference, log_of, one_difference
from raft_lab.course.exercises import Difference, Exercise
from raft_lab.raft.log import Command, Entry, Noop
from raft_lab.raft.machine import Machine
from raft_lab.raft.messages import AppendEntriesReply
from raft_lab.raft.server import Server
from raft_lab.raft.state import Applied, Leader, Outcome, PendingRead, Progress, ReadDone, State
from raft_lab.raft.values import FrozenMap
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster

if TYPE_CHECKING:
    import pandas as pd


# --- The exercise ------------------------------------------------------------------------------------


def _small_answers() -> Iterator[tuple[State, AppendEntriesReply]]:
    """S1 leads term 2, has reads waiting, and S2 answers: every small such situation, the simplest first."""
    log = log_of(1).append(Entry(1, Command("set x 1")), Entry(2, Noop()))
    for committed in (3, 1):
        machine = Machine({"x": "1"}) if committed == 3 else Machine()
        for rounds in ((1,), (2,), (1, 2), (3,)):
            reads = tuple(PendingRead(f"r{number}", of) for number, of in enumerate(rounds, start=1))
            for others in (0, 1, 3):
                progress = {name: Progress(4, committed, others if name == "S3" else 0) for name in ("S2", "S3")}
                role = Leader(FrozenMap(progress), round=max(rounds), reads=reads)
                state = State("S1", 2, "S1", log, committed, committed, machine, role)
                for of in range(max(rounds) + 1):
                    for success in (True, False):
                        match = 3 if success else 0
                        yield state, AppendEntriesReply("S2", "S1", 2, success, match, 3, 2 - success, 0, of)


def _compare(state: State, m: AppendEntriesReply, right: Outcome, found: Outcome) -> Difference | None:
    """What matters: which reads are answered, each once, and with what."""
    should, does = _answered(right), _answered(found)
    if should == does and set(_waiting(right)) == set(_waiting(found)):
        return None
    if should == does:
        return Difference(
            _situation(state, m),
            f"Then {_names(_waiting(right))} must wait on;",
            f"with yours, {_names(_waiting(found))} waits.",
            "A read that is answered is done with; one that is not answered must not be forgotten.",
        )
    return Difference(
        _situation(state, m),
        f"Then {_names([done[0] for done in should])} may be answered;",
        f"yours answers {_names([done[0] for done in does])}.",
        "Two conditions: an entry of the leader's own term is committed, and a quorum has answered the read's round "
        "of heartbeats or a later one (dissertation, 6.4).",
    )


def _answered(outcome: Outcome) -> list[tuple[str, int, Any]]:
    return [(done.id, done.index, done.data) for done in outcome.answers if isinstance(done, ReadDone)]


def _waiting(outcome: Outcome) -> list[str]:
    return [read.id for read in outcome.state.role.reads] if isinstance(outcome.state.role, Leader) else []


def _names(reads: list[str]) -> str:
    return " and ".join(reads) or "no read"


def _situation(state: State, m: AppendEntriesReply) -> str:
    assert isinstance(state.role, Leader)
    reads = ", ".join(f"{read.id} of round {read.round}" for read in state.role.reads)
    committed = state.log.term(state.commit_index)
    others = ", ".join(f"{name} of round {known.acked_round}" for name, known in state.role.progress.items())
    says = f"matches up to {m.match_index}" if m.success else "refuses the entries"
    return (
        f"{state.id} leads term {state.current_term}, and the last entry that it knows as committed is of term "
        f"{committed}. There wait: {reads}. The latest answers so far: {others}. Now {m.src} answers a message of "
        f"round {m.round}: it {says}."
    )


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
    first_difference(_small_answers, _compare),
    one_difference(AppendEntriesReply, _compare),
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
            "ms until the answer (median)": sorted(ms for ms, _ in costs)[trials // 2],
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
