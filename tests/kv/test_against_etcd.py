"""Our store and a real etcd 3.4, asked the same: every result, revision, event, error and checksum is the same.

Excluded is only what etcd leaves undefined (ties in a sort of more than 12 keys, the order between watchers, the order
in which a lease's keys are listed), and the one request that ends a real 3.4.23: a range sorted by an unknown target.
How long a lease has left is compared as exactly as it can be known from outside when it was given.

A longer campaign: `RAFT_LAB_ETCD_CALLS=20000 python -m pytest tests/kv/test_against_etcd.py -n 0`.
"""

import os
import time
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from real_etcd import RealEtcd, WatchStream

from raft_lab.kv import watch
from raft_lab.kv.encoding import HashKV, hash_kv, request_size
from raft_lab.kv.errors import TOO_LARGE, EtcdError
from raft_lab.kv.requests import (
    Compaction,
    Compare,
    DeleteRange,
    LeaseExpire,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
    Txn,
    WatchCreate,
)
from raft_lab.kv.server import LARGEST_REQUEST, apply
from raft_lab.kv.store import Store
from raft_lab.kv.wire import to_message

pytestmark = pytest.mark.xdist_group("etcd")

CALLS = int(os.environ.get("RAFT_LAB_ETCD_CALLS", "4000"))
SEED = int(os.environ.get("RAFT_LAB_ETCD_SEED", "0"))
LENGTH = 30
"""The least calls in a sequence."""

# --- What is asked ---------------------------------------------------------------------------------------------------

NOW = 1 << 40
"""In what is drawn, a revision near this one is meant relative to the present one."""

keys = st.sampled_from([b"a", b"a\0", b"ab", b"b", b"c", b"c/1", b"c/2", b"d", b"\0", b"\xff"])
some_key = st.one_of(keys, keys, keys, keys, st.just(b""))
ends = st.one_of(st.just(b""), st.just(b"\0"), st.sampled_from([b"b", b"c0", b"d", b"\xff", b"a"]))
values = st.sampled_from([b"", b"1", b"2", b"10", b"\xff\0", b"longer" * 50])
revisions = st.one_of(st.just(0), st.integers(NOW - 12, NOW + 1), st.integers(-3, 3))
lease_ids = st.sampled_from([0, 0, 0, 1, 2, 3, -7, 1 << 62])
flags = st.booleans()
bounds = st.one_of(st.just(0), st.just(0), st.integers(NOW - 12, NOW + 1))

ranges = st.builds(
    Range, some_key, ends, st.integers(-1, 4), revisions, st.sampled_from([0, 0, 1, 2, 9]), st.integers(0, 4),
    flags, flags, st.sampled_from([False, False, True]), bounds, bounds, bounds, bounds,
)  # fmt: skip
plain_ranges = st.builds(Range, some_key, ends)
puts = st.one_of(
    st.builds(Put, keys, values),
    st.builds(Put, some_key, values, lease_ids, flags),
    st.builds(Put, keys, st.sampled_from([b"", b"", b"1"]), lease_ids, flags, flags, flags),
)
deletions = st.builds(DeleteRange, some_key, ends, flags)
compares = st.one_of(
    st.builds(Compare, some_key, st.sampled_from([0, 1, 2, 4, 9]), st.sampled_from([0, 1, 2, 3, 9]), bounds, ends),
    st.builds(Compare, keys, st.just(0), st.sampled_from([0, 1, 2, 3]), st.integers(0, 3), ends),
    st.builds(Compare, keys, st.just(3), st.sampled_from([0, 1, 2, 3]), values, ends),
    st.builds(Compare, keys, st.sampled_from([0, 3]), st.just(0), st.one_of(values, st.just(1))),
)


def txns(operations):
    some = st.lists(operations, max_size=3)
    return st.builds(Txn, st.lists(compares, max_size=2), some, some)


simple = st.one_of(ranges, puts, puts, deletions)
transactions = st.one_of(
    txns(simple),
    txns(st.one_of(simple, simple, simple, txns(simple), txns(st.one_of(simple, txns(simple))))),
    txns(st.one_of(simple, st.none())),
    st.builds(
        lambda count, inner: Txn([Compare("a")] * count, [Txn([Compare("a")] * inner)]),
        st.sampled_from([100, 127, 128, 129]),
        st.sampled_from([1, 28, 29]),
    ),
)
compactions = st.builds(Compaction, st.one_of(st.integers(NOW - 20, NOW + 1), st.integers(-2, 2)), st.just(True))
leases = st.one_of(
    st.builds(LeaseGrant, st.sampled_from([1000, 2000, 9_000_000_000, 9_000_000_001]), lease_ids),
    st.builds(LeaseRevoke, lease_ids),
    st.builds(LeaseKeepAlive, lease_ids),
    st.builds(LeaseTimeToLive, lease_ids, flags),
    st.just(LeaseLeases()),
)
watches = st.one_of(
    st.builds(
        WatchCreate, some_key, ends, revisions, st.just(False), st.sampled_from([(), (), (0,), (1,), (0, 1)]),
        flags, st.sampled_from([0, 0, 0, 1, 5, -2]),
    ),
    st.sampled_from(["cancel 0", "cancel 1", "cancel 5", "cancel -2", "cancel 77", "progress"]),
)  # fmt: skip
checksums = st.builds(HashKV, revisions)
calls = st.one_of(
    *[puts] * 5, *[ranges] * 4, *[deletions] * 2, *[transactions] * 5, leases, leases, watches, compactions, checksums
)


def meant(request, now):
    """The request with revisions of its own where what was drawn is relative to the present one."""
    if isinstance(request, tuple):
        return tuple(meant(part, now) for part in request)
    if type(request) is int and request > NOW - 1000 and request < NOW + 1000:
        return request - NOW + now
    if hasattr(request, "__dataclass_fields__"):
        return replace(request, **{f.name: meant(getattr(request, f.name), now) for f in fields(request)})
    return request


# --- Both are asked --------------------------------------------------------------------------------------------------


class Pair:
    """Our store and a real one that began alike."""

    def __init__(self, etcd):
        self.etcd = etcd
        self.store = Store()
        self.stream = watch.Stream()
        self.told = {}
        self.theirs = WatchStream(etcd)
        self.given = {}  # lease -> between which two moments it was given or renewed, in µs
        self.calls = 0

    def begin_anew(self):
        """Nothing is there, and all that was is compacted away; only the revisions go on."""
        self.theirs.close()
        self.theirs, self.stream, self.told = WatchStream(self.etcd), watch.Stream(), {}
        for lease in self.ask(LeaseLeases()).leases:
            self.ask(LeaseRevoke(lease))
        self.ask(DeleteRange("\0", "\0"))
        self.ask(Compaction(self.store.revision, physical=True))

    def ask(self, request):
        """Ask both. The answers are the same, and watchers are told the same."""
        self.calls += 1
        request = meant(request, self.store.revision)
        if isinstance(request, str):
            return self.ask_stream(*request.split())
        if isinstance(request, WatchCreate):
            return self.create(request)
        if isinstance(request, Compaction):
            self.wait()
        before = time.monotonic_ns() // 1000
        theirs = self.etcd.ask(request)
        after = time.monotonic_ns() // 1000
        if isinstance(request, LeaseGrant) and request.id == 0 and not isinstance(theirs, EtcdError):
            request = replace(request, id=theirs.id)  # etcd draws a name
        ours = self.ours(request, before)
        if isinstance(request, LeaseGrant | LeaseKeepAlive) and not isinstance(ours, EtcdError):
            self.given[ours.id] = before, after
        if isinstance(request, LeaseTimeToLive) and ours.ttl >= 0:
            first, last = self.given[request.id]
            left = [ours.granted_ttl + (moment - asked) // 10**6 for moment, asked in ((first, after), (last, before))]
            assert left[0] <= theirs.ttl <= left[1]
            theirs = replace(theirs, ttl=ours.ttl, keys=tuple(sorted(theirs.keys)))
        assert ours == theirs, f"to {request!r} we said {ours!r}, etcd {theirs!r}"
        self.stream, told = watch.poll(self.stream, self.store)
        self.note(*told)
        return ours

    def ours(self, request, clock_us):
        if isinstance(request, HashKV):
            try:
                return hash_kv(self.store, request.revision)
            except EtcdError as error:
                return error
        self.store, answer = apply(self.store, request, clock_us)
        return answer

    # Watchers

    def create(self, request):
        self.wait()
        self.stream, begun = watch.create(self.stream, self.store, request)
        self.stream, told = watch.poll(self.stream, self.store)
        self.theirs.send(create_request=to_message(request))
        self.note(begun, *told)
        self.wait()

    def ask_stream(self, verb, name="0"):
        self.wait()
        if verb == "progress":
            self.note(watch.progress(self.store))
            self.theirs.send(progress_request={})
        else:
            self.stream, told = watch.cancel(self.stream, self.store, int(name))
            self.note(*told)
            self.theirs.send(cancel_request={"watch_id": int(name)})
        self.wait()

    def note(self, *responses):
        for response in responses:
            self.told.setdefault(response.watch_id, []).append(response)

    def wait(self):
        """What we were told has also come from the real one."""
        self.theirs.wait({name: len(responses) for name, responses in self.told.items()})
        assert self.told == self.theirs.told

    def check(self):
        """Watchers were told the same, and both hold the same."""
        self.wait()
        self.ask(HashKV())


@pytest.fixture(scope="module")
def etcd(tmp_path_factory):
    with RealEtcd(tmp_path_factory.mktemp("etcd")) as running:
        yield running


@pytest.fixture(scope="module")
def pair(etcd):
    return Pair(etcd)


@seed(SEED)
@settings(
    max_examples=CALLS // LENGTH,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(calls, min_size=LENGTH, max_size=3 * LENGTH))
def test_the_same_calls_give_the_same_answers_events_and_checksums(pair, sequence):
    pair.begin_anew()
    for request in sequence:
        pair.ask(request)
    pair.check()


def test_so_many_calls_were_made(pair):
    """Of a campaign: each sequence has at least as many as it should."""
    assert pair.calls >= CALLS


# --- What a random sequence seldom meets -----------------------------------------------------------------------------


def test_a_store_in_which_nothing_was_ever_compacted(tmp_path):
    with RealEtcd(tmp_path) as etcd:
        pair = Pair(etcd)
        pair.check()
        pair.ask(Put("a", "1"))
        for revision in (-2, -1, 0, 1, 2, 3):
            pair.ask(Range("a", revision=revision))
            pair.ask(Txn((), [Put("b"), Range("a", revision=revision)]))
            pair.ask(HashKV(revision))
            pair.ask(WatchCreate("a", start_revision=revision))
        for revision in (-2, -1, 0, 0, 1, 1):
            pair.ask(Compaction(revision, physical=True))
            pair.ask(Range("a", revision=1))
            pair.ask(Txn((), [Range("a", revision=-1)]))
            pair.check()


def test_a_watcher_of_the_compacted_revision_is_told_of_puts_and_not_of_deletions(pair):
    pair.begin_anew()
    pair.ask(Put("a"))
    pair.ask(Txn((), [Put("b", "2"), DeleteRange("a"), Put("c", "3")]))
    pair.ask(Compaction(pair.store.revision, physical=True))
    pair.ask(WatchCreate("\0", "\0", start_revision=pair.store.revision, prev_kv=True))
    assert [str(event) for event in pair.told[0][1].events] == ["PUT b = 2", "PUT c = 3"]


def test_more_revisions_than_one_response_tells_a_watcher_of_the_past(pair):
    pair.begin_anew()
    begin = pair.store.revision + 1
    for number in range(1100):
        pair.ask(Put(f"k{number % 3}", str(number)))
    pair.ask(WatchCreate("k0", "k2", start_revision=begin, prev_kv=True))
    pair.ask(WatchCreate("k", "l", start_revision=begin))
    pair.check()
    assert [len(told.events) for told in pair.told[1]] == [0, 1000, 100]


def test_a_lease_ends_by_itself_and_takes_its_keys_along(pair):
    pair.begin_anew()
    pair.ask(LeaseGrant(1, 5))
    for key in ("b", "a", "c"):
        pair.ask(Put(key, lease=5))
    pair.ask(Put("c"))
    pair.ask(WatchCreate("\0", "\0", prev_kv=True))
    pair.store, ended = apply(pair.store, LeaseExpire(), time.monotonic_ns() // 1000 + 2_000_000)
    pair.stream, told = watch.poll(pair.stream, pair.store)
    pair.note(*told)
    pair.wait()
    assert ended.expired == (5,)
    pair.check()


def test_a_transaction_of_every_size(pair):
    pair.begin_anew()
    for outer in (1, 64, 127, 128, 129):
        for inner in (0, 1, 63, 64, 65):
            pair.ask(Txn([Compare("a")], [Put(f"{n}") for n in range(outer - 1)] + [Txn((), [Range("a")] * inner)]))


def test_a_request_may_be_large_but_not_too_large(pair):
    pair.begin_anew()
    for size in (1_572_000, 2_000_000):
        pair.ask(Put("a", bytes(size)))
        pair.ask(Range("a", bytes(size)))
        pair.ask(Txn((), [Put("a", bytes(size // 2)), Put("b", bytes(size // 2))]))
    pair.check()


PADDED = {
    "put": lambda size: Put("key", bytes(size)),
    "put with everything": lambda size: Put("key", bytes(size), -1, True),
    "delete": lambda size: DeleteRange("a", b"a" + bytes(size), True),
    "a condition": lambda size: Txn(
        [Compare("a", 3, 3, bytes(size)), Compare("b", 0, 0, 0, b"c"), Compare("c", 4, 1, -1)], [Put("b")]
    ),
    "a nested transaction": lambda size: Txn(
        [Compare("a", 1, 2, 300)],
        [
            Range("a", "c", 3, 1, 1, 2, True, True, True, 1, 300, 1, 70_000),
            Txn((), [Put("a", bytes(size)), Range("a")]),
        ],
        [DeleteRange("x")],
    ),
}


@pytest.fixture(scope="module")
def another_etcd(tmp_path_factory):
    with RealEtcd(tmp_path_factory.mktemp("etcd")) as running:
        running.ask(LeaseGrant(1000, -1))
        yield running


@pytest.mark.parametrize("kind", PADDED)
def test_the_largest_request_is_as_large_to_the_byte(another_etcd, kind):
    """Where the member's number for a request takes 9 bytes instead of 10, it takes one more of the request's."""
    make, spare = PADDED[kind], 10 - another_etcd.number_size()
    size = 2 * LARGEST_REQUEST - 200 - request_size(make(LARGEST_REQUEST - 200))
    assert request_size(make(size)) == LARGEST_REQUEST
    assert [apply(Store(), make(size + more))[1] == TOO_LARGE for more in (0, 1)] == [False, True]
    assert [another_etcd.ask(make(size + spare + more)) == TOO_LARGE for more in (0, 1)] == [False, True]


# --- Watches in parts, and word of progress -------------------------------------------------------------------------


def test_what_is_too_large_for_one_message_comes_in_the_same_parts(pair):
    pair.begin_anew()
    begin = pair.store.revision + 1
    for number, size in enumerate((900_000, 900_000, 600_000, 10, 1_500_000, 300_000, 1_400_000, 100)):
        pair.ask(Put(f"k{number % 3}", bytes(size)))
    for request in (
        WatchCreate("k", "l", begin, fragment=True),
        WatchCreate("k", "l", begin, prev_kv=True, fragment=True),
        WatchCreate("k0", start_revision=begin, fragment=True),
        WatchCreate("k", "l", begin),
        WatchCreate("k", "l", prev_kv=True, fragment=True),
    ):
        pair.ask(request)
    pair.ask(Txn((), [Put("k0", bytes(500_000)), Put("k1", bytes(500_000)), Put("k2", bytes(500_000))]))
    pair.check()
    assert [told.fragment for told in pair.told[4][1:]] == [True, False]


def test_who_asks_for_it_is_told_of_progress(tmp_path):
    with RealEtcd(tmp_path, "--experimental-watch-progress-notify-interval=200ms") as etcd:
        pair = Pair(etcd)
        pair.ask(WatchCreate("a", progress_notify=True))
        pair.ask(WatchCreate("a"))
        pair.ask(Put("b", "1"))
        pair.ask(Put("b", "2"))
        pair.theirs.wait({0: 4})
        told = pair.theirs.told
        assert set(told[0][-2:]) == set(watch.notices(pair.stream, pair.store))
        assert told[1] == pair.told[1]
