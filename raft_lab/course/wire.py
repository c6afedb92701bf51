"""What travels between the grader and the process in which an answer runs.

To the answer go pickles: the grader wrote them. From it comes JSON, and whoever reads it says which type must come out;
nothing is unpickled, and what is not whole is `Garbage`. A step comes back as what it changed, since both sides know
the state before it.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import ModuleType
from typing import Any, cast

from raft_lab.kv import clients, requests
from raft_lab.kv.errors import EtcdError
from raft_lab.raft import log, machine, membership, messages, state
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.log import Entry, Log, Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.messages import Message
from raft_lab.raft.state import Answer, Disk, Outcome, Role, State
from raft_lab.raft.values import FrozenMap
from raft_lab.sim import trace
from raft_lab.sim.errors import TraceError
from raft_lab.sim.world import Ghosts

TOO_LONG = "it takes too long: in all"
"""So begins what is said of a step that was not done, because those before it had taken too long together."""


class Garbage(Exception):
    """What came back is no answer to what was asked."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that only the answer's own process can make sense of. Two are equal if their bytes are.

    Attributes:
        kind: the name of its class there.
        shown: how it describes itself.
        data: its bytes, which go back as they came.
    """

    kind: str
    shown: str = field(compare=False)
    data: str

    def __repr__(self) -> str:
        return self.shown


# --- Any value ---------------------------------------------------------------------------------------


def _dataclasses(*modules: ModuleType) -> dict[str, type]:
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    return {kind.__name__: kind for kind in kinds if is_dataclass(kind)}


_KNOWN = _dataclasses(log, machine, membership, messages, state, requests) | {
    "Pause": clients.Pause,
    "EtcdError": EtcdError,
    "Log": Log,
}
"""Classes of this package whose values an answer may give."""
_MAPS: dict[str, Callable[[Any], Any]] = {"dict": dict, "FrozenMap": lambda pairs: FrozenMap(dict(pairs))}
_CONTAINERS = _MAPS | {"tuple": tuple, "list": list, "set": set, "frozenset": frozenset}
_PLAIN = (type(None), bool, int, float, str)


def pack(value: Any) -> Any:
    """`value` as plain JSON; what is neither plain nor ours becomes opaque.

    Raises:
        HandlerError: it is not even that.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in (tuple, list):
        return {kind.__name__: [pack(item) for item in value]}
    if kind in (frozenset, set):
        return {kind.__name__: sorted((pack(item) for item in value), key=_text)}
    if kind in (FrozenMap, dict):
        return {kind.__name__: sorted(([pack(key), pack(item)] for key, item in value.items()), key=_text)}
    if kind is bytes or _KNOWN.get(kind.__name__) is kind or kind in trace._PLAIN:
        return {"ours": trace.encode(value), "kind": kind.__name__}
    try:
        data = base64.b64encode(pickle.dumps(value, 5)).decode()
    except Exception as error:
        raise HandlerError(
            f"a {kind.__name__} cannot be kept or given here ({error}): take numbers, strings, tuples, lists, sets, "
            "dicts, or a dataclass that is defined outside of functions"
        ) from None
    return {"opaque": [kind.__name__, repr(value)[:80], data]}


def unpack(data: Any) -> Any:
    """The value of which `pack` made `data`. Opaque ones stay so.

    Raises:
        Garbage: it is none.
    """
    match data:
        case None | bool() | int() | float() | str():
            return data
        case {"ours": value, "kind": str(name), **rest} if not rest:
            return _ours(value, name)
        case {"opaque": [str(kind), str(shown), str(bytes_)], **rest} if not rest:
            return Opaque(kind[:80], shown[:80], bytes_)
        case dict() if len(data) == 1 and (name := next(iter(data))) in _CONTAINERS and isinstance(data[name], list):
            items = [unpack(item) if name not in _MAPS else tuple(map(unpack, item)) for item in data[name]]
            return _CONTAINERS[name](items)
    raise Garbage(f"{data!r} is no value"[:200])


def _ours(value: Any, name: str) -> Any:
    if name == "bytes":
        return trace.decode(value, bytes)
    if name in _KNOWN:
        return trace.decode(value, _KNOWN[name])
    return trace.decode(value, Any)


def thaw(value: Any) -> Any:
    """What was opaque to the grader, in the process from which it came."""
    match value:
        case Opaque():
            return pickle.loads(base64.b64decode(value.data))  # noqa: S301  its own bytes, which came back
        case FrozenMap():
            return FrozenMap({thaw(key): thaw(item) for key, item in value.items()})
        case tuple() if type(value) is tuple:
            return tuple(thaw(item) for item in value)
        case frozenset():
            return frozenset(thaw(item) for item in value)
    return value


def thawed(before: State) -> State:
    """A state whose own fields are whole again."""
    return replace(before, extra=thaw(before.extra)) if before.extra else before


# --- Arguments of a function -------------------------------------------------------------------------

_SHARED = (State, Ghosts)
"""Parts of worlds that many worlds have in common: each travels once, and goes by its number from then on."""


class Sent(pickle.Pickler):
    """Writes arguments; `known` has the numbers of what the other side has."""

    def __init__(self, file: io.BytesIO, known: dict[Any, int]) -> None:
        super().__init__(file, 5)
        self.known = known

    def persistent_id(self, value: Any) -> tuple[int, bytes] | None:
        """The number of a shared part; with it the part itself, the first time."""
        if type(value) not in _SHARED:
            return None
        number = self.known.get(value)
        if number is not None:
            return number, b""
        data = pickle.dumps(value, 5)
        self.known[value] = number = len(self.known)
        return number, data


class Heard(pickle.Unpickler):
    """Reads what `Sent` wrote; `known` has what was sent before, by number."""

    def __init__(self, data: bytes, known: list[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self.known = known

    def persistent_load(self, part: tuple[int, bytes]) -> Any:
        """A shared part."""
        number, data = part
        if data:
            self.known.append(pickle.loads(data))  # noqa: S301  the grader wrote it
        return self.known[number]


# --- A step ------------------------------------------------------------------------------------------

_FIELDS: dict[str, Any] = {
    "current_term": int,
    "voted_for": str | None,
    "commit_index": int,
    "last_applied": int,
    "machine": Machine,
    "role": Role,
    "disk": Disk | None,
    "waiting": tuple[Message, ...],
}
"""What a step may change, besides the log and the class's own fields; and the type that must come out."""


def pack_outcome(before: State, outcome: Outcome) -> list[Any]:
    """A step as what it changed."""
    return [
        None if outcome.state is before else pack_changes(before, outcome.state),
        [_written(message) for message in outcome.messages],
        bool(outcome.timer_reset),
        [_written(answer) for answer in outcome.answers],
    ]


def pack_changes(before: State, after: State) -> dict[str, Any]:
    """What is different in `after`."""
    changed: dict[str, Any] = {}
    for name in _FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old is not new and (type(old) is not type(new) or old != new):
            changed[name] = _written(new)
    if after.log is not before.log and after.log != before.log:
        changed["log"] = _pack_log(before.log, after.log)
    if after.extra is not before.extra:
        changed["extra"] = pack(after.extra)
    return changed


def _pack_log(before: Log, after: Log) -> dict[str, Any]:
    if after.snapshot != before.snapshot:
        return {"snapshot": _written(after.snapshot), "entries": [_written(entry) for _, entry in after]}
    kept, base = min(before.last_index, after.last_index), after.snapshot.last_included_index
    while kept > base and not after.same_prefix(before, kept):
        kept -= 1
    return {"kept": kept, "entries": [_written(entry) for entry in after.after(kept)]}


@functools.lru_cache(maxsize=20_000)
def _written(value: Any) -> str:
    try:
        return _text(trace.encode(value))
    except TraceError as error:
        raise HandlerError(str(error)) from None


def unpack_outcome(before: State, data: Any) -> Outcome:
    """The step of which `pack_outcome` made `data`.

    Raises:
        Garbage: it is none.
    """
    match data:
        case [changes, list(sent), bool(reset), list(told)]:
            after = before if changes is None else unpack_changes(before, changes)
            out = tuple(cast(Message, _read(text, Message)) for text in sent)
            if any(message.src != before.id or message.dst == before.id for message in out):
                raise Garbage("a message that it cannot have sent")
            return Outcome(after, out, reset, tuple(cast(Answer, _read(text, Answer)) for text in told))
    raise Garbage(f"{data!r} is no step"[:200])


def unpack_changes(before: State, data: Any) -> State:
    """The state after changes.

    Raises:
        Garbage: they make no sense.
    """
    if not isinstance(data, dict):
        raise Garbage(f"{data!r} are no changes"[:200])
    values = {name: getattr(before, name) for name in _STATE}
    for name, value in data.items():
        if name in _FIELDS:
            values[name] = _read(value, _FIELDS[name])
        elif name == "log":
            values["log"] = _unpack_log(before.log, value)
        elif name == "extra" and isinstance(extra := unpack(value), FrozenMap):
            values["extra"] = extra
        else:
            raise Garbage(f"{name!r} is nothing that a step changes"[:200])
    return State(**values)


def _unpack_log(before: Log, data: Any) -> Log:
    match data:
        case {"kept": int(kept), "entries": list(entries)}:
            if not before.snapshot.last_included_index <= kept <= before.last_index:
                raise Garbage(f"{kept} is no place in the log")
            stem = before if kept == before.last_index else before.truncate(kept + 1)
            return stem.append(*(_read(text, Entry) for text in entries))
        case {"snapshot": str(snapshot), "entries": list(entries)}:
            return Log(_read(snapshot, Snapshot), [_read(text, Entry) for text in entries])
    raise Garbage(f"{data!r} is no log"[:200])


def _read(text: Any, kind: Any) -> Any:
    if not isinstance(text, str):
        raise Garbage(f"{text!r} is no text"[:200])
    return _reader(kind)(text)


@functools.cache
def _reader(kind: Any) -> Callable[[str], Any]:
    return functools.lru_cache(maxsize=20_000)(lambda text: trace.decode(loads(text), kind))


_STATE = tuple(part.name for part in fields(State))


def exactly(count: int, heard: bytearray, receive: Callable[[], bytes]) -> bytes:
    """The next `count` bytes of what `receive` gives in pieces; `heard` holds what is left over.

    Raises:
        EOFError: there will be none.
    """
    while len(heard) < count:
        part = receive()
        if not part:
            raise EOFError
        heard += part
    said = bytes(heard[:count])
    del heard[:count]
    return said


# --- Text --------------------------------------------------------------------------------------------


def _text(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True)


def dumps(data: Any) -> bytes:
    """JSON as bytes."""
    return _text(data).encode()


def loads(text: str | bytes) -> Any:
    """What JSON says; numbers fit into 64 bits.

    Raises:
        ValueError: it is not JSON, or says something else.
    """
    return json.loads(text, parse_int=_whole, parse_constant=_nothing)


def _whole(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else 2**63
    if not -(2**63) <= number < 2**63:
        raise ValueError("a number of more than 64 bits")
    return number


def _nothing(name: str) -> float:
    raise ValueError(f"{name} is no number")


DAMAGE = (Garbage, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError)
"""What reading garbage may raise."""
