"""Short ways to say what a server looks like, and to let one thing happen to it."""

from __future__ import annotations

from dataclasses import fields, replace

from raft_lab import (
    Candidate,
    Command,
    Configuration,
    Entry,
    Follower,
    Leader,
    Log,
    Message,
    Progress,
    Server,
    State,
)
from raft_lab.raft.log import Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.state import (
    ClientRequest,
    ElectionTimeout,
    HeartbeatTimeout,
    Outcome,
    Receive,
)
from raft_lab.raft.values import FrozenMap

THREE = Configuration({"S1", "S2", "S3"})
FIVE = Configuration({"S1", "S2", "S3", "S4", "S5"})


def log(*terms: int, configuration: Configuration = THREE) -> Log:
    """A log with an entry for each term; entries of equal index and term are equal."""
    return Log(Snapshot(configuration), entries(*terms))


def entries(*terms: int, first: int = 1) -> tuple[Entry, ...]:
    """Entries from index `first` on, as `log` has them."""
    return tuple(Entry(term, Command(f"set e{index} {term}")) for index, term in enumerate(terms, start=first))


def server(
    *terms: int,
    term: int | None = None,
    vote: str | None = None,
    commit: int = 0,
    role: Follower | Candidate | Leader | None = None,
    id: str = "S1",
    configuration: Configuration = THREE,
) -> State:
    """A server whose log holds entries of `terms`; its own term is the last of them if not given."""
    return State(
        id,
        term if term is not None else max(terms, default=1),
        vote,
        log(*terms, configuration=configuration),
        commit_index=commit,
        last_applied=commit,
        machine=Machine(FrozenMap({f"e{index}": str(terms[index - 1]) for index in range(1, commit + 1)})),
        role=role or Follower(),
    )


def leader(*terms: int, match: dict[str, int] | None = None, next_: dict[str, int] | None = None, **options) -> State:
    """A leader that voted for itself; what it knows of followers is `match` and `next_` (its log's end + 1)."""
    known: dict[str, Progress] = {}
    configuration = options.get("configuration", THREE)
    for peer in configuration.members:
        if peer != options.get("id", "S1"):
            matched = (match or {}).get(peer, 0)
            known[peer] = Progress((next_ or {}).get(peer, max(matched, len(terms)) + 1), matched, acked_at=0)
    return server(*terms, vote=options.get("id", "S1"), role=Leader(known), **options)


def receive(state: State, message: Message, engine: type[Server] = Server) -> Outcome:
    return engine.step(state, Receive(message))


def time_out(state: State, engine: type[Server] = Server) -> Outcome:
    return engine.step(state, ElectionTimeout())


def beat(state: State, engine: type[Server] = Server) -> Outcome:
    return engine.step(state, HeartbeatTimeout())


def ask(state: State, op: str, engine: type[Server] = Server) -> Outcome:
    return engine.step(state, ClientRequest(op))


def sent(outcome: Outcome) -> tuple[Message, ...]:
    """The messages sent, without the number of their round and the time, which only reads look at."""
    unset = {"round", "sent_at"}
    return tuple(
        replace(m, **{part.name: part.default for part in fields(m) if part.name in unset}) for m in outcome.messages
    )


def answer(outcome: Outcome) -> Message:
    """The one message sent."""
    (message,) = sent(outcome)
    return message


def indexes(state: State, peer: str) -> tuple[int, int]:
    """nextIndex and matchIndex, as a leader has them for `peer`."""
    assert isinstance(state.role, Leader)
    known = state.role.progress[peer]
    return known.next_index, known.match_index


def terms(state: State) -> list[int]:
    return [entry.term for _, entry in state.log]
