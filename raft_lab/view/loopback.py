"""A page served on this machine alone, which is told of every change while it is open (server-sent events)."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from raft_lab.view.assets import STATIC, bundle

HERE = "127.0.0.1"
ALIVE_S = 10
"""A page that is closed is noticed after so long."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is served: the browser's half of a widget, on a page of its own.

    Attributes:
        title: of the page.
        name: of its script and style sheet among the static files, without an ending.
        render: the name of the widget's own function in the script, which is not needed here.
        begin: the function that fills the page.
    """

    title: str
    name: str
    render: str
    begin: str

    def html(self) -> str:
        """The page as one text."""
        styles = (STATIC / f"{self.name}.css").read_text(encoding="utf-8")
        script = bundle(f"{self.name}.js").replace(f"export default {{ render: {self.render} }};", "")
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(self.title)}</title>'
            '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
            f"<style>{styles}\nhtml, body {{ margin: 0; height: 100%; }}</style>"
            f'<body class="site-alone"><script type="module">{script}\n{self.begin}(document.body);</script></body>'
            "</html>"
        )


class Loopback:
    """A server of one page, on the loopback interface.

    Args:
        port: where; 0: any that is free.
        page: what is served.
        state: what the page shows at first.
        answer: what other paths than the page's own answer, as JSON; None for those that are not there.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self, port: int, page: Page, state: dict[str, Any], answer: Callable[[str], str | None] | None = None
    ) -> None:
        self.page = page
        self.answer = answer
        self._state = json.dumps(state)
        self._news = threading.Condition()
        self._count = 0
        self._open = True
        loopback = self

        class Handler(_Handler):
            server_of = loopback

        self._server = ThreadingHTTPServer((HERE, port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{HERE}:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def tell(self, state: dict[str, Any]) -> None:
        """Let every open page show this."""
        with self._news:
            self._state = json.dumps(state)
            self._count += 1
            self._news.notify_all()

    def wait(self, seen: int) -> tuple[int, str | None]:
        """What to show when it is not `seen` any more; None if nothing came for a while."""
        with self._news:
            came = self._news.wait_for(lambda: self._count != seen or not self._open, ALIVE_S)
            return self._count, self._state if came and self._open else None

    @property
    def is_open(self) -> bool:
        """Whether it still serves."""
        return self._open

    def close(self) -> None:
        """Serve no more."""
        with self._news:
            self._open = False
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of: Loopback

    def do_GET(self) -> None:
        """The page, or its stream of changes; nothing for another host's name (a foreign page could send that)."""
        if self.headers.get("Host", "").rpartition(":")[0] not in (HERE, "localhost"):
            self.send_error(403, "This page is for the machine that it runs on")
        elif self.path == "/":
            self._send("text/html; charset=utf-8", self.server_of.page.html().encode())
        elif self.path == "/events":
            with contextlib.suppress(ConnectionError):
                self._stream()
        elif self.server_of.answer and (answer := self.server_of.answer(self.path)) is not None:
            self._send("application/json", answer.encode())
        else:
            self.send_error(404, "There is no such page here; begin at /")

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        seen = -1
        while self.server_of.is_open:
            seen, state = self.server_of.wait(seen)
            self.wfile.write(b": still here\n\n" if state is None else f"data: {state}\n\n".encode())
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a notebook's output is not the place."""
