"""The keys at one revision, beside a plain dict: in order, and never changed by what is written later."""

import random

from raft_lab.kv.keyspace import EMPTY, keyspace
from raft_lab.kv.requests import KeyValue

KEYS = [b"key/%03d" % number for number in range(400)]


def written(draw, steps):
    """Key spaces one after another, each with what it should hold."""
    keys, model = EMPTY, {}
    yield keys, model
    for step in range(steps):
        key = draw.choice(KEYS)
        if key in model and draw.random() < 0.4:
            keys, model = keys.without(key), {other: kv for other, kv in model.items() if other != key}
        else:
            kv = KeyValue(key, b"%d" % step)
            keys, model = keys.with_item(kv), {**model, key: kv}
        yield keys, model


def test_every_range_is_that_of_a_sorted_dict():
    draw = random.Random(3)
    for keys, model in list(written(draw, 1500))[::7]:
        assert list(keys) == [model[key] for key in sorted(model)]
        assert len(keys) == len(model)
        begin, end = draw.choice(KEYS), draw.choice([None, *KEYS])
        inside = [model[key] for key in sorted(model) if begin <= key and (end is None or key < end)]
        assert (keys.between(begin, end), keys.count(begin, end)) == (inside, len(inside))
        assert keys.get(begin) == model.get(begin)


def test_all_can_be_deleted_and_written_again():
    full = keyspace((KeyValue(key), 0) for key in KEYS)
    empty = full
    for key in KEYS:
        empty = empty.without(key)
    assert (list(empty), empty) == ([], EMPTY)
    assert empty.with_item(KeyValue(b"new")).between(b"", None) == [KeyValue(b"new")]


def test_equal_contents_are_equal_however_they_came_about():
    forwards = keyspace((KeyValue(key), place % 2) for place, key in enumerate(KEYS))
    backwards = keyspace([(KeyValue(key), place % 2) for place, key in enumerate(KEYS)][::-1])
    assert forwards == backwards
    assert forwards != backwards.with_item(KeyValue(KEYS[7], b"other"), 1)
    assert forwards != keyspace((KeyValue(key), 0) for key in KEYS)


def test_who_reads_while_it_is_compared_sees_all_of_it():
    shuffled = keyspace((KeyValue(key), 0) for key in random.Random(4).sample(KEYS, len(KEYS)))

    class Compares(bytes):
        """A key during whose look-up another thread, as it were, compares."""

        def __lt__(self, other):
            assert shuffled == forwards
            return bytes.__lt__(self, other)

    for place, key in enumerate(KEYS):
        forwards = keyspace((KeyValue(key), 0) for key in KEYS)
        assert forwards.between(Compares(key), None) == [KeyValue(key) for key in KEYS[place:]]
