"""What objects do when nothing happens at the same time: the specifications that histories are checked against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raft_lab.check.histories import History, HistoryError, Operation
from raft_lab.raft.log import Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.server import Server
from raft_lab.raft.state import State
from raft_lab.raft.values import FrozenMap

ANY, SAME = object(), object()


@dataclass(frozen=True, slots=True)
class Effect:
    """What is known of an operation on an object that holds one value.

    Attributes:
        found: the value that it must have found, or `ANY`.
        compared: another value that it compared with what was there, or `ANY`.
        made: the value that it left, or `SAME`.
    """

    found: Any = ANY
    compared: Any = ANY
    made: Any = SAME


@dataclass(frozen=True, slots=True)
class Model:
    """A sequential object.

    Attributes:
        name: what it is called.
        kinds: the kinds of operations that it knows.
        initial: its state before the first operation; states are values that can be hashed.
        step: whether an operation can have had its result in a state, and the state after it. It is a pure function.
        keys: the keys that an operation touches, or None if it may touch any: operations on different keys are
            checked apart.
        reads: whether an operation never changes the state if it had the result that it had.
        reply: the result that an operation would have had in a state, to be told to people; None if it is not one.
        effect: where a key holds one value at a time, what is known of an operation; None where nobody can say. It
            lets the search see sooner that a value is lost which somebody has yet to read, or that nobody will ask
            for it; the verdict does not depend on it.
    """

    name: str
    kinds: frozenset[str]
    initial: Any
    step: Callable[[Any, Operation], tuple[bool, Any]]
    keys: Callable[[Operation], tuple[Any, ...] | None] = lambda operation: (operation.key,)
    reads: Callable[[Operation], bool] = lambda _: False
    reply: Callable[[Any, Operation], Any] | None = None
    effect: Callable[[Operation], Effect | None] | None = None


def _deterministic(
    name: str,
    kinds: str,
    initial: Any,
    apply: Callable[[Any, Operation], tuple[Any, Any]],
    keys: Callable[[Operation], tuple[Any, ...] | None],
    reads: Callable[[Operation], bool],
    effect: Callable[[Operation], Effect | None] | None = None,
) -> Model:
    """A model in which state and operation decide the result: `apply` gives the state after it, and the result."""
    apply, keys, reads = _explained(name, apply), _explained(name, keys), _explained(name, reads)

    def step(state: Any, operation: Operation) -> tuple[bool, Any]:
        after, reply = apply(state, operation)
        return operation.unknown or reply == operation.result, after

    return Model(
        name,
        frozenset(kinds.split(", ")),
        initial,
        step,
        keys,
        reads,
        lambda state, operation: apply(state, operation)[1],
        _explained(name, effect) if effect else None,
    )


def _explained(name: str, asks: Callable[..., Any]) -> Callable[..., Any]:
    """`asks`, which says what is wrong with an operation that it cannot make sense of."""

    def explained(*arguments: Any) -> Any:
        try:
            return asks(*arguments)
        except HistoryError:
            raise
        except Exception as error:
            operation = arguments[-1]
            raise HistoryError(
                f"{operation.client}'s {operation.kind} is not one of a {name}: its argument {operation.argument!r} or "
                f"its result {operation.result!r} has another form ({type(error).__name__}: {error})"
            ) from error

    return explained


def _key(operation: Operation) -> tuple[Any, ...]:
    return (operation.key,)


# --- A register, as Jepsen has it ------------------------------------------------------------------------------------


def register(initial: Any = None) -> Model:
    """`read`, `write` (argument: the value) and `cas` (argument: old and new; result: whether it was the old one).

    A history may hold several registers; each key is one.
    """

    def apply(value: Any, operation: Operation) -> tuple[Any, Any]:
        match operation.kind, operation.argument:
            case "write", new:
                return new, None
            case "cas", (old, new):
                return (new, True) if value == old else (value, False)
            case _:
                return value, value

    def reads(operation: Operation) -> bool:
        return operation.kind == "read" or (operation.kind == "cas" and operation.result is False)

    def effect(operation: Operation) -> Effect:
        match operation.kind:
            case "read":
                return Effect(found=operation.result)
            case "write":
                return Effect(made=operation.argument)
            case _:
                return _cas_effect(operation)

    return _deterministic("register", "read, write, cas", initial, apply, _key, reads, effect)


# --- A key-value store with transactions, as etcd has it -------------------------------------------------------------


def key_value(*, revisions: bool = False, missing: Any = None) -> Model:
    """`get`, `put`, `append`, `delete`, `cas`, and `txn` over several keys.

    The argument of a `txn` is `(compare, then, otherwise)`: compare is a tuple of `(key, "=" or "!=", value)`; the
    others are tuples of `(kind, key)` or `(kind, key, argument)`. Its result is `(whether all compared, replies)`.

    Args:
        revisions: every result is `(result, revision of the store after it)`, as in etcd, where an operation that
            changes something makes a new revision. It orders all keys, so they are checked together.
        missing: what a key holds that nobody has put, or that was deleted.
    """

    def one(data: FrozenMap[Any, Any], kind: str, key: Any, argument: Any) -> tuple[FrozenMap[Any, Any], Any]:
        value = data.get(key, missing)
        match kind:
            case "put":
                return data.with_item(key, argument), None
            case "append":
                return data.with_item(key, (value or "") + argument), None
            case "delete":
                return (data.without(key), True) if key in data else (data, False)
            case "cas":
                old, new = argument
                return (data.with_item(key, new), True) if value == old else (data, False)
            case "get":
                return data, value
        raise HistoryError(f"a transaction is made of get, put, append, delete and cas, not {kind!r}")

    def plain(data: FrozenMap[Any, Any], operation: Operation) -> tuple[FrozenMap[Any, Any], Any]:
        if operation.kind != "txn":
            return one(data, operation.kind, operation.key, operation.argument)
        compare, then, otherwise = operation.argument
        holds = all((data.get(key, missing) == value) == (how == "=") for key, how, value in compare)
        replies = []
        for kind, key, *argument in then if holds else otherwise:
            data, reply = one(data, kind, key, argument[0] if argument else None)
            replies.append(reply)
        return data, (holds, tuple(replies))

    def revised(state: tuple[Any, int], operation: Operation) -> tuple[tuple[Any, int], Any]:
        data, revision = state
        after, reply = plain(data, operation)
        revision += _writes(operation, reply)
        return (after, revision), (reply, revision)

    def keys(operation: Operation) -> tuple[Any, ...] | None:
        if revisions:
            return None
        if operation.kind != "txn":
            return (operation.key,)
        compare, then, otherwise = operation.argument
        return tuple(part[0] for part in compare) + tuple(part[1] for part in (*then, *otherwise))

    def reads(operation: Operation) -> bool:
        if operation.unknown:
            return operation.kind == "get"
        return not _writes(operation, operation.result[0] if revisions else operation.result)

    def effect(operation: Operation) -> Effect | None:
        match operation.kind:
            case "get":
                return Effect(found=operation.result)
            case "put":
                return Effect(made=operation.argument)
            case "cas":
                return _cas_effect(operation)
            case _:
                return None

    kinds = "get, put, append, delete, cas, txn"
    if revisions:
        return _deterministic("key-value store with revisions", kinds, (FrozenMap(), 1), revised, keys, reads)
    return _deterministic("key-value store", kinds, FrozenMap(), plain, keys, reads, effect)


def _cas_effect(operation: Operation) -> Effect:
    old, new = operation.argument
    if operation.unknown:
        return Effect(compared=old, made=new)
    return Effect(found=old, made=new) if operation.result else Effect(compared=old)


def _writes(operation: Operation, reply: Any) -> bool:
    """Whether an operation with this reply has written something."""
    if operation.kind == "txn":
        holds, replies = reply
        parts = operation.argument[1 if holds else 2]
        return any(_one_writes(part[0], told) for part, told in zip(parts, replies, strict=False))
    return _one_writes(operation.kind, reply)


def _one_writes(kind: str, reply: Any) -> bool:
    return kind in ("put", "append") or (kind in ("delete", "cas") and reply is not False)


# --- The lab's own state machine -------------------------------------------------------------------------------------


def machine(server: type[Server] = Server, start: Any = None) -> Model:
    """Whatever `server.apply` makes of commands; and `read all`, which shows all data.

    Args:
        server: the class whose state machine it is. If it has one of its own, nothing is known of keys.
        start: the data before the first operation.
    """
    nobody = server(State("", 0, None, Log(Snapshot(Configuration(frozenset())))))
    own = server.apply is not Server.apply

    def apply(data: Any, operation: Operation) -> tuple[Any, Any]:
        if operation.kind.startswith("read all"):
            return data, data
        return nobody.apply(data, _command(operation))

    def keys(operation: Operation) -> tuple[Any, ...] | None:
        if own or operation.kind.startswith("read all"):
            return None
        return () if operation.kind == "command" else (operation.key,)

    def reads(operation: Operation) -> bool:
        return operation.kind.startswith("read all") or (operation.kind in ("get", "command") and not own)

    def effect(operation: Operation) -> Effect | None:
        match operation.kind:
            case "get":
                return Effect(found=operation.result)
            case "set":
                return Effect(made=operation.argument)
            case _:
                return None

    kinds = "set, add, get, command, read all, read all (lease), read all (local)"
    first = server.first_data if start is None else start
    return _deterministic("state machine", kinds, first, apply, keys, reads, None if own else effect)


def _command(operation: Operation) -> Any:
    if operation.kind == "command":
        return operation.argument
    return " ".join(str(part) for part in (operation.kind, operation.key, operation.argument) if part is not None)


# --- Locks and leases ------------------------------------------------------------------------------------------------


def lock() -> Model:
    """`acquire` (result: whether the client has the lock now) and `release` (result: whether it had it)."""

    def apply(holder: Any, operation: Operation) -> tuple[Any, Any]:
        if operation.kind == "acquire":
            return (operation.client, True) if holder is None else (holder, False)
        return (None, True) if holder == operation.client else (holder, False)

    def reads(operation: Operation) -> bool:
        return operation.result is False and not operation.unknown

    return _deterministic("lock", "acquire, release", None, apply, _key, reads)


def lease(ttl_us: int, history: History) -> Model:
    """A lock that is free again some time after `ttl_us` microseconds, unless its holder acquires it anew.

    Whoever holds it may rely on it for `ttl_us` from the moment at which it asked (as client-go's leader election
    does); so nobody else may be given it in that time. It is fine if it is free only later, as in etcd.

    Args:
        ttl_us: for how long it is given, in microseconds.
        history: tells the time of each moment.
    """
    clock = history.times_us

    def time(moment: int | None) -> float:
        return float("inf") if moment is None else clock[moment] if clock else moment

    def step(state: tuple[Any, float], operation: Operation) -> tuple[bool, tuple[Any, float]]:
        holder, until = state
        mine = holder == operation.client
        over = holder is None or time(operation.returned) >= until
        if operation.kind == "acquire":
            if operation.unknown or operation.result:
                return mine or over, (operation.client, time(operation.called) + ttl_us)
            return holder is not None and not mine, state
        if operation.unknown or operation.result:
            return mine, (None, 0)
        return not mine or over, state

    def reads(operation: Operation) -> bool:
        return operation.result is False and not operation.unknown

    return Model("lease", frozenset(["acquire", "release"]), (None, 0), step, _key, reads)


# --- Which one? ------------------------------------------------------------------------------------------------------

MODELS: dict[str, Callable[[], Model]] = {
    "register": register,
    "state machine": machine,
    "key-value store": key_value,
    "lock": lock,
}
"""Those that can be asked for by name."""


def model_for(history: History) -> Model:
    """The model that knows all kinds of operations of `history`.

    Raises:
        HistoryError: there is none, or it has to be said which.
    """
    kinds = {operation.kind for operation in history.operations}
    if history.start is not None:
        return machine(start=history.start)
    for make in MODELS.values():
        if kinds <= make().kinds:
            return make()
    raise HistoryError(
        f"no model knows all of {', '.join(sorted(kinds))}: give one, check_linearizable(history, model); a Model is "
        "an initial state and a function step(state, operation) -> (fits, state after)"
    )
