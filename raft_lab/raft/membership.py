"""Who may vote, and the one quorum rule from which election, commit and strong reads follow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass


def _majority_min(members: Collection[str], value: Callable[[str], int]) -> int:
    """The largest number that a majority of `members` has reached."""
    ranked = sorted(map(value, members))
    return ranked[(len(ranked) - 1) // 2]


@dataclass(frozen=True, slots=True)
class Configuration:
    """The servers that make up the cluster (section 6; dissertation, chapter 4).

    It is joint while `old` is not empty: then every decision needs a majority of `voters` and,
    separately, a majority of `old`. Learners receive entries but are not counted.
    """

    voters: frozenset[str]
    old: frozenset[str] = frozenset()
    learners: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("voters", "old", "learners"):
            object.__setattr__(self, name, frozenset(getattr(self, name)))

    @property
    def is_joint(self) -> bool:
        """Whether this is C_old,new."""
        return bool(self.old)

    @property
    def members(self) -> tuple[str, ...]:
        """Everyone who receives entries, in a fixed order."""
        return tuple(sorted(self.voters | self.old | self.learners))

    def is_voter(self, server: str) -> bool:
        """Whether `server` counts in at least one of the majorities."""
        return server in self.voters or server in self.old

    def quorum_min(self, value: Callable[[str], int]) -> int:
        """The largest number that a quorum has reached, where `value(server)` says how far each has come.

        LogCabin's idea: a commit index, a read round and a lease are all this one function.
        """
        return min(_majority_min(half, value) for half in (self.voters, self.old) if half) if self.voters else 0

    def has_quorum(self, servers: Iterable[str]) -> bool:
        """Whether `servers` hold a majority of `voters` and, if joint, also of `old`."""
        agreed = frozenset(servers)
        return self.quorum_min(lambda server: int(server in agreed)) == 1

    def __repr__(self) -> str:
        parts = [repr(sorted(part)) for part in (self.voters, self.old, self.learners)]
        return f"Configuration({', '.join(parts)})"

    def __str__(self) -> str:
        def names(servers: frozenset[str]) -> str:
            return "{" + ", ".join(sorted(servers)) + "}"

        joint = f"{names(self.old)} and " if self.old else ""
        learners = f", learners {names(self.learners)}" if self.learners else ""
        return f"{joint}{names(self.voters)}{learners}"
