"""The processes in which answers run: a nursery that has loaded everything, and a child of it for each answer.

The nursery (`python -m raft_lab.course.worker FD`) never runs a stranger's code. On "begin" it forks a child, which
gives up what it can (`confinement.py`), runs the definition that is asked for, and from then on answers one request
after another. The grader asks the nursery to end the child, and knows by how it ended what to say.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import pkgutil
import random
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any

from raft_lab.check.purity import refuse_impure
from raft_lab.check.situations import KINDS, small
from raft_lab.course import wire
from raft_lab.course.confinement import confine
from raft_lab.course.definitions import NoAnswer, find
from raft_lab.raft import guard
from raft_lab.raft.core import FIELDS, where_it_failed
from raft_lab.raft.errors import HandlerError, RaftLabError
from raft_lab.raft.rules import switched
from raft_lab.raft.server import Server
from raft_lab.raft.state import State

IN_ALL = 150_000_000
"""How many instructions of its own code, where that has loops, an answer may run while it is graded."""
_USEFUL = """
    abc array asyncio bisect builtins collections contextlib copy ctypes dataclasses datetime decimal enum fractions
    functools gc heapq inspect itertools json linecache math numbers operator os pathlib pprint queue random re secrets
    socket statistics string subprocess textwrap threading time traceback types typing uuid warnings weakref
"""
"""Modules of the standard library that an answer finds loaded; nothing can be loaded later."""


# --- The nursery -------------------------------------------------------------------------------------


def nurse(control: socket.socket, judges: bool) -> None:
    """Fork a child whenever it is asked for, and end it; until nobody asks any more.

    Args:
        control: where it is asked.
        judges: whether its children say what an answer is like, or only do steps again.
    """
    _load_everything(judges)
    control.send(b"ready")
    child = 0
    while True:
        said, descriptors, *_ = socket.recv_fds(control, 16, 1)
        if child:
            control.send(_end(child, patience_s=2.0 if said == b"hung up" else 0.0).encode())
            child = 0
        if not said:
            return
        if said == b"begin":
            child = os.fork()
            if not child:
                _be_a_child(control, descriptors[0])
            os.close(descriptors[0])


def _load_everything(judges: bool) -> None:
    import raft_lab.course.graded  # noqa: F401

    for name in _USEFUL.split():
        importlib.import_module(name)
    for package in ("encodings", *(f"raft_lab.{room}" for room in ("raft", "sim", "check", "kv", "kube"))):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            with contextlib.suppress(ImportError):  # of another system, or of an extra that is not installed
                importlib.import_module(module.name)

    for kind in KINDS if judges else ():
        small(kind)  # which purity is tried on
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _end(child: int, patience_s: float) -> str:
    """Kill the child and all that it may have started; and how it had ended, if it had.

    Whoever hangs up ends a moment later.
    """
    until = time.monotonic() + patience_s
    done, status = os.waitpid(child, os.WNOHANG)
    while not done and time.monotonic() < until:
        time.sleep(0.005)
        done, status = os.waitpid(child, os.WNOHANG)
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    if not done:
        os.waitpid(child, 0)
        return "alive"
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"


def _be_a_child(control: socket.socket, descriptor: int) -> None:
    status = 70
    try:
        os.setsid()
        control.close()
        line = Line(socket.socket(fileno=descriptor))
        Child(line, confine(descriptor)).serve()
        status = 0
    except (EOFError, OSError):
        status = 0  # nobody asks any more
    finally:
        os._exit(status)


# --- The child ---------------------------------------------------------------------------------------


class Line:
    """Whole messages over a socket: their length in four bytes, and then themselves."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.heard = bytearray()

    def read(self) -> bytes:
        """The next message.

        Raises:
            EOFError: there will be none.
        """
        return self._exactly(struct.unpack(">I", self._exactly(4))[0])

    def _exactly(self, count: int) -> bytes:
        return wire.exactly(count, self.heard, lambda: self.socket.recv(1 << 16))

    def write(self, message: bytes) -> None:
        """Send a message."""
        self.socket.sendall(struct.pack(">I", len(message)) + message)


class Child:
    """Answers what it is asked. The states that it has been given or has made are known by number from then on."""

    def __init__(self, line: Line, held: list[str]) -> None:
        self.line = line
        self.held = held
        self.answer: Any = None
        self.states: list[State] = []
        self.events: list[Any] = []
        self.running: list[Any] = []
        self.parts: list[Any] = []
        self.shared: list[Any] = []
        self.servers: dict[Any, type[Server]] = {}

    def serve(self) -> None:
        """Go on until nobody asks any more."""
        while True:
            verb, *arguments = pickle.loads(self.line.read())  # noqa: S301  the grader wrote it
            said = getattr(self, f"do_{verb}")(*arguments)
            self.line.write(wire.dumps(said))

    def do_held(self) -> list[str]:
        """What this process could give up."""
        return self.held

    # Beginning

    def do_load(self, cells: Any, wanted: str, names: Any, others: Any, graded: str, which: int, judges: bool) -> Any:
        """Run a definition, and say what it is, and how many there are; unless it is only asked for steps again."""
        from raft_lab.course.graded import GRADED

        exercise: Any = GRADED[graded].exercise
        base = getattr(exercise, "base", Server)
        _blank(getattr(exercise, "missing", ()))
        random.seed(0)  # a client that waits for a random time does so in the same way each time
        try:
            found = find(cells, wanted, names, others)
        except NoAnswer as error:
            return {"missing": str(error)}
        there = {"answers": len(found.answers), "note": found.note}
        try:
            self.answer = found.load(which, _given(), lambda call: _bounded("the cell", call))
        except (Exception, SystemExit, GeneratorExit) as error:
            return {"failed": _told(error), **there}
        if not judges:
            return {}
        about = {**there, **self._about(base)}
        if about.get("fits") and hasattr(exercise, "refusal"):
            about["refused"] = exercise.refusal(self.answer)
        return about

    def _about(self, base: type) -> dict[str, Any]:
        answer = self.answer
        if isinstance(answer, type):
            return {"kind": "class", "name": answer.__name__, **self._about_class(answer, base)}
        if callable(answer) and hasattr(answer, "__code__"):
            generator = bool(answer.__code__.co_flags & 0x20)
            return {"kind": "generator" if generator else "function", "name": answer.__name__}
        try:
            return {"kind": "value", "value": wire.pack(answer)}
        except HandlerError as error:
            return {"failed": str(error)}

    def _about_class(self, answer: type, base: type) -> dict[str, Any]:
        if not issubclass(answer, base) or not issubclass(answer, Server):
            return {"fits": False}
        mine = [cls for cls in answer.__mro__ if not cls.__module__.startswith("raft_lab.") and cls is not object]
        names = sorted({name for cls in mine for name in vars(cls) if not name.startswith("__")})
        owns = [name for name in names if callable(getattr(answer, name))]
        try:
            fields = {kind: wire.pack(dict(getattr(answer, kind))) for kind in ("durable", "volatile")}
            refuse_impure(answer)
            impure = ""
        except HandlerError as error:
            fields, impure = {"durable": wire.pack({}), "volatile": wire.pack({})}, str(error)
        plain = _is_plain(answer, base, mine)
        return {"fits": True, "owns": owns, "plain": plain, "impure": impure, "fields": fields}

    # Steps

    def server(self, rules: tuple[tuple[str, ...], tuple[str, ...]]) -> type[Server]:
        """The answer with rules switched."""
        if rules not in self.servers:
            self.servers[rules] = switched(self.answer, off=rules[0], on=rules[1])
        return self.servers[rules]

    def state(self, given: int | State) -> State:
        """A state by its number, or a new one."""
        if isinstance(given, int):
            return self.states[given]
        self.states.append(wire.thawed(given))
        return self.states[-1]

    def event(self, given: Any) -> Any:
        """An event by its number, or a new one."""
        if isinstance(given, int):
            return self.events[given]
        self.events.append(given)
        return given

    def do_step(self, rules: Any, given: int | State, event: Any, now: int) -> Any:
        """One step; the state that it leads to gets the next number, if it is another one."""
        return self._step(rules, self.state(given), self.event(event), now)

    def do_steps(self, many: list[Any], to_the_end: bool) -> Any:
        """Several steps: first all states and events get their numbers, then one step is done after the other.

        The first that fails is the last, unless it is to go on `to_the_end`.
        """
        resolved = [(rules, self.state(given), self.event(event), now) for rules, given, event, now in many]
        said = []
        for one in resolved:
            said.append(self._step(*one))
            if isinstance(said[-1], dict) and not to_the_end:
                break
        return said

    def _step(self, rules: Any, before: State, happens: Any, now: int) -> Any:
        outcome = self._said(lambda: self.server(rules).step(before, happens, now))
        if isinstance(outcome, dict):
            return outcome
        try:
            said = wire.pack_outcome(before, outcome)
        except HandlerError as error:
            return {"error": str(error)}
        if said[0] is not None:
            self.states.append(outcome.state)
        return said

    def do_left(self, rules: Any, verb: str, before: State, arguments: tuple[Any, ...]) -> Any:
        """What `crashed` of the answer makes, as what is different from `before`."""
        after = self._said(lambda: getattr(self.server(rules), verb)(*map(_thawed, arguments)))
        return after if isinstance(after, dict) else {"changes": wire.pack_changes(before, after)}

    def do_method(self, rules: Any, name: str, before: State, now: int, arguments: tuple[Any, ...]) -> Any:
        """What a method of the answer says on a working copy of a state."""
        return self._value(lambda: getattr(self.server(rules)(wire.thawed(before), now), name)(*arguments))

    # Functions

    def do_call(self, sent: bytes) -> Any:
        """What a function gives; or, of a generator function, under which number it runs."""
        arguments = wire.thaw(wire.Heard(sent, self.parts).load())
        if self.answer.__code__.co_flags & 0x20:
            self.running.append(self.answer(*arguments))
            return {"value": len(self.running) - 1}
        return self._value(lambda: self.answer(*arguments))

    def do_calls(self, sent: bytes, first: bool) -> Any:
        """What a function gives in several calls; what these have in common is known apart from all else."""
        if first:
            self.shared.clear()
        calls = wire.Heard(sent, self.shared).load()
        said = []
        for arguments in calls:
            one = self._said(lambda: (self.answer(*arguments),), bounded=True)  # noqa: B023  called at once
            if isinstance(one, dict):
                return one
            said += one
        return self._value(lambda: said)

    def do_go_on(self, number: int, how: str, value: Any) -> Any:
        """What a running program asks for next, when it is sent `value` or that is raised in it."""
        program = self.running[number]

        def go_on() -> Any:
            try:
                return ("asks", getattr(program, how)(value))
            except StopIteration as done:
                return ("done", done.value)

        return self._value(go_on)

    def _value(self, call: Callable[[], Any]) -> Any:
        said = self._said(lambda: (call(),), bounded=True)
        if isinstance(said, dict):
            return said
        try:
            return {"value": wire.pack(said[0])}
        except HandlerError as error:
            return {"error": str(error)}

    def _said(self, call: Callable[[], Any], bounded: bool = False) -> Any:
        """What `call` gives, or {"error": …}. A step is bounded by itself."""
        if guard.spent() > IN_ALL:
            return {"error": f"{wire.TOO_LONG} it went through more than {IN_ALL:,} instructions"}
        try:
            return _bounded("a call", call, self.answer) if bounded else call()
        except HandlerError as error:
            return {"error": str(error)}
        except (Exception, SystemExit, GeneratorExit) as error:
            return {"error": _told(error)}


def _thawed(value: Any) -> Any:
    return wire.thawed(value) if isinstance(value, State) else value


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, RaftLabError) else where_it_failed(error)


def _bounded(where: str, call: Callable[[], Any], function: Any = None) -> Any:
    """Call within the budget of instructions; see `raft_lab.raft.guard`."""
    watched = type(getattr(function, "__name__", "The code"), (), {"function": function, "__module__": "answer"})
    given: list[Any] = []
    guard.bounded(watched, where, lambda: given.append(call()), always=function is None)
    return given[0]


def _is_plain(answer: type[Server], base: type, mine: list[type]) -> bool:
    """Whether a step that comes to none of its methods is a step of `base`: all that it has besides changes none."""
    if type(answer) is not type or answer.durable or answer.volatile or {*answer.__mro__} - {*base.__mro__, *mine}:
        return False
    return all(_changes_nothing(name, value, base) for cls in mine for name, value in vars(cls).items())


def _changes_nothing(name: str, value: Any, base: type) -> bool:
    if name.startswith("__"):
        return name in _OF_EVERY_CLASS
    if name in FIELDS:  # a property, say, which stands before the field
        return False
    method = isinstance(value, FunctionType | staticmethod | classmethod)
    return name in ("durable", "volatile") or not hasattr(base, name) or (method and callable(getattr(base, name)))


class _Any:
    """Some class."""

    field: int


_OF_EVERY_CLASS = frozenset(vars(_Any)) | {"__annotations__", "__annotate_func__", "__annotations_cache__"}
"""What the interpreter itself puts into a class; the last two from Python 3.14 on."""


def _given() -> dict[str, Any]:
    """What an answer may use although its notebook does not import it, because its setup cell was deleted."""
    import dataclasses

    import raft_lab
    from raft_lab import course, kv

    found: dict[str, Any] = {"replace": dataclasses.replace}
    for module in (kv, course, raft_lab):
        found |= {name: getattr(module, name) for name in module.__all__ if name in vars(module)}
    return found


def _blank(missing: tuple[str, ...]) -> None:
    """Take the answer out of Raft itself, so that it cannot be borrowed by `Server.on_request_vote(self, m)`."""

    def blank(name: str) -> Callable[..., None]:
        def method(self: Server, *_: Any) -> None:
            raise HandlerError(
                f"{type(self).__name__} uses {name} of Server, which is what you are to write: take it out"
            )

        return method

    for cls in Server.__mro__:
        for name in missing:
            if name in vars(cls):
                setattr(cls, name, blank(name))


if __name__ == "__main__":
    from raft_lab.course import worker  # so that its classes have the name by which others know them

    try:
        worker.nurse(socket.socket(fileno=int(sys.argv[1])), sys.argv[2] == "1")
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(os.getcwd())  # noqa: PTH106, PTH109  its own; whoever made it may have been killed
        os._exit(0)  # there is nothing else to tidy up, and a great deal to take apart
