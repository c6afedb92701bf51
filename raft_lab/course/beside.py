"""Steps of an answer that come to none of its methods: they are Raft's own, and are done beside the grader.

Most steps are of this kind, and to ask another process for one costs ten times as much.
"""

from __future__ import annotations

import functools
from typing import Any, NoReturn

from raft_lab.raft.rules import switched
from raft_lab.raft.server import Server
from raft_lab.raft.state import Event, State

Rules = tuple[tuple[str, ...], tuple[str, ...]]
"""Rules that are off, and optional ones that are on."""
Asked = tuple[Rules, State, Event, int]
"""A step, as it is asked for."""
BATCH = 50
"""So many steps are asked at once, where it is known beforehand which."""


class Reached(BaseException):
    """A step has come to one of the answer's methods."""


def reached(*_: Any, **__: Any) -> NoReturn:
    """What stands in the place of each of these methods."""
    raise Reached


@functools.lru_cache(maxsize=128)
def beside(name: str, base: type, methods: frozenset[str]) -> type:
    """`base` up to where it comes to one of these methods: then it raises `Reached`."""
    return type(name, (base,), {"__module__": __name__, **dict.fromkeys(methods, reached)})


@functools.lru_cache(maxsize=256)
def with_rules(server: type, rules: Rules) -> type[Server]:
    """A class of servers with rules switched."""
    return switched(server, off=rules[0], on=rules[1])
