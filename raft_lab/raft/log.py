"""The replicated log: entries numbered from 1, on top of a snapshot."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from raft_lab.raft.machine import Machine
from raft_lab.raft.membership import Configuration
from raft_lab.raft.values import Chain, extend


@dataclass(frozen=True, slots=True)
class Noop:
    """The entry that a leader appends when its term begins, so that it can commit (dissertation 6.4)."""

    def __str__(self) -> str:
        return "no-op"


@dataclass(frozen=True, slots=True)
class Command:
    """A client's operation on the state machine.

    Attributes:
        op: the operation: words, or a frozen value, that the state machine understands.
        client: whose session it belongs to, or ''. Who lost its session comes back under another name: the
            dissertation gives no session's id twice (6.3), or a late copy from the first could be applied again.
        seq: its number within the session, counted from 1; 0 opens the session.
        time_us: the leader's clock when it was appended; log time follows it.
    """

    op: Any
    client: str = ""
    seq: int = 0
    time_us: int = 0

    def __str__(self) -> str:
        return str(self.op)


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry: the term in which a leader received it, and what it holds (section 5.3)."""

    term: int
    value: Noop | Command | Configuration

    def __str__(self) -> str:
        return f"{self.value} (term {self.term})"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What stands in place of a log prefix (section 7); index 0 of term 0 is the beginning of everything.

    `configuration` and `machine` are those as of `last_included_index`.
    """

    configuration: Configuration
    last_included_index: int = 0
    last_included_term: int = 0
    machine: Machine = Machine()  # noqa: RUF009 - an immutable value


_ALIKE: dict[tuple[int, int], tuple[Chain[Entry], Chain[Entry]]] = {}
"""Pairs of sequences that begin at different indexes, and were found to end alike; only to be faster."""
_MOST_ALIKE = 256


def _end_alike(mine: Chain[Entry] | None, theirs: Chain[Entry] | None) -> bool:
    """Whether two sequences that end at the same index hold the same entries as far back as both reach.

    A pair that was found alike is remembered, so that the next comparison, one entry later, ends there.
    """
    seen = []
    while mine is not None and theirs is not None and mine is not theirs:
        known = _ALIKE.get((id(mine), id(theirs)))
        if known is not None and known[0] is mine and known[1] is theirs:
            break
        if mine.item is not theirs.item and mine.item != theirs.item:
            return False
        seen.append((mine, theirs))
        mine, theirs = mine.previous, theirs.previous
    if seen:
        if len(_ALIKE) >= _MOST_ALIKE:
            _ALIKE.clear()
        _ALIKE[id(seen[0][0]), id(seen[0][1])] = seen[0]
    return True


class Log:
    """An immutable log: changing it makes another one, which shares all that is equal.

    Indexes are the paper's: the first entry ever has index 1, and a snapshot ends at its
    `last_included_index`. `append`, `truncate` and sharing cost O(1) or O(log n).
    """

    __slots__ = ("_configurations", "_entries", "last_index", "last_term", "snapshot")

    def __init__(self, snapshot: Snapshot, entries: Iterable[Entry] = ()) -> None:
        self._become(snapshot, None, ())
        grown = self.append(*entries)
        self._become(snapshot, grown._entries, grown._configurations)

    def _become(self, snapshot: Snapshot, entries: Chain[Entry] | None, configurations: tuple[int, ...]) -> Log:
        self.snapshot = snapshot
        self._entries = entries
        self._configurations = configurations
        self.last_index = snapshot.last_included_index + (entries.length if entries else 0)
        self.last_term = entries.item.term if entries else snapshot.last_included_term
        return self

    def _with(self, entries: Chain[Entry] | None, configurations: tuple[int, ...]) -> Log:
        return Log.__new__(Log)._become(self.snapshot, entries, configurations)

    @property
    def first_index(self) -> int:
        """Index of the first entry that the log still holds (or would hold)."""
        return self.snapshot.last_included_index + 1

    def _upto(self, index: int) -> Chain[Entry] | None:
        length = index - self.snapshot.last_included_index
        if length == 0:
            return None
        if self._entries is None or not 0 < length <= self._entries.length:
            raise IndexError(f"the log holds entries {self.first_index} to {self.last_index}, not {index}")
        return self._entries.prefix(length)

    def entry(self, index: int) -> Entry:
        """The entry at `index`.

        Raises:
            IndexError: the log does not hold it.
        """
        chain = self._upto(index)
        if chain is None:
            raise IndexError(f"entry {index} is inside the snapshot; the log starts at {self.first_index}")
        return chain.item

    def term(self, index: int) -> int:
        """The term of the entry at `index`, or of the snapshot's last entry.

        Raises:
            IndexError: the log knows nothing of that index.
        """
        chain = self._upto(index)
        return chain.item.term if chain else self.snapshot.last_included_term

    def matches(self, index: int, term: int) -> bool:
        """Whether the log has an entry at `index` with `term` (the consistency check, section 5.3).

        What the snapshot covers is committed, so it matches.
        """
        if index < self.snapshot.last_included_index:
            return True
        return index <= self.last_index and self.term(index) == term

    def after(self, index: int, limit: int | None = None) -> tuple[Entry, ...]:
        """The entries that follow `index`, at most `limit` of them."""
        last = self.last_index if limit is None else min(self.last_index, index + limit)
        if last <= index:
            return ()
        chain = self._upto(last)
        newest_first = itertools.islice(chain.backwards(), last - index) if chain else ()
        return tuple(newest_first)[::-1]

    def append(self, *entries: Entry) -> Log:
        """The log with `entries` at its end."""
        new = (n for n, e in enumerate(entries, start=self.last_index + 1) if isinstance(e.value, Configuration))
        return self._with(extend(self._entries, entries), (*self._configurations, *new))

    def truncate(self, index: int) -> Log:
        """The log without the entry at `index` and all that follow it; configurations go back with it (4.1)."""
        return self._with(self._upto(index - 1), tuple(n for n in self._configurations if n < index))

    def compact(self, snapshot: Snapshot) -> Log:
        """The log on top of `snapshot`, with the entries that follow its end."""
        return Log(snapshot, self.after(snapshot.last_included_index))

    @property
    def configuration(self) -> Configuration:
        """The latest configuration in the log, committed or not, else the snapshot's (dissertation 4.1)."""
        return self.configuration_at(self.last_index)

    @property
    def configuration_index(self) -> int:
        """Where the latest configuration stands; at most the snapshot's index if it is the snapshot's."""
        return self._configurations[-1] if self._configurations else self.snapshot.last_included_index

    def configuration_at(self, index: int) -> Configuration:
        """The configuration that was the latest when the log ended at `index`."""
        for n in reversed(self._configurations):
            if n <= index:
                value = self.entry(n).value
                assert isinstance(value, Configuration)
                return value
        return self.snapshot.configuration

    def last_index_of_term(self, term: int) -> int:
        """The largest index whose term is at most `term`; terms never fall along a log."""
        low, high = self.snapshot.last_included_index, self.last_index
        while low < high:
            middle = (low + high + 1) // 2
            if self.term(middle) <= term:
                low = middle
            else:
                high = middle - 1
        return low

    def same_prefix(self, other: Log, index: int) -> bool:
        """Whether both logs hold the same entries up to `index`.

        Raises:
            IndexError: one of them does not reach that far.
        """
        if index <= min(self.snapshot.last_included_index, other.snapshot.last_included_index):
            return True  # both have committed it
        if self.snapshot.last_included_index != other.snapshot.last_included_index:
            if index < max(self.first_index, other.first_index):
                return True
            return _end_alike(self._upto(index), other._upto(index))
        if self.snapshot != other.snapshot:
            low = max(self.first_index, other.first_index)
            return all(self.entry(i) == other.entry(i) for i in range(low, index + 1))
        mine, theirs = self._upto(index), other._upto(index)
        return mine is theirs or (mine is not None and theirs is not None and mine.same_as(theirs))

    def __iter__(self) -> Iterator[tuple[int, Entry]]:
        return iter(list(enumerate(self.after(self.snapshot.last_included_index), start=self.first_index)))

    def __len__(self) -> int:
        return self._entries.length if self._entries else 0

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Log) or self.last_index != other.last_index or self.snapshot != other.snapshot:
            return False
        return self._entries is other._entries or (
            self._entries is not None and other._entries is not None and self._entries.same_as(other._entries)
        )

    def __hash__(self) -> int:
        return hash((self.last_index, self._entries.digest if self._entries else 0))

    def __reduce__(self) -> tuple[type, tuple[Snapshot, tuple[Entry, ...]]]:
        return Log, (self.snapshot, self.after(self.snapshot.last_included_index))

    def __repr__(self) -> str:
        shown = [f"{index}: {entry}" for index, entry in self][-8:]
        more = "… " if len(self) > len(shown) else ""
        return f"Log[{more}{', '.join(shown)}]"
