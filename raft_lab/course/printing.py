"""What an answer prints while it is checked: the first lines of it, for a check calls it thousands of times."""

from __future__ import annotations

import contextlib
import functools
import io
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TextIO, TypeVar

SHOWN = 10
"""How many lines are shown."""

P = ParamSpec("P")
T = TypeVar("T")


class FirstLines(io.TextIOBase):
    """A place to print to that passes on the first lines, and says that there were more."""

    def __init__(self, out: TextIO, shown: int = SHOWN) -> None:
        self._out, self._left = out, shown

    def write(self, text: str) -> int:
        """Pass on what is left to be shown of a text."""
        for line in text.splitlines(keepends=True):
            if self._left > 0:
                self._out.write(line)
                self._left -= line.endswith("\n")
                if not self._left:
                    self._out.write("… and so on: a check calls what you wrote thousands of times.\n")
        return len(text)


def prints_little(check: Callable[P, T]) -> Callable[P, T]:
    """A check during which only the first lines of what is printed are shown.

    Where several checks run side by side, in threads, nothing is held back: they share one place to print to.
    """

    @functools.wraps(check)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if threading.current_thread() is not threading.main_thread():
            return check(*args, **kwargs)
        with contextlib.redirect_stdout(FirstLines(sys.stdout)):
            return check(*args, **kwargs)

    return checked
