"""The grader's end of the process in which an answer runs: what is asked of it, and what is made of what comes back.

The checker stays on this side. What it gets are values that were read from JSON, or a `HandlerError` with the sentence
that a handler's failure would have had here; if the process is gone, `Ended` says why.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import pickle
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from raft_lab.course import wire
from raft_lab.course.beside import BATCH, Asked, Rules
from raft_lab.course.confinement import MEMORY, PROCESSOR_S
from raft_lab.raft.errors import HandlerError, RaftLabError
from raft_lab.raft.state import Event, Outcome, State
from raft_lab.sim.errors import TraceError

SILENCE_S = 60.0
"""Seconds without an answer, after which there will be none. A safety net: instructions are counted first."""
LARGEST = 16 << 20
"""Bytes in one answer; more is no answer."""
SAMPLED = 100
"""So many calls of a function are noted, and after that each of so many."""
JUDGES, REPEATS = 1, 2
"""Hash seeds of the nurseries: an answer is judged in a child of the first, and asked again in one of the second."""
Here = Callable[[State, Event, int], Outcome | None]
"""Does a step without the answer if that has no part in it; else None."""


NO_ANSWER = "It wrote something else than an answer to where answers are sent."
LOST = "The process in which it ran was ended from outside; if this machine has too little memory, use fewer workers."
ENDED_ITSELF = "It ended the process in which it ran, or hung up on the grader (with os._exit, say)."


class Ended(Exception):
    """The process in which the answer ran is gone, and why."""


class Nursery:
    """A process that has loaded everything and forks a child for each answer; see `worker.py`.

    Args:
        hash_seed: seeds the order of its sets.
    """

    def __init__(self, hash_seed: int = JUDGES) -> None:
        self.hash_seed = hash_seed
        if os.name != "posix":
            raise RaftLabError("answers are graded on Linux or macOS; on Windows use WSL")
        self.folder = tempfile.mkdtemp(prefix="raft-lab-")
        here, there = socket.socketpair()
        package = str(Path(__file__).resolve().parents[2])
        self.process = subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-P", "-m", "raft_lab.course.worker", str(there.fileno()), str(hash_seed)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={"PYTHONPATH": package, "PYTHONHASHSEED": str(hash_seed), "LANG": "C.UTF-8", "HOME": self.folder},
            pass_fds=(there.fileno(),),
            start_new_session=True,
        )
        there.close()
        self.control = here
        if here.recv(16) != b"ready":
            self.close()
            raise RaftLabError("the process in which answers run did not start; is raft_lab installed as a whole?")

    def begin(self) -> socket.socket:
        """A line to a new child."""
        here, there = socket.socketpair()
        socket.send_fds(self.control, [b"begin"], [there.fileno()])
        there.close()
        return here

    def end(self, hung_up: bool = False) -> str:
        """End the child, and hear how it had ended before: "alive", "exit 0", "signal 9"; "" if nobody knows."""
        try:
            self.control.send(b"hung up" if hung_up else b"end")
            said = self.control.recv(16).decode()
        except OSError:
            said = ""
        if not said:  # it has been ended itself
            self.close()
        return said

    def close(self) -> None:
        """End all of it."""
        self.control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_idle: list[tuple[int, Nursery]] = []
"""Nurseries that have no child at the moment, each with the process whose it is."""
_lock = threading.Lock()


def taken(hash_seed: int) -> Nursery:
    """An idle nursery; one is started if there is none."""
    while (nursery := _idle_one(hash_seed)) is not None:
        if nursery.process.poll() is None:
            return nursery
        nursery.close()
    return Nursery(hash_seed)


def _idle_one(hash_seed: int) -> Nursery | None:
    with _lock:
        for number, (owner, nursery) in enumerate(_idle):
            if owner == os.getpid() and nursery.hash_seed == hash_seed:
                del _idle[number]
                return nursery
    return None


def given_back(nursery: Nursery) -> None:
    """It is idle again, if it is still there."""
    if nursery.process.poll() is None:
        with _lock:
            _idle.append((os.getpid(), nursery))


@atexit.register
def close_nurseries() -> None:
    """End every idle nursery of this process."""
    with _lock:
        mine = [nursery for owner, nursery in _idle if owner == os.getpid()]
        _idle.clear()
    for nursery in mine:
        nursery.close()


class Sandbox:
    """One answer in a process of its own.

    Args:
        hash_seed: seeds the order of its sets.
        silence_s: how long to wait for an answer.
    """

    def __init__(self, hash_seed: int = JUDGES, silence_s: float = SILENCE_S) -> None:
        self.silence_s = silence_s
        self.trouble = ""
        """Why the process is gone."""
        self.nursery = taken(hash_seed)
        self.line = self.nursery.begin()
        self.line.setblocking(False)
        self.known: dict[Asked, Outcome | str] = {}
        """Every step that was asked; a text is a failure."""
        self.calls: list[tuple[tuple[Any, ...], Any]] = []
        """A sample of what a function was asked, and what it gave."""
        self._called = 0
        self.told: tuple[Sequence[bytes], Sequence[bool]] = ((), ())
        """The first of many calls that were asked together, and what they gave."""
        self.own: dict[Asked, Outcome] = {}
        """Every step in which the answer has no part."""
        self._states: dict[State, int] = {}
        self._events: dict[Event, int] = {}
        self._made = 0
        self._parts: dict[Any, int] = {}
        self._heard = bytearray()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self, hung_up: bool = False) -> str:
        """End the process; how it had ended before."""
        if self.line.fileno() < 0:
            return ""
        self.line.close()
        for remembered in (self.known, self.own, self._states, self._events, self._parts):
            remembered.clear()  # a class that stands in for the answer may be remembered elsewhere for long
        how = self.nursery.end(hung_up)
        given_back(self.nursery)
        return how

    # Asking

    def ask(self, *request: Any) -> Any:
        """Send a request, and what comes back.

        Raises:
            HandlerError: the answer's code failed.
            Ended: there is no process any more.
        """
        if self.trouble:
            raise Ended(self.trouble)
        until = time.monotonic() + self.silence_s
        try:
            message = pickle.dumps(request, 5)
            self._send(struct.pack(">I", len(message)) + message, until)
            size = struct.unpack(">I", self._receive(4, until))[0]
            if size > LARGEST:
                raise wire.Garbage("more than an answer can be")
            said = wire.loads(self._receive(size, until))
        except TimeoutError:
            raise self._gone(f"It did not come to an end: nothing was heard of it for {self.silence_s:g} s.") from None
        except (EOFError, OSError):
            raise self._gone("") from None
        except (wire.Garbage, ValueError, RecursionError) as error:
            raise self._gone(
                f"It wrote something else than an answer to where answers are sent: {error}"[:300]
            ) from None
        if isinstance(said, dict) and set(said) == {"error"}:
            raise HandlerError(str(said["error"])[:2000])
        return said

    def _gone(self, why: str) -> Ended:
        how = self.close(hung_up=not why)
        self.trouble = why or _ending(how)
        return Ended(self.trouble)

    def _send(self, message: bytes, until: float) -> None:
        view = memoryview(message)
        while view:
            try:
                view = view[self.line.send(view) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, until)

    def _receive(self, count: int, until: float) -> bytes:
        def part() -> bytes:
            self._wait(select.POLLIN, until)
            return self.line.recv(1 << 16)

        return wire.exactly(count, self._heard, part)

    def _wait(self, what: int, until: float) -> None:
        left = until - time.monotonic()
        waiting = select.poll()
        waiting.register(self.line, what)
        if left <= 0 or not waiting.poll(left * 1000):
            raise TimeoutError

    # Steps

    def step(self, rules: Rules, state: State, event: Event, now: int, here: Here) -> Outcome:
        """What the answer does in one step. Each is asked once, and only if it cannot be done `here`.

        Raises:
            HandlerError: it failed.
            Ended: there is no process any more.
        """
        key = (rules, state, event, now)
        found = self.known.get(key) or self.own.get(key)
        if found is None:
            if done := here(state, event, now):
                self.own[key] = done
                return done
            found = self.known[key] = self._step(rules, state, event, now)
        if isinstance(found, str):
            raise HandlerError(found)
        return found

    def foresee(self, steps: Sequence[Asked], here: Here) -> None:
        """Ask many steps at once, that are going to be asked for."""
        new = []
        for key in dict.fromkeys(steps):
            if key not in self.known and key not in self.own:
                if done := here(*key[1:]):
                    self.own[key] = done
                else:
                    new.append(key)
        said = self.ask("steps", [self._numbered(*key) for key in new], False) if new else []
        if not isinstance(said, list) or len(said) > len(new):
            raise self._gone(NO_ANSWER)
        for key, one in zip(new, said, strict=False):  # where one fails, the rest was not done
            self.known[key] = self._noted(key[1], one)

    def does(self, steps: Mapping[Asked, Outcome]) -> bool:
        """Whether it does just this in these steps; each comes to one of its methods."""
        self.foresee(list(steps), lambda *_: None)
        return all(self.known.get(asked) == outcome for asked, outcome in steps.items())

    def _step(self, rules: Rules, state: State, event: Event, now: int) -> Outcome | str:
        try:
            said = self.ask("step", *self._numbered(rules, state, event, now))
        except HandlerError as error:
            return str(error)
        return self._noted(state, said)

    def _numbered(self, rules: Rules, state: State, event: Event, now: int) -> tuple[Any, ...]:
        """A step as it is asked: what has been there before goes by its number."""
        number, name = self._states.get(state), self._events.get(event)
        if number is None:
            self._states[state] = self._made
            self._made += 1
        if name is None:
            self._events[event] = len(self._events)
        return rules, state if number is None else number, event if name is None else name, now

    def _noted(self, state: State, said: Any) -> Outcome | str:
        """What a step came to; the state after it has a number from now on, as it has there."""
        outcome = self._outcome(state, said)
        if isinstance(said, list) and said and said[0] is not None:  # it has given the state a number there
            if not isinstance(outcome, str):
                self._states.setdefault(outcome.state, self._made)
            self._made += 1
        return outcome

    def _outcome(self, state: State, said: Any) -> Outcome | str:
        if isinstance(said, dict) and set(said) == {"error"}:
            return str(said["error"])[:2000]
        try:
            return wire.unpack_outcome(state, said)
        except (*wire.DAMAGE, TraceError) as error:
            return f"a step left something behind that Raft has no place for: {error}"[:400]

    def repeated(self, steps: Sequence[tuple[Any, ...]]) -> list[Outcome | str]:
        """What it does in steps that were asked elsewhere."""
        came = []
        for first in range(0, len(steps), BATCH):
            batch = steps[first : first + BATCH]
            said = self.ask("steps", list(batch), True)
            if not isinstance(said, list) or len(said) != len(batch):
                raise self._gone(NO_ANSWER)
            came += [self._outcome(step[1], one) for step, one in zip(batch, said, strict=True)]
        return came

    def value(self, *request: Any) -> Any:
        """A request that is answered with a value.

        Raises:
            HandlerError: the answer's code failed, or gave what is no value.
        """
        said = self.ask(*request)
        try:
            return wire.unpack(said["value"])
        except (*wire.DAMAGE, TraceError) as error:
            raise HandlerError(f"what it gave is no value: {error}"[:400]) from None

    def call(self, arguments: tuple[Any, ...]) -> Any:
        """What a function gives; see `value`."""
        given = self.begun(arguments)
        self._called += 1
        if self._called <= SAMPLED or self._called % SAMPLED == 0:
            self.calls.append((arguments, given))
        return given

    def begun(self, arguments: tuple[Any, ...]) -> Any:
        """Under which number a program runs; of a function, what it gives."""
        file = io.BytesIO()
        wire.Sent(file, self._parts).dump(arguments)
        return self.value("call", file.getvalue())

    def gives(self, arguments: tuple[Any, ...], wanted: Any) -> bool:
        """Whether a function gives just this."""
        try:
            return bool(self.call(arguments) == wanted)
        except HandlerError:
            return False

    def says(self, asked: Sequence[bytes], right: Sequence[bool]) -> bool:
        """Whether a function says just this in all these calls; see `Rehearsed`."""
        said: list[Any] = []
        for number, part in enumerate(asked):
            try:
                said += self.value("calls", part, number == 0)
            except (HandlerError, TypeError):
                return False
            if said != list(right[: len(said)]) or not all(type(one) is bool for one in said):
                return False
        self.told = (asked[:2], right[: 2 * BATCH])
        return len(said) == len(right)

    def left(self, rules: Rules, verb: str, before: State, *arguments: Any) -> State:
        """The state that `crashed` of the answer makes.

        Raises:
            HandlerError: it failed, or left what is no state.
        """
        said = self.ask("left", rules, verb, before, arguments)
        try:
            return wire.unpack_changes(before, said["changes"])
        except (*wire.DAMAGE, TraceError) as error:
            raise HandlerError(f"{verb} left something behind that Raft has no place for: {error}"[:400]) from None


def unprotected() -> list[str]:
    """What the system of this machine does not protect from an answer, in words; see `confinement.py`."""
    with Sandbox() as box:
        held = box.ask("held")
    return [word for word in ("files", "network", "processes", "signals", "memory", "time") if word not in held]


def _ending(how: str) -> str:
    match how.split():
        case []:
            return LOST
        case ["signal", "24" | "9"]:
            return (
                f"The system ended it: an answer has {PROCESSOR_S} s of processor time in all, and "
                f"{MEMORY >> 20} MiB of memory."
            )
        case ["signal", "11" | "7" | "6"]:
            return "It crashed the interpreter."
        case ["exit", _]:
            return ENDED_ITSELF
    return ENDED_ITSELF
