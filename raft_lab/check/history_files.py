"""Histories as files: our own JSON, Jepsen's EDN, and one operation a line as JSON.

Jepsen's `history.edn` holds maps such as `{:type :invoke, :f :read, :value nil, :process 0, :time 12}`, one a line or
in one vector; `:type` is then `:ok`, `:fail` or `:info`. A value `[key value]` belongs to a key where every operation
of the file has one; so does a field `:key`. Transactions are vectors of `[:r key nil]` and `[:w key value]`.

Lines of JSON have the fields of Porcupine's `Operation`:
`{"clientId": 0, "input": {"op": "put", "key": "x", "value": "1"}, "call": 10, "output": null, "return": 25}`, with
times in nanoseconds. Without a return nobody knows what became of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from raft_lab.check.edn import EdnError, Reader
from raft_lab.check.histories import History, HistoryError, Mark, Operation, value_text
from raft_lab.raft.values import freeze
from raft_lab.sim.files import Unreadable, read_whole, write_whole
from raft_lab.sim.trace import decode, encode

FORMAT = "raft_lab history"
VERSION = 1


class _Wrong(Exception):
    """What is wrong, and in which line (0 if in none)."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {what}" if line else what)


def save(history: History, path: str | PathLike[str]) -> None:
    """Write a history as JSON; see `History.save`."""
    content = {"format": FORMAT, "version": VERSION, "history": encode(history)}
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load(path: str | PathLike[str]) -> History:
    """Read a history; see `History.load`."""
    try:
        history = _read(read_whole(path).removeprefix("\ufeff"))  # some editors begin a file with this mark
    except FileNotFoundError:
        raise HistoryError(f"there is no file {path}") from None
    except (_Wrong, Unreadable, EdnError, HistoryError) as wrong:
        raise HistoryError(f"{path} cannot be read: {wrong}") from None
    return history if history.source else replace(history, source=Path(path).name)


def _read(text: str) -> History:
    """Find out by the content which kind of file it is."""
    found = re.search(r"^\s*[^\s;]", text, flags=re.MULTILINE)
    if found is None:
        raise _Wrong("it is empty")
    if re.match(r"\s*\{\s*(\"|$)", text[found.start() :]):
        return _from_json(text)
    return _from_edn(text)


def _name(client: Any) -> str:
    """What people call a client that is a number to its program."""
    return f"client {client}" if str(client).isdigit() else str(client)


# --- JSON ------------------------------------------------------------------------------------------------------------


def _from_json(text: str) -> History:
    if f'"{FORMAT}"' not in text[:100]:
        return _from_lines(text)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise _Wrong(f"it is not whole JSON ({error.msg}); was it cut short?", error.lineno) from None
    except RecursionError:
        raise _Wrong("it is nested too deeply") from None
    if content.get("version") != VERSION:
        raise _Wrong(f"it has version {content.get('version')!r}, and this raft_lab reads {VERSION}")
    try:
        history: History = decode(content["history"], History)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _Wrong(f"it is damaged ({error})") from None
    moments = {m for o in history.operations for m in (o.called, o.returned or 0)} | {mark.at for mark in history.marks}
    for known in (history.times_us, history.steps):
        if known and not 0 <= min(moments, default=0) <= max(moments, default=0) < len(known):
            raise _Wrong("it speaks of moments that it does not list")
    return history


def _from_lines(text: str) -> History:
    """One operation a line; calls and returns are put in order of time, at equal times the calls first."""
    operations: list[Operation] = []
    events: list[tuple[int, int, int]] = []  # time, whether it is a return, number of the operation
    for line, written in enumerate(text.splitlines(), start=1):
        if not written.strip():
            continue
        try:
            fields = {name.lower(): value for name, value in json.loads(written).items()}
            request = fields.pop("input")
            client = fields.pop("clientid")
            times = fields.pop("call"), fields.pop("return", None)
            result = freeze(fields.pop("output", None))
            kind, key, value = request.pop("op"), freeze(request.pop("key", None)), freeze(request.pop("value", None))
        except json.JSONDecodeError as error:
            raise _Wrong(f"it is not JSON ({error.msg})", line) from None
        except KeyError as missing:
            raise _Wrong(f"the field {missing.args[0]!r} is missing", line) from None
        except (AttributeError, TypeError, RecursionError):
            raise _Wrong('an operation is an object with an object "input"', line) from None
        if unknown := sorted({*fields, *request}):
            raise _Wrong(f"the field {unknown[0]!r} has no meaning here", line)
        if not isinstance(kind, str) or not all(type(t) is int for t in times if t is not None) or times[0] is None:
            raise _Wrong('"op" is a name, "call" and "return" are whole numbers', line)
        if times[1] is not None and times[1] < times[0]:
            raise _Wrong("it returns before it is called", line)
        number = len(operations)
        operations.append(Operation(_name(client), kind, key, value, 0, None, result))
        events += [(time, end, number) for end, time in enumerate(times) if time is not None]
    events.sort()
    for moment, (_, end, number) in enumerate(events):
        asked = operations[number]
        operations[number] = replace(asked, returned=moment) if end else replace(asked, called=moment)
    return History(tuple(operations), times_us=tuple(time // 1000 for time, _, _ in events))


# --- Jepsen's EDN ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Event:
    """One line of Jepsen's history."""

    line: int
    type: str
    f: str
    process: str
    value: Any
    key: Any
    time_us: int | None


def _from_edn(text: str) -> History:
    events = [_event(line, form) for line, form in _maps(Reader(text))]
    asked = [e.value for e in events if e.type == "invoke" and e.f in ("read", "write", "cas")]
    keyed = bool(asked) and all(isinstance(value, tuple) and len(value) == 2 for value in asked)
    keyed = keyed and any(e.f != "cas" or isinstance(e.value[1], tuple) for e in events if e.type == "invoke")
    operations: list[Operation] = []
    under_way: dict[str, tuple[int, _Event]] = {}  # by process: the operation's number, and its call
    marks = []
    for moment, event in enumerate(events):
        if not event.process.isdigit():
            about = "" if event.value is None else f" {value_text(event.value)}"
            marks.append(Mark(moment, "", f"{event.process} {event.f}{about}"))
        elif event.type == "invoke":
            if event.process in under_way:
                earlier = under_way[event.process][1].line
                raise _Wrong(
                    f"process {event.process} is not done yet with what it began in line {earlier}", event.line
                )
            under_way[event.process] = len(operations), event
            operations.append(_called(event, moment, keyed))
        else:
            if event.process not in under_way or under_way[event.process][1].f != event.f:
                raise _Wrong(f"process {event.process} completes :{event.f}, which it had not begun", event.line)
            number, _ = under_way.pop(event.process)
            operations[number] = _completed(operations[number], event, moment, keyed)
    times = [event.time_us for event in events]
    known = all(time is not None for time in times) and times == sorted(times, key=lambda time: time or 0)
    return History(tuple(operations), tuple(marks), times_us=tuple(t or 0 for t in times) if known else ())


def _event(line: int, form: Any) -> _Event:
    if not isinstance(form, dict):
        raise _Wrong(f"an operation is a map such as {{:type :invoke, :f :read, …}}, not {form!r}"[:120], line)
    missing = [name for name in (":type", ":f", ":process") if name not in form]
    if missing:
        raise _Wrong(f"the field {missing[0]} is missing", line)
    kind = str(form[":type"]).removeprefix(":")
    if kind not in ("invoke", "ok", "fail", "info"):
        raise _Wrong(f":type is :invoke, :ok, :fail or :info, not {form[':type']}", line)
    time = form.get(":time")
    return _Event(
        line,
        kind,
        str(form[":f"]).removeprefix(":"),
        str(form[":process"]).removeprefix(":"),
        freeze(form.get(":value")),
        freeze(form.get(":key")),
        time // 1000 if isinstance(time, int) else None,
    )


def _called(event: _Event, moment: int, keyed: bool) -> Operation:
    key, value = event.value if keyed and event.f != "txn" else (event.key, event.value)
    if event.f == "txn":
        value = ((), _transaction(event), ())
    elif event.f == "cas" and not (isinstance(value, tuple) and len(value) == 2):
        raise _Wrong(":cas has a value [old new]", event.line)
    elif event.f in ("read", "get"):
        value = None
    return Operation(_name(event.process), event.f, key, value, moment)


def _completed(called: Operation, event: _Event, moment: int, keyed: bool) -> Operation:
    if event.type == "info":
        return called
    if event.type == "fail":
        return replace(called, returned=moment, failed=True)
    result: Any = None
    if event.f == "txn":
        result = True, tuple(part[2] if part[0] == "get" else None for part in _transaction(event))
    elif event.f == "cas":
        result = True
    elif event.f not in ("write", "put", "append"):
        if keyed and not (isinstance(event.value, tuple) and len(event.value) == 2):
            raise _Wrong("its value is not [key value], as that of the others is", event.line)
        result = event.value[1] if keyed else event.value
    return replace(called, returned=moment, result=result)


def _transaction(event: _Event) -> tuple[tuple[str, Any, Any], ...]:
    kinds = {":r": "get", ":w": "put"}
    parts = event.value if isinstance(event.value, tuple) else ()
    if not all(isinstance(part, tuple) and len(part) == 3 and part[0] in kinds for part in parts):
        raise _Wrong("a transaction is made of [:r key nil] and [:w key value]", event.line)
    return tuple((kinds[name], key, value) for name, key, value in parts)


def _maps(edn: Reader) -> Iterator[tuple[int, Any]]:
    """The operations of the file, each with its line: one after another, or all in one vector."""
    if edn.peek() == "[":
        edn.take()
        while edn.peek() not in ("]", ""):
            yield edn.line, edn.form()
        if edn.take() != "]":
            raise _Wrong("the file ends within the vector", edn.line)
    while edn.peek():
        yield edn.line, edn.form()
