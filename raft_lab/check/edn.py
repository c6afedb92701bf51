"""A small reader of EDN, Clojure's notation, as far as Jepsen writes it; what it does not know it refuses.

The libraries for it do not say in which line of a history something is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from raft_lab.raft.values import freeze


class EdnError(Exception):
    """What is not understood, and in which line."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"line {line}: {what}")


class Reader:
    """A reader of as much EDN as Jepsen writes; a tag before a value says nothing here."""

    token: ClassVar = re.compile(
        r"[\s,]+|;[^\n]*|(?P<token>\"(?:[^\"\\]|\\.)*\"|\#\{|[\[\](){}]|[^\s,;\[\](){}\"]+)|(?P<wrong>.)", re.DOTALL
    )
    ends: ClassVar = {"[": "]", "(": ")", "{": "}", "#{": "}"}
    words: ClassVar = {"nil": None, "true": True, "false": False}

    def __init__(self, text: str) -> None:
        self.tokens = list(self._scan(text))[::-1]
        self.line = 1
        self.peek()

    def _scan(self, text: str) -> Iterator[tuple[int, str]]:
        line = 1
        for found in self.token.finditer(text):
            if found["wrong"]:
                raise EdnError(f"this is not EDN: {text[found.start() : found.start() + 20]!r}", line)
            if found["token"]:
                yield line, found["token"]
            line += found[0].count("\n")

    def peek(self) -> str:
        """The next token, or '' at the end."""
        if not self.tokens:
            return ""
        self.line = self.tokens[-1][0]
        return self.tokens[-1][1]

    def take(self) -> str:
        """Read the next token."""
        token = self.peek()
        if self.tokens:
            self.tokens.pop()
        return token

    def form(self, depth: int = 0) -> Any:
        """Read a value: a keyword as `:name`, a vector, list or set as a list, a map as a dict."""
        token = self.take()
        if depth > 50:
            raise EdnError("it is nested too deeply", self.line)
        if token in self.ends:
            items = []
            while self.peek() not in ("]", ")", "}", ""):
                items.append(self.form(depth + 1))
            if self.take() != self.ends[token]:
                raise EdnError(f"a {token!r} is not closed by {self.ends[token]!r}", self.line)
            return self._map(items) if token == "{" else items  # noqa: S105  not a password
        if token.startswith("#"):
            return self.form(depth + 1)
        return self._atom(token)

    def _map(self, items: list[Any]) -> dict[Any, Any]:
        if len(items) % 2:
            raise EdnError("a map has a value for each key", self.line)
        return dict(zip(map(_hashable, items[::2]), items[1::2], strict=True))

    def _atom(self, token: str) -> Any:
        if token in self.words:
            return self.words[token]
        if token.startswith('"'):
            try:
                return json.loads(token.replace("\n", "\\n"))
            except json.JSONDecodeError:
                raise EdnError(f"this string is not understood: {token[:30]}", self.line) from None
        if re.fullmatch(r"0x[0-9a-fA-F]{1,30}", token):
            return int(token, 16)
        if re.fullmatch(r"[+-]?\d{1,30}N?", token):
            return int(token.rstrip("N"))
        if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?M?", token):
            return float(token.rstrip("M"))
        if re.fullmatch(r":?[A-Za-z*!_?$%&=<>+./-][\w*!_?$%&=<>+./:#'-]*", token):
            return token
        raise EdnError(f"{token[:30]!r} is not understood", self.line)


def _hashable(value: Any) -> Any:
    return freeze(value) if isinstance(value, list | dict) else value
