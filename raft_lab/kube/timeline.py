"""Who believed to lead, who might, who worked, and when: intervals of a run's time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BELIEVES = "believes"
"""The process runs and says of itself that it leads."""
MAY = "may"
"""The lease that the API holds is its own, and not over."""
WORKS = "works"
"""The context of its work has not been canceled."""
PAUSED = "paused"
"""The process stands still: a pause of its garbage collector, SIGSTOP, a virtual machine that is moved."""
CUT = "cut"
"""Nothing gets through between it and the API server."""
DOWN = "down"
"""There is no process."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Something was so for a while.

    Attributes:
        who: the pod; or, of what `MAY`, the identity in the lease.
        what: one of the words above.
        begin_us: from when, in microseconds of the cluster's time.
        end_us: until when; None: it still is.
    """

    who: str
    what: str
    begin_us: int
    end_us: int | None = None

    def lasts_us(self, now_us: int) -> int:
        """How long it has lasted up to now."""
        return (now_us if self.end_us is None else self.end_us) - self.begin_us


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two were so at the same time."""

    first: str
    second: str
    begin_us: int
    end_us: int

    def __str__(self) -> str:
        begin, end = self.begin_us / 1e6, self.end_us / 1e6
        return f"{self.first} and {self.second} from {begin:.2f} s to {end:.2f} s ({end - begin:.2f} s)"


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened to a pod."""

    us: int
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.us / 1e6:9.3f} s  {self.who}: {self.what}"


class Timeline:
    """What was so, and what happened, in the order in which it was noted."""

    def __init__(self) -> None:
        self.events: list[Happened] = []
        self._closed: list[Interval] = []
        self._open: dict[tuple[str, str], int] = {}

    def note(self, us: int, who: str, what: str) -> None:
        """Something happens."""
        self.events.append(Happened(us, who, what))

    def mark(self, us: int, who: str, what: str, is_so: bool) -> None:
        """From now on it is so, or not."""
        key = (what, who)
        if is_so:
            self._open.setdefault(key, us)
        elif key in self._open:
            begin = self._open.pop(key)
            if begin < us:
                self._closed.append(Interval(who, what, begin, us))

    def is_so(self, who: str, what: str) -> bool:
        """Whether it is so now."""
        return (what, who) in self._open

    def now(self, what: str) -> tuple[str, ...]:
        """Of whom it is so now."""
        return tuple(who for kind, who in sorted(self._open) if kind == what)

    def intervals(self, what: str = "", who: str = "") -> list[Interval]:
        """All intervals, or those of one kind, or of one pod; by when they begin."""
        still = [Interval(who, what, begin) for (what, who), begin in self._open.items()]
        found = [i for i in (*self._closed, *still) if what in ("", i.what) and who in ("", i.who)]
        return sorted(found, key=lambda i: (i.begin_us, i.who, i.what))

    def overlaps(self, what: str, now_us: int) -> list[Overlap]:
        """When it was so of two at once."""
        return list(self._overlaps(self.intervals(what), now_us))

    @staticmethod
    def _overlaps(intervals: list[Interval], now_us: int) -> Iterator[Overlap]:
        for place, first in enumerate(intervals):
            for second in intervals[place + 1 :]:
                end = min(now_us if i.end_us is None else i.end_us for i in (first, second))
                if second.begin_us < end and first.who != second.who:
                    yield Overlap(first.who, second.who, second.begin_us, end)

    def gaps(self, what: str, begin_us: int, end_us: int) -> list[tuple[int, int]]:
        """When, between two moments, it was so of nobody."""
        gaps, at = [], begin_us
        for interval in self.intervals(what):
            if interval.begin_us > at:
                gaps.append((at, min(interval.begin_us, end_us)))
            at = max(at, end_us if interval.end_us is None else interval.end_us)
            if at >= end_us:
                break
        if at < end_us:
            gaps.append((at, end_us))
        return [gap for gap in gaps if gap[0] < gap[1]]
