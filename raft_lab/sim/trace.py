"""Runs as files: versioned JSON, written atomically, checked on loading. Nothing in a file is ever executed."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.log import Entry, Log, Snapshot
from raft_lab.raft.rules import switched
from raft_lab.raft.server import Server
from raft_lab.raft.state import State
from raft_lab.raft.values import Chain, FrozenMap, extend
from raft_lab.sim.actions import ACTIONS, Action, Swap
from raft_lab.sim.arguments import servers_given
from raft_lab.sim.errors import TraceError
from raft_lab.sim.files import Unreadable, read_whole, write_whole
from raft_lab.sim.schedule import Timing
from raft_lab.sim.tape import Step, Tape
from raft_lab.sim.world import World, behaviour_name

FORMAT = "raft_lab trace"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """One step as the file has it."""

    parent: int
    action: Action
    timed: bool
    now_us: int


@dataclass(frozen=True, slots=True)
class Trace:
    """A file's content, understood but not yet done again."""

    world: World
    seed: int
    timing: Timing
    origin: str
    steps: tuple[Recorded, ...]
    names: tuple[tuple[int, str], ...]
    cursor: int
    outcome: str


def save(path: str | PathLike[str], tape: Tape, cursor: Step, origin: str) -> None:
    """Write a tape. The file appears whole or not at all."""
    start = tape.start
    content = {
        "format": FORMAT,
        "version": VERSION,
        "origin": origin,
        "seed": start.schedule.seed,
        "timing": encode(start.schedule.timing),
        "behaviour": _encode_behaviour(start.world.behaviour),
        "world": encode(start.world),
        "steps": [_encode_step(step, tape.first) for step in tape.steps[1:]],
        "names": [[step.id - tape.first, tape.names[step.id]] for step in tape.steps if step.id in tape.names],
        "cursor": cursor.id - tape.first,
        "outcome": fingerprint(_thin(cursor.world) if tape.first else cursor.world),
    }
    text = json.dumps({**content, "checksum": _checksum(content)}, indent=1, ensure_ascii=False)
    write_whole(path, text + "\n")


def load(path: str | PathLike[str], behaviours: Sequence[type[Server]]) -> Trace:
    """Read and check a file; see `Cluster.load`."""
    known = {behaviour.__name__: behaviour for behaviour in servers_given(behaviours)}
    with explained(path):
        content = json.loads(read_whole(path))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise _Wrong("it is not a run saved by raft_lab")
        version = content.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise _Wrong(
                f"it has version {version!r}, and this raft_lab reads up to {VERSION}: upgrade raft_lab to open it"
            )
        checksum = content.pop("checksum", None)
        if checksum != _checksum(content):
            raise _Wrong("it was changed after it was saved (the checksum does not fit)")
        world = decode(content["world"], World)
        return Trace(
            dataclasses.replace(world, behaviour=_behaviour(content["behaviour"], known)),
            decode(content["seed"], int),
            decode(content["timing"], Timing),
            decode(content["origin"], str),
            tuple(_decode_step(step, number, known) for number, step in enumerate(content["steps"], start=1)),
            decode(content.get("names", []), tuple[tuple[int, str], ...]),
            decode(content["cursor"], int),
            decode(content["outcome"], str),
        )


def verify(path: str | PathLike[str], world: World, loaded: Trace) -> None:
    """Make sure that doing the recorded actions again has led where it led before."""
    if loaded.outcome not in (fingerprint(world), fingerprint(_thin(world))):
        raise TraceError(
            f"{path} cannot be loaded: its actions now lead elsewhere than when it was saved, "
            f"so {behaviour_name(world.behaviour)} has changed since"
        )


def _thin(world: World) -> World:
    """Without what was let go, or may be: the beginning of a run that was let go differs from where that was done."""
    return dataclasses.replace(world, ghosts=world.ghosts.let_go(world.servers.values()))


def fingerprint(world: World) -> str:
    """A text that differs between different worlds, the same on every machine."""
    return hashlib.sha256(json.dumps(encode(world), sort_keys=True).encode()).hexdigest()


class _Wrong(Exception):
    """What is wrong with a file."""


@contextlib.contextmanager
def explained(path: str | PathLike[str]) -> Iterator[None]:
    """Turn whatever goes wrong with a file into one sentence about it."""
    try:
        yield
    except FileNotFoundError:
        raise TraceError(f"there is no file {path}") from None
    except (_Wrong, Unreadable) as wrong:
        raise TraceError(f"{path} cannot be loaded: {wrong}") from None
    except json.JSONDecodeError as error:
        raise TraceError(
            f"{path} cannot be loaded: it is not whole JSON (line {error.lineno}: {error.msg}); was it cut short?"
        ) from None
    except RaftLabError as error:
        raise TraceError(f"{path} cannot be loaded: its actions cannot be done again: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise TraceError(f"{path} cannot be loaded: it is damaged ({type(error).__name__}: {error})") from error


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _encode_step(step: Step, first: int) -> dict[str, Any]:
    assert step.parent is not None
    assert step.action is not None
    action = step.action
    written = _encode_behaviour(action.behaviour) if isinstance(action, Swap) else encode(action)
    return {
        "parent": step.parent.id - first,
        "verb": action.verb,
        "action": written,
        "timed": step.timed,
        "now_us": step.schedule.now_us,
    }


_BY_VERB = {action.verb: action for action in ACTIONS}


def _decode_step(step: Any, number: int, known: dict[str, type[Server]]) -> Recorded:
    verb = decode(step["verb"], str)
    if verb == Swap.verb:
        action: Action = Swap(_behaviour(step["action"], known))
    elif verb in _BY_VERB:
        action = decode(step["action"], _BY_VERB[verb])
    else:
        raise _Wrong(f"its step {number} is {verb!r}, which no action is called")
    parent = decode(step["parent"], int)
    if not 0 <= parent < number:
        raise _Wrong(f"its step {number} follows step {parent}, which is not before it")
    return Recorded(parent, action, decode(step["timed"], bool), decode(step["now_us"], int))


def _encode_behaviour(behaviour: Any) -> dict[str, Any]:
    return {
        "class": behaviour_name(behaviour),
        "rules": list(getattr(behaviour, "rules_on", ())),
        "without": list(getattr(behaviour, "rules_off", ())),
    }


def _behaviour(data: Any, known: dict[str, type[Server]]) -> type[Server]:
    name = decode(data["class"], str)
    if name not in known:
        raise _Wrong(f"it was recorded with the handlers of {name}: give that class, Cluster.load(path, {name})")
    on, off = (decode(data[switches], tuple[str, ...]) for switches in ("rules", "without"))
    return switched(known[name], on=on, off=off)


# Values that other rooms define, and that may stand wherever any value may: in commands, replies and machines.

_VALUES: dict[str, type] = {}
_PLAIN: dict[type, Callable[[Any], Any]] = {}
_WHOLE: dict[type, Callable[[Any], Any]] = {}


def register(*kinds: type) -> None:
    """Let values of these dataclasses be saved and loaded, by the name of their class.

    Raises:
        ValueError: another class has that name.
    """
    for kind in kinds:
        if _VALUES.setdefault(kind.__name__, kind) is not kind:
            raise ValueError(f"there are two classes called {kind.__name__}, and files could not tell them apart")


def register_as(kind: type, plain: type, write: Callable[[Any], Any], read: Callable[[Any], Any]) -> None:
    """Let values of `kind` be saved as values of a registered dataclass `plain`, made and read by these functions."""
    _PLAIN[kind] = write
    _WHOLE[plain] = read


# Values to JSON and back. Decoding is told the type that must come out, and takes nothing else.


def encode(value: Any) -> Any:
    """A value of the engine or the simulator as plain JSON, the same on every machine."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if type(value) in _PLAIN:
        return encode(_PLAIN[type(value)](value))
    if isinstance(value, Log):
        return {"snapshot": encode(value.snapshot), "entries": [encode(entry) for _, entry in value]}
    if isinstance(value, Chain):
        return [encode(item) for item in value.backwards()][::-1]
    if isinstance(value, FrozenMap):
        pairs = [[encode(key), encode(item)] for key, item in value.items()]
        return sorted(pairs, key=lambda pair: json.dumps(pair[0], sort_keys=True))
    if isinstance(value, frozenset):
        return sorted((encode(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        fields = {}
        for name in (f.name for f in dataclasses.fields(value) if f.name != "behaviour"):
            write = _encode_any if hints[name] is Any else encode
            fields[name] = write(getattr(value, name))
        return {"is": type(value).__name__, **fields}
    raise TraceError(f"a {type(value).__name__} cannot be saved; a run is made of numbers, strings and their like")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields; of what a student's class declares, none is known."""
    hints = typing.get_type_hints(kind)
    return hints | {"extra": Any} if kind is State else hints


def decode(data: Any, hint: Any) -> Any:
    """The value of type `hint` that `encode` made `data` of.

    Raises:
        TypeError, ValueError, KeyError: `data` is not one.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return decode(data, _choose(data, arguments))
    if hint is Any:
        return _decode_any(data)
    if hint in (int, str, bool, float, type(None)):
        if type(data) is not hint and not (hint is float and type(data) is int):
            raise TypeError(f"expected {hint.__name__}, found {data!r}"[:200])
        return data
    if hint is bytes:
        return str.encode(data["bytes"], "latin-1")
    if hint is Log:
        entries = decode(data["entries"], tuple[Entry, ...])
        return Log(decode(data["snapshot"], Snapshot), entries)
    if origin is Chain:
        return extend(None, decode(data, tuple[arguments[0], ...]))  # type: ignore[valid-type]
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(decode(item, arguments[0]) for item in _list(data))
    if origin is tuple:
        return tuple(decode(item, kind) for item, kind in zip(_list(data), arguments, strict=True))
    if origin is frozenset:
        return frozenset(decode(item, arguments[0]) for item in _list(data))
    if origin is FrozenMap:
        return FrozenMap({decode(key, arguments[0]): decode(item, arguments[1]) for key, item in _list(data)})
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if data["is"] != hint.__name__:
            raise TypeError(f"expected {hint.__name__}, found {data['is']!r}"[:200])
        hints = _hints(hint)
        wanted = [f.name for f in dataclasses.fields(hint) if f.name != "behaviour"]
        if set(data) != {"is", *wanted}:
            raise ValueError(f"a {hint.__name__} has the fields {', '.join(wanted)}, found {sorted(data)}"[:300])
        return hint(**{name: decode(data[name], hints[name]) for name in wanted})
    raise TypeError(f"cannot read a {hint}")


def _choose(data: Any, kinds: Sequence[Any]) -> Any:
    """Which of the alternatives `data` claims to be."""
    for kind in kinds:
        if kind in (type(None), int, str, bool) and type(data) is kind:
            return kind
        if kind is bytes and isinstance(data, dict) and "bytes" in data:
            return kind
        if isinstance(data, dict) and data.get("is") == getattr(kind, "__name__", None):
            return kind
        if typing.get_origin(kind) in (Chain, tuple) and isinstance(data, list):
            return kind
    raise TypeError(f"found {data!r} where one of {len(kinds)} other things may stand"[:200])


def _encode_any(value: Any) -> Any:
    """State that a student's class declares: nothing is known of its type, so containers say what they are."""
    if isinstance(value, FrozenMap):
        return {"map": sorted(([_encode_any(k), _encode_any(v)] for k, v in value.items()), key=json.dumps)}
    if isinstance(value, frozenset):
        return {"set": sorted((_encode_any(item) for item in value), key=json.dumps)}
    if isinstance(value, tuple):
        return {"tuple": [_encode_any(item) for item in value]}
    return encode(value)


def _decode_any(data: Any) -> Any:
    match data:
        case {"map": list(pairs), **rest} if not rest:
            return FrozenMap({_decode_any(key): _decode_any(item) for key, item in pairs})
        case {"set": list(items), **rest} if not rest:
            return frozenset(_decode_any(item) for item in items)
        case {"tuple": list(items), **rest} if not rest:
            return tuple(_decode_any(item) for item in items)
        case {"bytes": str(), **rest} if not rest:
            return decode(data, bytes)
        case {"is": str(name)} if name in _VALUES:
            kind = _VALUES[name]
            return _WHOLE.get(kind, _same)(decode(data, kind))
        case None | bool() | int() | float() | str():
            return data
    raise TypeError(f"found {data!r} where a value should stand"[:200])


def _same(value: Any) -> Any:
    return value


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"expected a list, found {data!r}"[:200])
    return data
