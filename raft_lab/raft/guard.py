"""A bound on how much code a handler runs in one step, so that a loop without an end is an error and not a hang.

It counts executed instructions of the interpreter, not seconds: the verdict does not depend on the machine. Only code
that somebody else wrote is watched, and only if there is a loop in it, since counting costs time. What never
comes back from within the interpreter itself, such as `sum(itertools.repeat(1))`, no count can see. (Lines are not
counted because `while True: pass` has none after the first.)
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any

from raft_lab.raft.errors import HandlerError

INSTRUCTIONS = 500_000
"""How many instructions of its own code a handler may run in one step; a real one runs a few hundred."""


_spent = 0


def spent() -> int:
    """How many instructions have been counted in this process so far."""
    return _spent


def bounded(cls: type, where: str, call: Callable[..., Any], *arguments: Any, always: bool = False) -> None:
    """Call a method of `cls`, whose code is not ours, within the budget.

    Args:
        cls: the class whose code is watched.
        where: what is being done, for the error: "S2 while handling RequestVote".
        call: what to do.
        *arguments: its arguments.
        always: count even where no loop is known of.

    Raises:
        HandlerError: it ran on and on.
    """
    global _spent
    if (
        not (always or has_loops(cls)) or sys.gettrace() is not None
    ):  # a debugger or a coverage tool is watching: leave it alone
        call(*arguments)
        return
    left = INSTRUCTIONS

    def on_instruction(frame: FrameType, kind: str, _: Any) -> Any:
        nonlocal left
        if kind == "opcode":
            left -= 1
            if left < 0:
                raise HandlerError(
                    f"{cls.__name__} runs on and on: {frame.f_code.co_name} on {where} had gone through "
                    f"{INSTRUCTIONS:,} instructions in one step when it was stopped in line {frame.f_lineno}. "
                    "Which loop never ends?"
                )
        return on_instruction

    def on_call(frame: FrameType, *_: Any) -> Any:
        if frame.f_globals.get("__name__", "").startswith("raft_lab."):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return on_instruction

    sys.settrace(on_call)
    try:
        call(*arguments)
    finally:
        sys.settrace(None)
        _spent += INSTRUCTIONS - left


@functools.cache
def has_loops(cls: type) -> bool:
    """Whether anything that `cls` adds to a server, or calls by name, can go round in a loop."""
    return any(
        "JUMP_BACKWARD" in step.opname for code in foreign_code(cls).values() for step in dis.get_instructions(code)
    )


def foreign_code(cls: type) -> dict[str, CodeType]:
    """The code that `cls` adds to what this package wrote, and the functions that it uses, each with its name."""
    found: dict[str, CodeType] = {}
    for function in foreign_functions(cls):
        _collect(function.__qualname__, function.__code__, found)
    return found


def _collect(name: str, code: CodeType, found: dict[str, CodeType]) -> None:
    found[f"{name}:{code.co_firstlineno}:{code.co_name}"] = code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _collect(name, constant, found)


def foreign_functions(cls: type) -> tuple[FunctionType, ...]:
    """The functions among the attributes of `cls` that this package did not write, and those that they use by name."""
    waiting = [value for base in cls.__mro__ if not _is_ours(base) for value in vars(base).values()]
    known: dict[int, FunctionType] = {}
    while waiting:
        for function in _functions_in(waiting.pop()):
            if id(function) not in known and not _is_ours(function):
                known[id(function)] = function
                waiting += used_by(function).values()
    return tuple(known.values())


def _is_ours(thing: Any) -> bool:
    module = str(getattr(thing, "__module__", ""))
    return module == "builtins" or module.startswith("raft_lab.")


def _functions_in(value: Any) -> Iterator[FunctionType]:
    if isinstance(value, FunctionType):
        yield value
    elif isinstance(value, classmethod | staticmethod):
        yield from _functions_in(value.__func__)
    elif isinstance(value, property):
        for part in (value.fget, value.fset):
            yield from _functions_in(part)


def used_by(function: FunctionType) -> dict[str, Any]:
    """What `function` reaches from outside itself: globals that it names, and variables around it."""
    outside = function.__globals__
    used = {name: outside[name] for name in _globals_in(function.__code__) if name in outside}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        if name != "__class__":
            try:
                used[name] = cell.cell_contents
            except ValueError:  # not bound yet
                continue
    return used


@functools.lru_cache(maxsize=1000)
def _globals_in(code: CodeType) -> tuple[str, ...]:
    """The globals that `code` names, itself or in what is defined in it. What they mean may change, this does not."""
    found: dict[str, CodeType] = {}
    _collect("", code, found)
    steps = (step for one in found.values() for step in dis.get_instructions(one))
    return tuple(dict.fromkeys(s.argval for s in steps if s.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")))
