"""Histories of concurrent clients of one correct store, made by chance; and a checker that tries every order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

from raft_lab import History, Model, Operation
from raft_lab.check.models import key_value

STORE = key_value()
assert STORE.reply is not None


def concurrent_history(
    seed: object,
    *,
    clients: int = 8,
    operations: int = 1000,
    keys: int = 8,
    reads: float = 0.5,
    unanswered: float = 0.0,
) -> History:
    """What `clients` of one correct store see when each has one operation under way at a time.

    Each operation takes effect somewhere between its call and its return; with the odds `unanswered` the client
    never hears of it (and goes on under another name), whether it takes effect or not.
    """
    rng = random.Random(f"history {seed}")
    state = STORE.initial
    done: list[Operation] = []
    under_way: dict[int, tuple[Operation, bool]] = {}  # by client: the operation, whether it has taken effect
    names = {client: f"c{client}" for client in range(clients)}
    asked = 0
    for moment in itertools.count():
        if asked == operations and not under_way:
            return History(tuple(done), source=f"seed {seed}")
        client = rng.randrange(clients) if asked < operations else rng.choice(sorted(under_way))
        if client not in under_way:
            under_way[client] = _request(rng, names[client], asked, keys, reads, moment), False
            asked += 1
            continue
        operation, in_effect = under_way.pop(client)
        if not in_effect and rng.random() >= unanswered / 2:
            _, after = STORE.step(state, operation)
            operation = replace(operation, result=STORE.reply(state, operation))
            state, under_way[client] = after, (operation, True)
        elif in_effect and rng.random() >= unanswered / 2:
            done.append(replace(operation, returned=moment))
        else:
            done.append(replace(operation, result=None))
            names[client] += "'"
    raise AssertionError("the count never ends")


def _request(rng: random.Random, client: str, number: int, keys: int, reads: float, moment: int) -> Operation:
    key = f"k{rng.randrange(keys)}"
    if rng.random() < reads:
        return Operation(client, "get", key, None, moment)
    if rng.random() < 0.2:
        return Operation(client, "cas", key, (rng.choice([None, number - 1, number - 3]), number), moment)
    return Operation(client, "put", key, number, moment)


def spoiled(history: History, seed: object) -> tuple[History, Operation]:
    """The history in which one client was told a value long overwritten; and the operation that tells it."""
    rng = random.Random(f"spoiled {seed}")
    operations = list(history.operations)
    stale = [
        (number, earlier.argument)
        for number, get in enumerate(operations)
        if get.kind == "get" and not get.unknown
        for earlier, later in _overwritten_before(operations[:number], get)
        if earlier.argument != get.result
    ]
    number, value = rng.choice(stale)
    operations[number] = replace(operations[number], result=value)
    return History(tuple(operations), source=history.source), operations[number]


def _overwritten_before(operations: list[Operation], get: Operation) -> Iterator[tuple[Operation, Operation]]:
    """Puts of the same key, each with another one that came after it and returned before `get` was called."""
    puts = [o for o in operations if o.kind == "put" and o.key == get.key and o.returned is not None][-6:]
    for earlier, later in itertools.combinations(puts, 2):
        assert earlier.returned is not None
        assert later.returned is not None
        if earlier.returned < later.called and later.returned < get.called:
            yield earlier, later


def explained_by_some_permutation(history: History, model: Model) -> bool:
    """The definition, taken at its word: try every subset of what may have happened in every order."""
    sure = [o for o in history.operations if not o.unknown and not o.failed]
    unsure = [o for o in history.operations if o.unknown and not o.failed]
    for count in range(len(unsure) + 1):
        for happened in itertools.combinations(unsure, count):
            for order in itertools.permutations([*sure, *happened]):
                if _respects_time(order) and _gives_these_results(order, model):
                    return True
    return False


def _respects_time(order: tuple[Operation, ...]) -> bool:
    return not any(
        later.returned is not None and later.returned < earlier.called
        for earlier, later in itertools.combinations(order, 2)
    )


def _gives_these_results(order: tuple[Operation, ...], model: Model) -> bool:
    state = model.initial
    for operation in order:
        fits, state = model.step(state, operation)
        if not fits:
            return False
    return True
