"""Whether a class may be trusted to do the same thing for the same state and event: searches and replays rest on it.

Whatever decides a step besides the server's state and the message (chance, a clock, a variable that servers share, the
order of a set) is found and named here, by reading the code and by trying it on a sample of small situations.
"""

from __future__ import annotations

import dis
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from raft_lab.check.situations import KINDS, small
from raft_lab.check.standing import Situation
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.guard import foreign_code, foreign_functions, used_by
from raft_lab.raft.log import Log
from raft_lab.raft.server import Server
from raft_lab.raft.state import Event, Outcome, Rejected
from raft_lab.raft.values import FrozenMap

SAMPLE = 10
"""How many situations of each kind are tried."""

_ELSEWHERE = frozenset(
    {"random", "_random", "secrets", "uuid", "time", "datetime", "os", "posix", "nt", "socket", "threading", "asyncio"}
)
_BUILTINS = frozenset({"id", "hash", "input", "open"})
_NAMINGS = tuple(
    {f"S{number}": f"S{number}{digits}" for number in range(1, 10)} for digits in ("1", "47", "902", "38", "6", "555")
)
"""Other names for the servers, in the same order."""
_TRIED: WeakKeyDictionary[type[Server], str] = WeakKeyDictionary()
"""Why a class was refused, or '' if it has passed. Asked again it might pass: what is shared may be full."""


class ImpureHandler(HandlerError):
    """A handler decides by something besides its server's state and the message, or changes something besides."""


def impurity(server: Any) -> str:
    """Why `server` cannot be trusted, or ''. A handler without an end is left to whoever comes upon it."""
    try:
        refuse_impure(server)
    except ImpureHandler as error:
        return str(error)
    except HandlerError:
        pass
    return ""


def refuse_impure(server: Any) -> None:
    """Do nothing if `server` seems to be pure.

    Args:
        server: a subclass of `Server`; what this package wrote itself is not looked at.

    Raises:
        ImpureHandler: it is not, and why.
        HandlerError: a handler runs on and on.
    """
    if not (isinstance(server, type) and issubclass(server, Server)) or not foreign_functions(server):
        return
    if server not in _TRIED:
        try:
            _refuse_what_it_uses(server)
            _refuse_what_it_does(server)
            _TRIED[server] = ""
        except ImpureHandler as error:
            _TRIED[server] = str(error)
    if why := _TRIED[server]:
        raise ImpureHandler(why)


def _refuse_what_it_uses(server: type[Server]) -> None:
    for function in foreign_functions(server):
        for name, value in used_by(function).items():
            module = value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))
            if module.split(".")[0] in _ELSEWHERE and (isinstance(value, ModuleType) or callable(value)):
                raise ImpureHandler(_not_allowed(server, function.__qualname__, name))
    for where, code in foreign_code(server).items():
        for step in dis.get_instructions(code):
            if step.opname == "LOAD_GLOBAL" and step.argval in _BUILTINS:
                raise ImpureHandler(_not_allowed(server, where.split(":")[0], f"{step.argval}()"))
            if step.opname == "IMPORT_NAME" and step.argval.split(".")[0] in _ELSEWHERE:
                raise ImpureHandler(_not_allowed(server, where.split(":")[0], step.argval))


def changed_message(server: type[Server]) -> str:
    """What to say of a class that does so."""
    return f"{server.__name__} changed the message that it had received: others may get it too"


def _not_allowed(server: type[Server], where: str, name: str) -> str:
    return (
        f"{server.__name__} uses {name} in {where.rsplit('.', maxsplit=1)[-1]}: a handler decides by nothing but self "
        "and the message. Chance and time are outside: timers and messages come as events"
    )


def _refuse_what_it_does(server: type[Server]) -> None:
    extra = server.initial("S1", small("Crash")[0].state.log).extra
    before = _marks(server)
    for number, situation in enumerate(_sample()):
        state = replace(situation.state, extra=extra)
        event: Any = renamed(situation.event, {})
        first, failed = _tried(server, Situation(state, event, situation.now))
        after = _marks(server)
        for name, mark in after.items():
            if before.get(name, mark) != mark:
                raise ImpureHandler(
                    f"{server.__name__} changes {name}, which all servers share: servers share nothing but messages. "
                    f"What a server must remember it declares, volatile = {{'seen': …}} in {server.__name__}, "
                    "and uses as self.seen"
                )
        if event != situation.event:
            raise ImpureHandler(changed_message(server))
        if failed:
            continue
        if first != _tried(server, replace(situation, state=state))[0]:
            raise ImpureHandler(
                f"{server.__name__} did two different things for the same state and event: a handler may use "
                "nothing but self and the message, no randomness, clock or global"
            )
        names = _NAMINGS[number % len(_NAMINGS)]
        elsewhere = Situation(renamed(state, names), renamed(event, names), situation.now)
        if _as_bag(renamed(first, names)) != _as_bag(_tried(server, elsewhere)[0]):
            raise ImpureHandler(
                f"{server.__name__} does something else when the servers have other names: it depends on the order of "
                "a set (take sorted(…), min(…) or max(…)) or on somebody's name"
            )


def _sample() -> Iterator[Situation]:
    """Some situations of each kind, spread from the smallest to the largest."""
    for kind in KINDS:
        if kind != "Crash":
            everything = small(kind)
            yield from everything[:: max(1, len(everything) // SAMPLE)]


def _tried(server: type[Server], situation: Situation) -> tuple[Outcome | None, bool]:
    event: Event = situation.event  # type: ignore[assignment]
    try:
        return server.step(situation.state, event, situation.now), False
    except HandlerError as error:
        if "runs on and on" in str(error) or "without an end" in str(error):
            raise
        return None, True  # what fails is reported where it matters


def _as_bag(outcome: Outcome | None) -> object:
    """In which order messages are sent is no difference: the network keeps none. Reasons are for people."""
    if outcome is None:
        return None
    told = Counter(replace(answer, reason="") if isinstance(answer, Rejected) else answer for answer in outcome.answers)
    return outcome.state, Counter(outcome.messages), outcome.timer_reset, told


def renamed(value: Any, names: dict[str, str]) -> Any:
    """`value` with other names for the servers; made anew all the way down."""
    match value:
        case str():
            return names.get(value, value)
        case FrozenMap():
            return FrozenMap({renamed(key, names): renamed(item, names) for key, item in value.items()})
        case tuple():
            return tuple(renamed(item, names) for item in value)
        case frozenset():
            return frozenset(renamed(item, names) for item in value)
        case Log():
            return Log(renamed(value.snapshot, names), [renamed(entry, names) for _, entry in value])
        case _ if is_dataclass(value) and not isinstance(value, type):
            return type(value)(**{part.name: renamed(getattr(value, part.name), names) for part in fields(value)})
        case _:
            return value


# --- What servers share -----------------------------------------------------------------------------


def _marks(server: type[Server]) -> dict[str, object]:
    """Everything outside the servers' states that its code can reach, each with a mark that changes as it does."""
    found: dict[str, object] = {}
    for base in server.__mro__:
        if base.__module__ == "builtins" or base.__module__.startswith("raft_lab."):
            continue
        for name, value in vars(base).items():
            plain = not callable(value) and not isinstance(value, classmethod | staticmethod | property)
            if plain and not name.startswith("__") and name not in ("durable", "volatile"):
                found[f"{name} (an attribute of the class {base.__name__})"] = _mark(value)
    for function in foreign_functions(server):
        for number, value in enumerate(function.__defaults__ or ()):
            found[f"a default value of {function.__name__} (number {number + 1})"] = _mark(value)
        for name, value in used_by(function).items():
            if not isinstance(value, ModuleType | type | FunctionType):
                found[f"{name} (a variable outside the class)"] = _mark(value)
    return found


def _mark(value: object, depth: int = 4) -> object:
    if depth == 0 or isinstance(value, str | bytes | int | float | bool | type(None)):
        return value if isinstance(value, str | bytes | int | float | bool | type(None)) else type(value)
    if isinstance(value, dict):
        return tuple((_mark(key, depth - 1), _mark(item, depth - 1)) for key, item in value.items())
    if isinstance(value, set | frozenset):
        return frozenset(_mark(item, depth - 1) for item in value)
    if isinstance(value, list | tuple):
        return tuple(_mark(item, depth - 1) for item in value)
    if hasattr(value, "__iter__") and hasattr(value, "__len__") and hasattr(value, "append"):  # a deque, say
        return tuple(_mark(item, depth - 1) for item in value)
    if hasattr(value, "__dict__") and not isinstance(value, ModuleType | type | FunctionType):
        return tuple((name, _mark(item, depth - 1)) for name, item in vars(value).items())
    return id(value)
