"""A watch at a live cluster, which goes on at another server when its own fails."""

from __future__ import annotations

from collections.abc import Callable

from raft_lab.kv.requests import WatchCreate, WatchResponse
from raft_lab.kv.watching import Watch
from raft_lab.sim.world import World


class Watching:
    """A watch of `Live.watch`.

    Args:
        request: what is watched.
        tell: called with what is new.
        member: the server to which it is connected first.
        forget: called when it is canceled.
    """

    def __init__(
        self,
        request: WatchCreate,
        tell: Callable[[tuple[WatchResponse, ...]], None],
        member: str | None,
        forget: Callable[[Watching], None],
    ) -> None:
        self._request = request
        self._tell = tell
        self._member = member
        self._forget = forget
        self._watch: Watch | None = None

    @property
    def ended(self) -> bool:
        """Whether it was told that it is over."""
        return self._watch is not None and self._watch.ended

    @property
    def revision(self) -> int:
        """Everything up to this revision was told."""
        return self._watch.revision if self._watch is not None else 0

    def cancel(self) -> None:
        """Stop watching; may be called from any thread, and more than once."""
        self._forget(self)

    def look(self, world: World) -> None:
        """Tell what is new."""
        if self._watch is None:
            self._watch = Watch(self._request, tuple(world.servers), world, self._member)
        self._watch.servers = tuple(world.servers)
        self._watch.look(world)
        told, self._watch.responses = tuple(self._watch.responses), []
        if told:
            self._tell(told)

    def lose(self, error: Exception) -> None:
        """Tell that it cannot go on."""
        self._tell((WatchResponse(canceled=True, cancel_reason=str(error)),))
