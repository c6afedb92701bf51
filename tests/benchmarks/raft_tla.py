"""Diego Ongaro's raft.tla as a system for the explorer, and how fast it is searched.

The specification (https://github.com/ongardie/raft.tla) without its history variables; the bag of messages holds
each message at most once. Bounds are TLC's state constraints: a state beyond one is counted as generated and is
checked, but it is neither counted as distinct nor gone on from.

    python tests/benchmarks/raft_tla.py                       # a bound of seconds, beside a plain search
    python tests/benchmarks/raft_tla.py --max-log 1 --no-plain    # 1,931,973 states; 322,580 with symmetry

A message that is sent while an equal one is in flight changes nothing: messages are a set.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from raft_lab.check.search import Found, Search
from raft_lab.check.system import Bag, Interned, Move, Part, Remembered, Renaming, Vector

FOLLOWER, CANDIDATE, LEADER = "Follower", "Candidate", "Leader"
NIL = -1


class Bounds(NamedTuple):
    """The constants of the specification, and the state constraints."""

    servers: int = 3
    values: int = 1
    max_term: int = 2
    max_log: int = 1
    max_messages: int = 1


class Entry(NamedTuple):
    """A log entry."""

    term: int
    value: int


class Local(NamedTuple):
    """The variables of one server, `i`."""

    i: int
    term: int
    role: str
    voted: int
    log: tuple[Entry, ...]
    commit: int
    responded: frozenset[int]
    granted: frozenset[int]
    next: tuple[int, ...]
    match: tuple[int, ...]


class RequestVote(NamedTuple):
    """RequestVoteRequest."""

    src: int
    dst: int
    term: int
    last_term: int
    last_index: int
    type: str = "RequestVoteRequest"  # named tuples are equal when their fields are, whatever they are called


class Vote(NamedTuple):
    """RequestVoteResponse."""

    src: int
    dst: int
    term: int
    granted: bool
    type: str = "RequestVoteResponse"


class AppendEntries(NamedTuple):
    """AppendEntriesRequest."""

    src: int
    dst: int
    term: int
    prev_index: int
    prev_term: int
    entries: tuple[Entry, ...]
    commit: int
    type: str = "AppendEntriesRequest"


class Appended(NamedTuple):
    """AppendEntriesResponse."""

    src: int
    dst: int
    term: int
    success: bool
    match: int
    type: str = "AppendEntriesResponse"


Message = RequestVote | Vote | AppendEntries | Appended
Step = tuple[str, Local, tuple[Message, ...], bool]
"""What it is called, the server after it, what it sends, and whether it takes the message that it is about."""


def initial(i: int, n: int) -> Local:
    """InitServerVars, InitCandidateVars, InitLeaderVars and InitLogVars."""
    return Local(i, 1, FOLLOWER, NIL, (), 0, frozenset(), frozenset(), (1,) * n, (0,) * n)


def is_quorum(servers: frozenset[int] | set[int], n: int) -> bool:
    """Simple majorities."""
    return len(servers) * 2 > n


def last_term(log: tuple[Entry, ...]) -> int:
    """LastTerm."""
    return log[-1].term if log else 0


# --- What a server does by itself -------------------------------------------------------------------


def actions(s: Local, n: int, values: int) -> Iterator[Step]:
    """Timeout, Restart, RequestVote, BecomeLeader, ClientRequest, AdvanceCommitIndex, AppendEntries."""
    if s.role != LEADER:
        asks = s._replace(role=CANDIDATE, term=s.term + 1, voted=NIL, responded=frozenset(), granted=frozenset())
        yield f"Timeout({s.i})", asks, (), False
    fresh = initial(s.i, n)
    yield f"Restart({s.i})", fresh._replace(term=s.term, voted=s.voted, log=s.log), (), False
    if s.role == CANDIDATE:
        for j in range(n):
            if j not in s.responded:
                request = RequestVote(s.i, j, s.term, last_term(s.log), len(s.log))
                yield f"RequestVote({s.i}, {j})", s, (request,), False
        if is_quorum(s.granted, n):
            leads = s._replace(role=LEADER, next=(len(s.log) + 1,) * n, match=(0,) * n)
            yield f"BecomeLeader({s.i})", leads, (), False
    if s.role == LEADER:
        for value in range(values):
            yield f"ClientRequest({s.i}, {value})", s._replace(log=(*s.log, Entry(s.term, value))), (), False
        yield f"AdvanceCommitIndex({s.i})", s._replace(commit=new_commit(s, n)), (), False
        for j in range(n):
            if j != s.i:
                yield f"AppendEntries({s.i}, {j})", s, (append_entries(s, j),), False


def new_commit(s: Local, n: int) -> int:
    """The highest index on which a quorum agrees, if its entry is of the leader's term."""
    agreed = [
        index
        for index in range(1, len(s.log) + 1)
        if is_quorum({s.i} | {k for k in range(n) if s.match[k] >= index}, n)
    ]
    return agreed[-1] if agreed and s.log[agreed[-1] - 1].term == s.term else s.commit


def append_entries(s: Local, j: int) -> AppendEntries:
    """The request of leader `s` to server `j`, with at most one entry."""
    prev = s.next[j] - 1
    last = min(len(s.log), s.next[j])
    prev_term = s.log[prev - 1].term if prev > 0 else 0
    return AppendEntries(s.i, j, s.term, prev, prev_term, s.log[prev:last], min(s.commit, last))


# --- What a server does with a message --------------------------------------------------------------


def receive(s: Local, m: Message) -> Iterator[Step]:
    """Receive(m), for the server to which it is sent."""
    name = f"Receive({m})"
    if m.term > s.term:
        yield name, s._replace(term=m.term, role=FOLLOWER, voted=NIL), (), False
        return
    match m:
        case RequestVote():
            up_to_date = (m.last_term, m.last_index) >= (last_term(s.log), len(s.log))
            grant = m.term == s.term and up_to_date and s.voted in (NIL, m.src)
            yield name, s._replace(voted=m.src) if grant else s, (Vote(s.i, m.src, s.term, grant),), True
        case AppendEntries():
            yield from ((name, *step) for step in on_append_entries(s, m))
        case _ if m.term < s.term:
            yield name, s, (), True
        case Vote():
            granted = s.granted | {m.src} if m.granted else s.granted
            yield name, s._replace(responded=s.responded | {m.src}, granted=granted), (), True
        case Appended(j, _, _, True, index):
            yield name, s._replace(next=put(s.next, j, index + 1), match=put(s.match, j, index)), (), True
        case Appended(j):
            yield name, s._replace(next=put(s.next, j, max(s.next[j] - 1, 1))), (), True


def on_append_entries(s: Local, m: AppendEntries) -> Iterator[tuple[Local, tuple[Message, ...], bool]]:
    """HandleAppendEntriesRequest: one entry at a time, and a conflict, an append and the answer are three steps."""
    fits = m.prev_index == 0 or (m.prev_index <= len(s.log) and m.prev_term == s.log[m.prev_index - 1].term)
    if m.term < s.term or (s.role == FOLLOWER and not fits):
        yield s, (Appended(s.i, m.src, s.term, False, 0),), True
    elif s.role == CANDIDATE:
        yield s._replace(role=FOLLOWER), (), False
    elif s.role == FOLLOWER:
        index = m.prev_index + 1
        held = s.log[index - 1] if len(s.log) >= index else None
        if not m.entries or (held is not None and held.term == m.entries[0].term):
            answer = Appended(s.i, m.src, s.term, True, m.prev_index + len(m.entries))
            yield s._replace(commit=m.commit), (answer,), True
        elif held is not None:
            yield s._replace(log=s.log[:-1]), (), False
        elif len(s.log) == m.prev_index:
            yield s._replace(log=(*s.log, m.entries[0])), (), False


def put(numbers: tuple[int, ...], j: int, number: int) -> tuple[int, ...]:
    """EXCEPT."""
    return (*numbers[:j], number, *numbers[j + 1 :])


# --- What must hold ---------------------------------------------------------------------------------


def clash(a: Local, b: Local) -> bool:
    """Whether two servers break Election Safety, Log Matching, State Machine Safety or Leader Completeness."""
    if a.role == b.role == LEADER and a.term == b.term:
        return True
    for k, (x, y) in enumerate(zip(a.log, b.log, strict=False)):
        if x.term == y.term and a.log[: k + 1] != b.log[: k + 1]:
            return True
    committed = min(a.commit, b.commit)
    if a.log[:committed] != b.log[:committed]:
        return True
    return any(
        leader.role == LEADER and leader.term >= other.term and leader.log[: other.commit] != other.log[: other.commit]
        for leader, other in ((a, b), (b, a))
    )


# --- The system -------------------------------------------------------------------------------------


class RaftTla:
    """The specification within bounds, as the explorer asks for it."""

    def __init__(self, bounds: Bounds, symmetry: bool) -> None:
        self.bounds = bounds
        self.locals: Interned[Local] = Interned()
        self.messages: Interned[Message] = Interned()
        self.calls = 0
        orders = tuple(itertools.permutations(range(bounds.servers)))
        self.renamings: tuple[Renaming, ...] = orders if symmetry else orders[:1]
        self._own = Remembered(self._own_steps)
        self._received = Remembered(self._steps_with)
        self._go_together = Remembered(lambda pair: not clash(*[self.locals.seen[number] for number in pair]))

    def first(self) -> tuple[Vector, Bag]:
        n = self.bounds.servers
        return tuple(self.locals[initial(i, n)] for i in range(n)), ()

    def moves(self, message: int | None) -> list[Part]:
        if message is None:
            return [((i,), self._actions) for i in range(self.bounds.servers)]
        return [((self.messages.seen[message].dst,), partial(self._receipts, message))]

    def _actions(self, locals: Vector) -> Iterator[Move]:
        for step in self._own[locals[0]]:
            yield self._move(None, step)

    def _receipts(self, message: int, locals: Vector) -> Iterator[Move]:
        for step in self._received[locals[0], message]:
            yield self._move(message, step)
        yield Move(("DuplicateMessage", message), locals, None, (message,))
        yield Move(("DropMessage", message), locals, message)

    def _move(self, message: int | None, step: Any) -> Move:
        name, number, sent, takes, within = step
        return Move(name, (number,), message if takes else None, sent, beyond=not within)

    def sound(self, vector: Vector) -> bool:
        return all(self._go_together[pair] for pair in itertools.combinations(vector, 2))

    def breaks(self, doubt: None, vector: Vector) -> bool:
        return False

    def after(self, bag: Bag, taken: int | None, sent: tuple[int, ...]) -> Bag | None:
        left = tuple(sorted({*bag, *sent} - {taken}))
        return left if len(left) <= self.bounds.max_messages else None

    def image(self, local: int, renaming: Renaming) -> int:
        return self.locals[renamed(self.locals.seen[local], renaming)]

    def image_of_message(self, message: int, renaming: Renaming) -> int:
        m = self.messages.seen[message]
        return self.messages[m._replace(src=renaming[m.src], dst=renaming[m.dst])]

    def _own_steps(self, number: int) -> tuple[Any, ...]:
        self.calls += 1
        return self._interned(actions(self.locals.seen[number], self.bounds.servers, self.bounds.values))

    def _steps_with(self, key: tuple[int, int]) -> tuple[Any, ...]:
        self.calls += 1
        return self._interned(receive(self.locals.seen[key[0]], self.messages.seen[key[1]]))

    def _interned(self, steps: Iterable[Step]) -> tuple[Any, ...]:
        return tuple(
            (name, self.locals[s], tuple(self.messages[m] for m in sent), takes, within(s, self.bounds))
            for name, s, sent, takes in steps
        )


def within(s: Local, bounds: Bounds) -> bool:
    """The state constraint, as far as it is about one server."""
    return s.term <= bounds.max_term and len(s.log) <= bounds.max_log


def renamed(s: Local, renaming: Renaming) -> Local:
    """The server under another name, in a cluster that is renamed as a whole."""

    def names(servers: frozenset[int]) -> frozenset[int]:
        return frozenset(renaming[j] for j in servers)

    def moved(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(numbers[renaming.index(j)] for j in range(len(numbers)))

    voted = s.voted if s.voted == NIL else renaming[s.voted]
    return s._replace(
        i=renaming[s.i],
        voted=voted,
        responded=names(s.responded),
        granted=names(s.granted),
        next=moved(s.next),
        match=moved(s.match),
    )


# --- The same, searched plainly ---------------------------------------------------------------------


def plain(bounds: Bounds) -> Found:
    """A breadth-first search with tuples and a set, without symmetry: what the fast one is compared with."""
    n = bounds.servers
    start = (tuple(initial(i, n) for i in range(n)), frozenset[Message]())
    seen, level, generated, depth = {start}, [start], 0, -1
    while level:
        depth += 1
        following = []
        for servers, bag in level:
            for after in plain_successors(servers, bag, bounds):
                generated += 1
                if after in seen:
                    continue
                assert not any(clash(a, b) for a, b in itertools.combinations(after[0], 2))
                if len(after[1]) <= bounds.max_messages and all(within(s, bounds) for s in after[0]):
                    seen.add(after)
                    following.append(after)
        level = following
    return Found(len(seen), generated, depth)


def plain_successors(servers: tuple[Local, ...], bag: frozenset[Message], bounds: Bounds) -> Iterator[Any]:
    """Next."""
    for i, s in enumerate(servers):
        for _, after, sent, _ in actions(s, bounds.servers, bounds.values):
            yield put(servers, i, after), bag | set(sent)  # type: ignore[arg-type]
    for m in bag:
        for _, after, sent, takes in receive(servers[m.dst], m):
            yield put(servers, m.dst, after), (bag | set(sent)) - ({m} if takes else set())  # type: ignore[arg-type]
        yield servers, bag
        yield servers, bag - {m}


def main() -> None:
    """Print states, moves and speed as TLC counts them: the first state is generated too, and has depth 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in Bounds(max_term=2, max_log=0)._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    parser.add_argument("--no-symmetry", action="store_true")
    parser.add_argument("--no-plain", action="store_true")
    options = vars(parser.parse_args())
    bounds = Bounds(*(options[name] for name in Bounds._fields))
    print(bounds)
    searches: list[tuple[str, Any]] = [] if options["no_plain"] else [("plain search", None)]
    searches += [("explorer", False)] + ([] if options["no_symmetry"] else [("… with symmetry", True)])
    speeds = []
    for name, symmetry in searches:
        system = RaftTla(bounds, bool(symmetry))
        search = Search(system)
        begun = time.process_time()
        found = plain(bounds) if symmetry is None else search.run()
        seconds = time.process_time() - begun
        speeds.append((found.states, seconds))
        print(
            f"{name:16} {found.states:>10,} distinct  {found.transitions + 1:>11,} generated  "
            f"depth {found.depth + 1:>3}  {seconds:7.2f} s  {found.states / seconds:>9,.0f} distinct/s"
            f"  {found.transitions / seconds:>10,.0f} generated/s",
            found.stopped,
        )
        if symmetry is not None:
            print(
                f"{'':16} {len(system.locals)} local states, {len(system.messages)} messages, {len(search.bags)} bags, "
                f"{system.calls:,} handler calls, "
                f"{search.memory() / found.states:,.0f} bytes a state"
            )
    if not options["no_plain"]:
        (states, plainly), *ours = speeds
        for (_, seconds), what in zip(ours, ("", " with symmetry"), strict=False):
            print(f"the same {states:,} states{what}: {plainly / seconds:.1f} times as fast as the plain search")


if __name__ == "__main__":
    main()
