"""A client's face of the store, the same over a cluster of this lab and over a real etcd.

store = KV(cluster)                        # time is the cluster's: each call lets it go on until the answer comes
store = KV.connect("127.0.0.1:2379")       # time is yours
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from raft_lab.kv import recipes
from raft_lab.kv.calls import Unknown
from raft_lab.kv.clients import Program
from raft_lab.kv.holding import Election, Lease
from raft_lab.kv.lines import InCluster, Line
from raft_lab.kv.requests import (
    FROM_KEY,
    Compaction,
    CompactionResponse,
    Compare,
    DeleteRange,
    DeleteRangeResponse,
    LeaseGrant,
    Operation,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    SortOrder,
    SortTarget,
    Txn,
    TxnResponse,
    WatchCreate,
    as_bytes,
    prefix_end,
)
from raft_lab.kv.server import KVServer
from raft_lab.kv.transactions import check_request
from raft_lab.kv.watching import Told
from raft_lab.raft.rules import base
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused

if TYPE_CHECKING:
    import pandas as pd


class KV:
    """A client of etcd's key-value store.

    Whatever etcd refuses raises `EtcdError` with its words. A request that changes something and gets no answer raises
    `Unknown`: nobody can say whether it has happened.

    Args:
        cluster: a cluster of `KVServer`s, such as `Cluster(3, server=KVServer)`.
        name: what the client is called; its session (dissertation 6.3) goes by it.
        member: the one server to ask, whatever it answers; else the client finds the leader.

    Raises:
        ActionRefused: the servers of the cluster have another state machine.
    """

    def __init__(self, cluster: Cluster, *, name: str = "kv", member: str | None = None) -> None:
        if not isinstance(cluster, Cluster):
            raise TypeError(f'KV takes a Cluster, not {cluster!r}; for a real etcd: KV.connect("127.0.0.1:2379")')
        behaviour = cluster.world.behaviour
        if not (isinstance(behaviour, type) and issubclass(base(behaviour), KVServer)):
            raise ActionRefused("these servers hold no key-value store of etcd's: Cluster(3, server=KVServer)")
        if member is not None:
            cluster.world.server(member)
        self.line: Line = InCluster(cluster, name, member)

    @classmethod
    def connect(cls, address: str = "127.0.0.1:2379", *more: str, timeout: float = 5) -> KV:
        """The same face over a real etcd.

        Args:
            address: host and port of a member; etcd's TLS is not spoken.
            more: other members' addresses, to be asked when one does not answer.
            timeout: how long to wait for an answer, in seconds.

        Raises:
            TypeError, ValueError: these are no addresses, or no time.
            MissingLibrary: grpcio is missing: `pip install "raft_lab[serve]"`.
            ConnectionError: nobody answers there.
        """
        from raft_lab.kv.remote import Remote

        store = cls.__new__(cls)
        store.line = Remote((address, *more), timeout)
        return store

    def ask(self, request: Any) -> Any:
        """Ask for anything: a request such as `Range(b"x", limit=3)`; answers with its response."""
        if isinstance(request, Range | Put | DeleteRange | Txn):
            check_request(request)  # as etcd does before it lets anything into its log
        return self.run(_ask(request))

    def run(self, program: Program) -> Any:
        """Let a program run to its end in this client's name, and answer with what it returns; see clients.py."""
        return self.line.run(program)

    # Keys

    def put(
        self,
        key: str | bytes,
        value: str | bytes = b"",
        *,
        lease: int | Lease = 0,
        prev_kv: bool = False,
        ignore_value: bool = False,
        ignore_lease: bool = False,
    ) -> PutResponse:
        """Write a key. See `raft_lab.kv.requests.Put`."""
        request = Put(as_bytes(key), as_bytes(value), _lease_id(lease), prev_kv, ignore_value, ignore_lease)
        response: PutResponse = self.ask(request)
        return response

    def get(
        self,
        key: str | bytes,
        range_end: str | bytes = b"",
        *,
        prefix: bool = False,
        from_key: bool = False,
        limit: int = 0,
        revision: int = 0,
        sort_by: str = "",
        order: str = "",
        serializable: bool = False,
        keys_only: bool = False,
        count_only: bool = False,
        **bounds: int,
    ) -> RangeResponse:
        """Read a key, or a range of keys.

        Args:
            key: the key, or where the range begins.
            range_end: where it ends.
            prefix: read all keys that begin with `key`.
            from_key: read all keys from `key` on.
            limit: how many keys at most; 0: all.
            revision: as of which revision; 0: now.
            sort_by: "key", "version", "create", "mod" or "value".
            order: "ascend" or "descend".
            serializable: take what one member has, fresh or stale, instead of asking a quorum first (ReadIndex).
            keys_only: without values.
            count_only: only how many there are.
            bounds: `min_mod_revision`, `max_mod_revision`, `min_create_revision`, `max_create_revision`.
        """
        request = Range(
            as_bytes(key),
            _end(key, range_end, prefix, from_key),
            limit,
            revision,
            _choice(SortOrder, order) if order else 0,
            _choice(SortTarget, sort_by) if sort_by else 0,
            serializable,
            keys_only,
            count_only,
            **bounds,
        )
        response: RangeResponse = self.ask(request)
        return response

    def delete(
        self,
        key: str | bytes,
        range_end: str | bytes = b"",
        *,
        prefix: bool = False,
        from_key: bool = False,
        prev_kv: bool = False,
    ) -> DeleteRangeResponse:
        """Delete a key, or a range of keys; see `get`."""
        request = DeleteRange(as_bytes(key), _end(key, range_end, prefix, from_key), prev_kv)
        response: DeleteRangeResponse = self.ask(request)
        return response

    def txn(
        self,
        compare: Iterable[Compare] | Compare = (),
        success: Iterable[Operation] | Operation = (),
        failure: Iterable[Operation] | Operation = (),
    ) -> TxnResponse:
        """If everything of `compare` holds, do `success`, else `failure`; all at one revision.

        For example `store.txn(value("x") == "1", Put("x", "2"), Range("x"))`.

        Args:
            compare: conditions; see conditions.py.
            success: `Put`, `Range`, `DeleteRange` or `Txn`, one or several.
            failure: the same.
        """
        request = Txn(_several(compare), _several(success), _several(failure))
        response: TxnResponse = self.ask(request)
        return response

    def compact(self, revision: int, *, physical: bool = False) -> CompactionResponse:
        """Forget what was before `revision`, except what still stands at it."""
        response: CompactionResponse = self.ask(Compaction(revision, physical))
        return response

    def watch(
        self,
        key: str | bytes,
        range_end: str | bytes = b"",
        *,
        prefix: bool = False,
        from_key: bool = False,
        revision: int = 0,
        prev_kv: bool = False,
        filters: Iterable[int] = (),
        member: str | None = None,
    ) -> Told:
        """Be told of every change of a key, or of a range of keys.

        Args:
            key: see `get`; so for the next three.
            range_end: where the range ends.
            prefix: all keys that begin with `key`.
            from_key: all keys from `key` on.
            revision: from which revision on; 0: from now on.
            prev_kv: whether events hold what stood there before.
            filters: `NOPUT`, `NODELETE`: what not to be told.
            member: which member to be told by first.
        """
        end = _end(key, range_end, prefix, from_key)
        return self.line.watch(WatchCreate(as_bytes(key), end, revision, False, tuple(filters), prev_kv), member)

    # Leases, and what is made of them

    def lease(self, ttl: int, *, id: int = 0) -> Lease:
        """Be given a lease of `ttl` seconds (2 at least), called `id` or as the store chooses."""
        response = self.ask(LeaseGrant(ttl, id))
        return Lease(self, response.id, response.ttl)

    @contextmanager
    def lock(self, name: str | bytes, lease: Lease | None = None, *, ttl: int = 10) -> Iterator[recipes.Turn]:
        """Hold a lock inside a `with`; without a lease, a new one is kept alive as long as that.

        Keep in mind what a lock of this kind is not: its holder may have lost it without knowing. `turn.revision` is a
        token by which what is locked can refuse earlier holders.
        """
        mine = lease or self.lease(ttl).keep_alive()
        turn = self.run(recipes.take_turn(name, mine.id))
        try:
            yield turn
        finally:
            self.run(recipes.give_up(turn))
            if lease is None:
                mine.revoke()

    def election(self, name: str | bytes, lease: Lease | None = None, *, ttl: int = 60) -> Election:
        """Take part in an election; without a lease, a new one is kept alive."""
        return Election(self, name, lease or self.lease(ttl).keep_alive())

    # The cluster

    def wait(self, seconds: float) -> None:
        """Let time pass: the cluster's, or yours. Leases are kept alive meanwhile, and watches told."""
        if not (isinstance(seconds, int | float) and 0 < seconds < 1e6):
            raise ActionRefused(f"wait takes a number of seconds above 0, not {seconds!r}")
        self.line.wait(seconds)

    def status(self) -> pd.DataFrame:
        """What each member says of itself, as `etcdctl endpoint status` has it."""
        import pandas as pd

        return pd.DataFrame(self.line.members()).set_index("member")

    def close(self) -> None:
        """Let go of all connections to a real etcd; watches and what keeps leases alive end. A cluster has none."""
        self.line.close()

    def history(self) -> Any:
        """What all clients of the cluster asked and were told, for `check_linearizable`."""
        if not isinstance(self.line, InCluster):
            raise ActionRefused("of a real etcd no history is kept here")
        return self.line.clients.history()

    def __repr__(self) -> str:
        return f"<KV: {self.line}>"


def _ask(request: Any) -> Program:
    response = yield request
    return response


def _lease_id(lease: Any) -> Any:
    return lease.id if isinstance(lease, Lease) else lease


def _several(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, Iterable) else (given,)


def _end(key: str | bytes, range_end: str | bytes, prefix: bool, from_key: bool) -> bytes:
    if bool(range_end) + prefix + from_key > 1:
        raise ValueError("a range ends at range_end, with a prefix, or nowhere (from_key): give one of them")
    return prefix_end(key) if prefix else FROM_KEY if from_key else as_bytes(range_end)


def _choice(kind: Any, name: str) -> int:
    try:
        return int(kind[name.upper()])
    except (KeyError, AttributeError):
        known = ", ".join(repr(member.name.lower()) for member in kind)
        raise ValueError(f"it is one of {known}, not {name!r}") from None


__all__ = ["KV", "Election", "Lease", "Unknown"]
