"""Lesson 06: what a transaction makes of keys, and of the revision."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from raft_lab.course.functions import FunctionExercise
from raft_lab.kv.requests import DeleteRange, KeyValue, Put, Txn
from raft_lab.kv.server import apply
from raft_lab.kv.store import Store
from raft_lab.raft.core import where_it_failed
from raft_lab.raft.errors import HandlerError
from raft_lab.sim.schedule import draw

Op = Put | DeleteRange
Case = Callable[[Callable[..., Any]], str]

_OPS: tuple[Op, ...] = (Put(b"a", b"1"), Put(b"a", b"2"), Put(b"b", b"1"), DeleteRange(b"a"))
_TRANSACTIONS: tuple[tuple[Op, ...], ...] = (
    *((op,) for op in _OPS[:3]),
    (Put(b"a", b"1"), Put(b"b", b"1")),
    (DeleteRange(b"a"),),
    (Put(b"b", b"2"), DeleteRange(b"a")),
    (),
)


def _cases(seed: int) -> Iterator[Case]:
    for length in (1, 2, 3):
        for run in itertools.product(_TRANSACTIONS, repeat=length):
            yield functools.partial(_wrong, run)
    for number in range(50):
        run = tuple(_TRANSACTIONS[draw("revisions", seed, number, n) % len(_TRANSACTIONS)] for n in range(8))
        yield functools.partial(_wrong, run)


def _wrong(run: tuple[tuple[Op, ...], ...], change: Callable[..., Any]) -> str:
    """What is wrong after some transactions, one after the other, or ''."""
    store = Store()
    keys: dict[Any, Any] = {}
    revision = store.revision
    for number, ops in enumerate(run, start=1):
        store, _ = apply(store, Txn(success=ops))
        given = dict(keys)
        done = "After " + ", then ".join(map(_told, run[:number]))
        try:
            changed = change(keys, revision, ops)
        except HandlerError:
            raise
        except Exception as error:
            return f"{done}: change() fails: {where_it_failed(error)}."
        if keys != given:
            return f"{done}: change() has altered the keys that it was given; make a new dict, dict(keys)."
        if not (isinstance(changed, tuple) and len(changed) == 2 and isinstance(changed[0], dict)):
            return f"change() returns the new keys and the new revision, two things; yours returned {changed!r:.80}."
        keys, revision = changed
        if revision != store.revision:
            return f"{done}: the store is at revision {store.revision}, yours at {revision!r:.40}. {_REVISION}"
        if wrong := _other(done, {kv.key: kv for kv in store.keys}, keys):
            return wrong
    return ""


def _other(done: str, right: dict[bytes, KeyValue], keys: dict[bytes, Any]) -> str:
    for key in sorted(right.keys() | keys.keys(), key=str):
        one, other = right.get(key), keys.get(key)
        name = key.decode() if isinstance(key, bytes) else repr(key)
        if one is None or other is None:
            return f"{done}: {name} is {'gone' if one is None else 'there'}, and with yours it is not."
        for field, rule in _FIELDS.items():
            if getattr(one, field) != getattr(other, field, None):
                said = getattr(other, field, None)
                return f"{done}: {field} of {name} is {getattr(one, field)}, yours is {said!r:.40}. {rule}"
    return ""


_REVISION = "A transaction that changes something makes one revision, whatever it changes; one that does not, none."
_FIELDS = {
    "value": "A put writes the value.",
    "create_revision": "create_revision is that of the put that created the key; after a deletion it begins anew.",
    "mod_revision": "mod_revision is the revision that the last put of this key has made.",
    "version": "version counts the puts since the key was created, from 1.",
}


def _told(ops: tuple[Op, ...]) -> str:
    words = [
        f"put {op.key.decode()} {op.value.decode()}" if isinstance(op, Put) else f"del {op.key.decode()}" for op in ops
    ]
    return " and ".join(words) or "nothing at all"


CHANGE = FunctionExercise("change", _cases, "Keys and revisions are those of etcd.", points=4.0)
