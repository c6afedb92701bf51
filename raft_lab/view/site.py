"""A small web page whose background follows a key of the store: the talk's demonstration, inside a notebook."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from raft_lab.kv.client import KV
from raft_lab.kv.requests import Event
from raft_lab.view.assets import STATIC, bundle
from raft_lab.view.loopback import Loopback, Page

SHOWN = 5
"""How many of the latest changes the page lists."""
PAGE = Page("A page that follows a key", "site", "renderSite", "followEvents")


class Site(anywidget.AnyWidget):
    """A page that reads its background colour from a key, and then watches the key.

    Nobody reloads it: each change comes as an event, with what stood there before (prev_kv).

    Args:
        store: where the key is.
        key: whose value is the colour, such as "#ccc".
        member: the member at which to watch first.
    """

    _esm = bundle("site.js")
    _css = STATIC / "site.css"

    key = traitlets.Unicode().tag(sync=True)
    colour = traitlets.Unicode("").tag(sync=True)
    changes: Any = traitlets.List().tag(sync=True)
    member = traitlets.Unicode("").tag(sync=True)

    def __init__(self, store: KV, key: str = "app-config/background-color", *, member: str | None = None) -> None:
        super().__init__(key=key)
        found = store.get(key)
        self._first = _text(found.kvs[0].value) if found.kvs else ""
        self._served: Loopback | None = None
        self.watch = store.watch(key, revision=found.revision + 1, prev_kv=True, member=member)
        self._stop = store.line.follow(self.watch, self._look)
        self._look()

    def _look(self) -> None:
        events = self.watch.events
        with self.hold_sync():
            self.colour = _text(events[-1].kv.value) if events else self._first
            self.changes = [_change(event) for event in events[-SHOWN:]]
            self.member = self.watch.server or ""
        if self._served is not None:
            self._served.tell(self.state())

    def state(self) -> dict[str, Any]:
        """What the page shows, for whoever draws it."""
        return {"key": self.key, "colour": self.colour, "changes": self.changes, "member": self.member}

    def serve(self, port: int = 0) -> str:
        """Serve the page on this machine alone, too; answers with its address.

        Args:
            port: where; 0: any that is free.

        Raises:
            OSError: the port is taken.
        """
        if self._served is None:
            self._served = Loopback(port, PAGE, self.state())
        return self._served.url

    def close(self) -> None:
        """Watch no more, and serve no more."""
        self._stop()
        self.watch.cancel()
        if self._served is not None:
            self._served.close()
            self._served = None
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        words = {"text/plain": f"a page with the background {self.colour or 'of its own'}: {self.watch}"}
        made = super()._repr_mimebundle_(**kwargs)
        if isinstance(made, tuple):
            return ({**made[0], **words}, *made[1:])
        return {**made, **words} if isinstance(made, dict) else made


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _change(event: Event) -> dict[str, Any]:
    return {
        "revision": event.kv.mod_revision,
        "type": event.type,
        "value": _text(event.kv.value),
        "before": _text(event.prev_kv.value) if event.prev_kv else None,
    }
