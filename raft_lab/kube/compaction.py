"""How API servers keep etcd small: every five minutes, whichever of them is first compacts what is five minutes old.

Which one that is, is decided by a key that each wants to be the next to write (apiserver/pkg/storage/etcd3/compact.go).
"""

from __future__ import annotations

from dataclasses import dataclass

from raft_lab.kv.clients import Program
from raft_lab.kv.requests import Compaction, Compare, CompareResult, CompareTarget, Put, Range, Txn

KEY = b"compact_rev_key"
SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Round:
    """What an API server knows from the last time.

    Attributes:
        version: that of the key: how often somebody has compacted.
        revision: that of the store then; next time, what is older can go.
    """

    version: int = 0
    revision: int = 0


def compact(last: Round) -> Program:
    """A program that compacts, unless another API server did since the last time; it returns the next `Round`."""
    is_next = Compare(KEY, CompareTarget.VERSION, CompareResult.EQUAL, last.version)
    done = yield Txn((is_next,), (Put(KEY, str(last.revision).encode()),), (Range(KEY),))
    if not done.succeeded:
        kvs = done.responses[0].kvs
        return Round(kvs[0].version if kvs else 0, done.revision)
    if last.revision:
        yield Compaction(last.revision)
    return Round(last.version + 1, done.revision)
