"""The keys at one revision, beside a plain dict: in order, and never changed by what is written later."""

import random
import sys
import threading

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


def test_who_reads_while_another_thread_compares_sees_all_of_it():
    forwards = keyspace((KeyValue(key), 0) for key in KEYS)
    end, missed = threading.Event(), []
    compared = [forwards]

    def read():
        while not end.is_set():
            missed.extend(key for key in KEYS[::40] if compared[0].get(key) is None)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=read)
    thread.start()
    try:
        for _ in range(100):
            compared[0] = keyspace((KeyValue(key), 0) for key in reversed(KEYS))
            assert forwards == compared[0]
    finally:
        sys.setswitchinterval(before)
        end.set()
        thread.join()
    assert missed == []
    assert not thread.is_alive()
