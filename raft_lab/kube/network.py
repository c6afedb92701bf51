"""What lies between pods and servers: latency, faults of the API server, and cuts."""

from __future__ import annotations

from dataclasses import dataclass

from raft_lab.sim.schedule import draw

ODDS = 1 << 64

ERRORS, HANGS, REFUSES = "errors", "hangs", "refuses"
"""How an API server fails: it answers 500; it takes requests and never answers; nobody listens."""
FAILURES = (ERRORS, HANGS, REFUSES)


@dataclass(frozen=True, slots=True)
class Faults:
    """How often the API server fails a request by itself: probabilities.

    Attributes:
        error: it answers 500 and has done nothing.
        late_error: it answers 500 and has done what was asked for.
        hang: it never answers, and does nothing.
        lost_answer: it does what was asked for, and the answer is lost.
        slow: the answer takes `slow_us` longer.
        slow_us: shortest and longest time of that.
    """

    error: float = 0.0
    late_error: float = 0.0
    hang: float = 0.0
    lost_answer: float = 0.0
    slow: float = 0.0
    slow_us: tuple[int, int] = (500_000, 4_000_000)

    def __post_init__(self) -> None:
        odds = (self.error, self.late_error, self.hang, self.lost_answer, self.slow)
        if not (all(isinstance(o, int | float) and 0 <= o <= 1 for o in odds) and sum(odds) <= 1):
            raise ValueError("each of the faults is a probability, and together they are at most 1")
        low, high = self.slow_us
        if not 0 < low <= high:
            raise ValueError("slow_us must be two numbers of microseconds, 0 < shortest <= longest")


class Chance:
    """Draws that depend on the seed and on what they are for, and on nothing else."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._drawn: dict[str, int] = {}

    def draw(self, purpose: str) -> int:
        """The next number for this purpose."""
        count = self._drawn.get(purpose, 0)
        self._drawn[purpose] = count + 1
        return draw(self.seed, "kube", purpose, count)

    def between(self, purpose: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return low + self.draw(purpose) % (high - low + 1)

    def fraction(self, purpose: str) -> float:
        """A number from 0 up to 1."""
        return self.draw(purpose) / ODDS

    def fault(self, purpose: str, faults: Faults) -> str:
        """Which of the faults happens now: its name, or ''."""
        at = self.fraction(purpose)
        for name in ("error", "late_error", "hang", "lost_answer", "slow"):
            odds = getattr(faults, name)
            if at < odds:
                return name
            at -= odds
        return ""
