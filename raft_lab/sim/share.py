"""A run as one line that people can paste: how the cluster was made, and what was done to it.

    raft-lab:1;5;seed=7;step:23;crash:S1;step:40;propose:S3:set+x+1;deliver:S3>S2;end=5f1c9a

Parts are separated by `;`, what belongs to a part by `:`. Spaces are written `+`, and whatever has a meaning here as
in web addresses (`%3B`). A message is named by its ends, with its number in the run (`S1>S2#12`) where several
different ones are on that way. `end` says where the run led, so that a change of the handlers is noticed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast, get_type_hints
from urllib.parse import quote_plus, unquote_plus

from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.log import Command, Noop
from raft_lab.raft.messages import MESSAGE_TYPES, Message
from raft_lab.raft.rules import base, switched
from raft_lab.raft.server import Server
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.actions import ACTIONS, Action, Swap
from raft_lab.sim.arguments import first_world, servers_given
from raft_lab.sim.errors import TraceError
from raft_lab.sim.schedule import Timing
from raft_lab.sim.tape import Step
from raft_lab.sim.trace import decode, encode, fingerprint
from raft_lab.sim.world import World, behaviour_name

VERSION = 1
LONGEST = 1_000_000
"""Longer strings are refused."""
MOST_STEPS = 100_000

Part = int | Callable[[Step], Action]
"""So many timed steps, or what to do in a situation."""

_VALUE = '{"is":'
"""So a command begins that is a value. One in words that begins so keeps its bracket, all others are quoted."""

_BY_VERB: dict[str, type[Action]] = {Swap.verb: Swap, **{action.verb: action for action in ACTIONS}}


def write(now: Step) -> str:
    """The way to this step."""
    return ";".join([f"raft-lab:{VERSION}", *_start(now.path()[0]), *_acts(now)])


def write_way(now: Step) -> str:
    """What was done on the way to this step, without how the cluster was made."""
    return ";".join([f"raft-lab-way:{VERSION}", *_acts(now)])


def _acts(now: Step) -> list[str]:
    parts: list[str] = []
    timed = 0
    for step in [*now.path()[1:], None]:
        if step is not None and step.timed:
            timed += 1
            continue
        if timed:
            parts.append(f"step:{timed}")
            timed = 0
        if step is not None:
            parts.append(_act(step))
    return [*parts, f"end={_end(now)}"]


def part(step: Step) -> str:
    """What `write` says of this step: how the cluster was made, or what was done; '' for a timed step or none."""
    if step.timed:
        return ""
    if step.parent is not None:
        return _act(step)
    try:
        return ";".join([f"raft-lab:{VERSION}", *_start(step)])
    except TraceError:
        return ""


def read(text: str, servers: Sequence[type[Server]]) -> tuple[dict[str, Any], list[Part], str]:
    """How to make the cluster, what to do to it, and where it should end ('' if the string does not say)."""
    if not isinstance(text, str):
        raise TraceError(f"a share string is text such as 'raft-lab:1;5;seed=7;step:23', not {text!r}"[:200])
    known = {server.__name__: server for server in servers_given(servers)}
    with explained(text):
        parts = _parts(text, "raft-lab")
        if len(parts) < 2:
            raise _Wrong("it does not say how many servers there are; was it cut short?")
        end = parts.pop().partition("=")[2] if parts[-1].startswith("end=") else ""
        settings = [part for part in parts[2:] if "=" in part]
        start = _read_start(parts[1], dict(part.split("=", 1) for part in settings), known)
        return start, _read_acts([part for part in parts[2:] if "=" not in part], known), end


def read_way(text: str) -> tuple[list[Part], str]:
    """What to do, and where it should end; what `write_way` wrote."""
    with explained(text):
        parts = _parts(text, "raft-lab-way")
        end = parts.pop().partition("=")[2] if parts[-1].startswith("end=") else ""
        return _read_acts(parts[1:], {"Server": Server}), end


def _parts(text: str, kind: str) -> list[str]:
    if len(text) > LONGEST:
        raise _Wrong(f"it is longer than {LONGEST} characters")
    parts = [part for part in "".join(text.split()).split(";") if part]
    name, _, version = (parts or [""])[0].partition(":")
    if name != kind or not version.isdecimal():
        raise _Wrong(f"it does not begin with {kind}: and a version")
    if int(version) > VERSION:
        raise _Wrong(f"it has version {version}, and this raft_lab reads up to {VERSION}: upgrade raft_lab")
    return parts


def _read_acts(parts: list[str], known: dict[str, type[Server]]) -> list[Part]:
    acts = [_read_act(part, known) for part in parts]
    if sum(part for part in acts if isinstance(part, int)) > MOST_STEPS:
        raise _Wrong(f"it takes more than {MOST_STEPS} steps")
    return acts


def verify(now: Step, end: str) -> None:
    """Make sure that the run has led where it led when it was shared."""
    if end and end != _end(now):
        raise _Wrong(
            "it leads elsewhere than when it was shared: a character was lost, or the handlers of "
            f"{behaviour_name(now.world.behaviour)} have changed since"
        )


class _Wrong(Exception):
    """What is wrong with a share string."""


_DAMAGE = (
    *(_Wrong, RaftLabError, KeyError, TypeError, ValueError, IndexError, AttributeError),
    *(RecursionError, OverflowError),
)


@contextlib.contextmanager
def explained(text: str) -> Iterator[None]:
    """Turn whatever goes wrong into one sentence."""
    shown = text if len(text) <= 60 else f"{text[:40]}…{text[-15:]}"
    try:
        yield
    except _DAMAGE as error:
        why = str(error.args[0] if isinstance(error, KeyError) else error)
        raise TraceError(f"the share string {shown!r} cannot be read: {why[:400]}") from None


@contextlib.contextmanager
def at_part(number: int, part: Part) -> Iterator[None]:
    """Say at which action it went wrong."""
    try:
        yield
    except (RaftLabError, _Wrong) as error:
        raise _Wrong(f"its action {number}, {f'step:{part}' if isinstance(part, int) else part}: {error}") from None


# How the cluster was made


def _start(step: Step) -> list[str]:
    world, schedule = step.world, step.schedule
    server: Any = world.behaviour
    names = tuple(world.servers)
    logs = {n: tuple((e.term, _op(e.value)) for _, e in s.log) for n, s in world.servers.items() if s.log.last_index}
    if not (isinstance(server, type) and issubclass(server, Server)) or not _is_fresh(world, names, server, logs):
        raise TraceError(
            "this run began in a situation that was set up by hand, which no short string can hold: "
            "save it as a file instead, cluster.save('run.json')"
        )
    numbered = names == tuple(f"S{n}" for n in range(1, len(names) + 1))
    parts = [str(len(names)) if numbered else ",".join(map(_text, names)), f"seed={schedule.seed}"]
    for field in dataclasses.fields(Timing):
        value = getattr(schedule.timing, field.name)
        if value != getattr(Timing(), field.name):
            parts.append(f"{field.name}={_setting(value)}")
    parts += [f"{key}={value}" for key, value in _handlers(server)]
    if logs:
        text = "|".join(f"{_text(n)}:{','.join(f'{t}.{_text(op)}' for t, op in log)}" for n, log in logs.items())
        parts.append(f"logs={text}")
    return parts


def _is_fresh(world: World, names: tuple[str, ...], server: type[Server], logs: dict[str, Any]) -> bool:
    """Is this how `Cluster(…)` begins with these logs?"""
    try:
        return first_world(names, server, logs) == world
    except (RaftLabError, ValueError):
        return False


def _op(value: Any) -> Any:
    match value:
        case Noop():
            return "no-op"
        case Command(op):
            return op
    return str(value)  # a configuration: the world will turn out not to be fresh


def _setting(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    if isinstance(value, FrozenMap):
        return ",".join(f"{_text(name)}:{number}" for name, number in value.items())
    return str(value)


def _handlers(server: type[Server]) -> Iterator[tuple[str, str]]:
    if base(server) is not Server:
        yield "server", _text(base(server).__name__)
    if server is base(server):
        return
    for key, rules in (("rules", server.rules_on), ("without", server.rules_off)):
        if rules:
            yield key, ",".join(map(_text, rules))


def _read_start(servers: str, settings: dict[str, str], known: dict[str, type[Server]]) -> dict[str, Any]:
    names: Any = int(servers) if servers.isdecimal() else tuple(map(unquote_plus, servers.split(",")))
    start: dict[str, Any] = {"servers": names, "seed": _read_setting("seed", settings.pop("seed", "0"), 0)}
    timing = {}
    for name in [field.name for field in dataclasses.fields(Timing) if field.name in settings]:
        timing[name] = _read_setting(name, settings.pop(name), getattr(Timing(), name))
    if timing:
        start["timing"] = Timing(**timing)
    start["server"] = _read_handlers(settings, known)
    if logs := settings.pop("logs", ""):
        start["logs"] = dict(map(_read_log, logs.split("|")))
    if settings:
        raise _Wrong(f"nothing is set by {sorted(settings)[0]!r}")
    return start


def _read_setting(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, tuple):
            return tuple(map(int, text.split("-")))
        if isinstance(default, FrozenMap):
            pairs = [pair.split(":") for pair in text.split(",")]
            return FrozenMap({unquote_plus(server): float(number) for server, number in pairs})
        return type(default)(text)
    except ValueError:
        raise _Wrong(
            f"{name} is {text!r}, which is not a number as in {name}={_setting(default) or 'S1:0.5'}"
        ) from None


def _read_handlers(settings: dict[str, str], known: dict[str, type[Server]]) -> type[Server]:
    name = unquote_plus(settings.pop("server", "Server"))
    if name not in known:
        raise _Wrong(f"it needs the handlers of {name}: give that class, Cluster.from_share(text, {name})")
    on, off = (
        [unquote_plus(rule) for rule in settings.pop(key, "").split(",") if rule] for key in ("rules", "without")
    )
    return switched(known[name], on=on, off=off)


def _read_log(text: str) -> tuple[str, list[tuple[int, str]]]:
    name, _, entries = text.partition(":")
    pairs = [entry.split(".", 1) for entry in entries.split(",")]
    if not all(len(pair) == 2 and pair[0].isdecimal() for pair in pairs):
        raise _Wrong(f"a log is written S1:1.set+x+1,2.set+y+2, not {text!r}"[:200])
    return unquote_plus(name), [(int(term), unquote_plus(op)) for term, op in pairs]


# What was done


def _act(step: Step) -> str:
    action, parent = step.action, step.parent
    assert action is not None
    assert parent is not None
    if isinstance(action, Swap):
        return ":".join(["swap", *(f"{key}~{value}" for key, value in _handlers(cast(Any, action.behaviour)))])
    values = [(getattr(action, field.name), field.default) for field in dataclasses.fields(action)]
    while values and values[-1][0] == values[-1][1]:
        values.pop()  # what is usual need not be said
    return ":".join([action.verb, *(_value(value, parent) for value, _ in values)])


def _value(value: Any, at: Step) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case str():
            return _text(value).replace("%7B", "{", 1) if value.startswith(_VALUE) else _text(value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, MESSAGE_TYPES):
            return _text(json.dumps(encode(value), separators=(",", ":")))
        case frozenset():
            return ",".join(map(_text, sorted(value)))
        case tuple():
            return "|".join(_value(group, at) for group in value)
    here = {m for m in at.world.network if (m.src, m.dst) == (value.src, value.dst)}
    number = f"#{at.schedule.first_flight(value).serial}" if len(here) > 1 else ""
    return f"{_text(value.src)}>{_text(value.dst)}{number}"


def _read_act(part: str, known: dict[str, type[Server]]) -> Part:
    verb, *texts = part.split(":")
    if verb == "step" and len(texts) == 1 and texts[0].isdecimal() and int(texts[0]) > 0:
        return int(texts[0])
    kind = _BY_VERB.get(verb)
    if kind is None:
        raise _Wrong(f"there is no action {part!r}"[:100])
    if kind is Swap:
        if not all("~" in text for text in texts):
            raise _Wrong(f"{part!r} should say which rules are switched, as in swap:without~durable+vote"[:200])
        server = _read_handlers(dict(text.split("~", 1) for text in texts), known)
        return _named(part, lambda _: Swap(server))
    hints, fields = get_type_hints(kind), dataclasses.fields(kind)
    needed = sum(field.default is dataclasses.MISSING for field in fields)
    if not needed <= len(texts) <= len(fields):
        raise _Wrong(f"{part!r} should say {', '.join(field.name for field in fields)}"[:200])
    readers = [_READERS[str(hints[field.name])] for field in fields[: len(texts)]]
    return _named(part, lambda at: kind(*(read(text, at) for read, text in zip(readers, texts, strict=True))))


class _named:  # noqa: N801  a function that prints as what it was read from
    def __init__(self, part: str, act: Callable[[Step], Action]) -> None:
        self._part, self._act = part, act

    def __call__(self, at: Step) -> Action:
        return self._act(at)

    def __str__(self) -> str:
        return repr(self._part[:60])


def _read_message(text: str, at: Step) -> Message:
    ends, _, number = text.partition("#")
    src, _, dst = map(unquote_plus, ends.partition(">"))
    here = [f for f in at.schedule.flights if (f.message.src, f.message.dst) == (src, dst)]
    found = [f for f in here if not number or str(f.serial) == number]
    if len({f.message for f in found}) != 1:
        raise _Wrong(f"{'no' if not found else 'more than one'} message {text!r} is in flight at step {at.id}")
    return found[0].message


def _read_bool(text: str, _: Step) -> bool:
    if text not in ("yes", "no"):
        raise _Wrong(f"yes or no should stand where {text[:40]!r} is")
    return text == "yes"


def _read_number(text: str, _: Step) -> int:
    if not text.lstrip("-").isdecimal() or len(text) > 20:
        raise _Wrong(f"a whole number should stand where {text[:40]!r} is")
    return int(text)


def _read_command(text: str, _: Step) -> Any:
    words = unquote_plus(text)
    return decode(json.loads(words), Any) if text.startswith(_text(_VALUE)) else words


def _read_set(text: str, _: Step) -> frozenset[str]:
    return frozenset(unquote_plus(name) for name in text.split(",") if name)


_READERS: dict[str, Callable[[str, Step], Any]] = {
    str(str): lambda text, _: unquote_plus(text),
    str(int): _read_number,
    str(bool): _read_bool,
    str(Any): _read_command,
    str(frozenset[str]): _read_set,
    str(tuple[frozenset[str], ...]): lambda text, at: tuple(_read_set(group, at) for group in text.split("|")),
    str(Message): _read_message,
}


def _text(text: str) -> str:
    return quote_plus(text, safe=" ")


def _end(now: Step) -> str:
    return fingerprint(now.world)[:6]
