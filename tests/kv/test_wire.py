"""Values and etcd's messages say the same."""

import subprocess
import sys

import pytest

from raft_lab.kv import wire
from raft_lab.kv.encoding import encode_kv
from raft_lab.kv.requests import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    Event,
    KeyValue,
    LeaseGrant,
    LeaseLeasesResponse,
    LeaseTimeToLiveResponse,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Txn,
    TxnResponse,
    WatchCreate,
    WatchResponse,
)

FOUND = RangeResponse(4, (KeyValue(b"a", b"b", 1, 2, 3, 4),), True, 9)
VALUES = [
    Txn(
        [Compare("a", CompareTarget.VALUE, CompareResult.GREATER, b"x"), Compare("b", value=4, range_end="c")],
        [Put("a", "1", lease=-4), Range("a", limit=3), Txn((), [DeleteRange("b", prev_kv=True)])],
        [None],
    ),
    FOUND,
    TxnResponse(3, True, (FOUND, PutResponse(2), TxnResponse(0, False))),
    LeaseGrant(3, 4),
    LeaseTimeToLiveResponse(3, 4, 5, 6, (b"x",)),
    LeaseLeasesResponse(2, (4, 5)),
    WatchCreate("a", filters=(0, 1)),
    WatchResponse(3, 1, events=(Event("DELETE", KeyValue(b"a", mod_revision=4), KeyValue(b"a", b"b")),)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_from_its_message(value):
    sent = wire.to_message(value).SerializeToString()
    assert wire.to_value(wire.message_class(wire.message_name(value)).FromString(sent)) == value


def test_a_compare_with_the_wrong_kind_of_number_compares_with_0():
    message = wire.message_class("Compare")(key=b"a", target=CompareTarget.MOD, version=7)
    assert wire.to_value(message) == Compare("a", CompareTarget.MOD, value=0)


AT_ONCE = """
import threading
from raft_lab.kv import wire
together, found = threading.Barrier(16), set()

def look():
    together.wait()
    found.add(wire.message_class("PutRequest"))

threads = [threading.Thread(target=look) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(found))
"""


def test_threads_that_begin_at_once_have_the_same_messages():
    done = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_keys_are_written_as_protobuf_writes_them():
    kv = KeyValue(b"key", b"v" * 300, 1, 1 << 40, 128, -4)
    assert encode_kv(kv) == wire.to_message(kv).SerializeToString()
