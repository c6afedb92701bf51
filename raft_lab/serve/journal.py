"""A cluster on a disk: what every server has to keep (term, vote, log, snapshot), in one SQLite file.

All servers are one process and die together, so they need not write one after the other: what has happened is written
in one transaction before any client is told of it. An entry stands there once, for all whose log holds it: by index and
term it is the same (Log Matching, section 5.3). Of a server that was removed only name, term and vote stay: no other
one shall be called so.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.log import Entry, Log, Snapshot
from raft_lab.raft.state import Disk, State
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.trace import decode, encode
from raft_lab.sim.world import Ghosts, World

FILE = "raft-lab.sqlite3"
VERSION = 1
SNAPSHOT_EVERY = 10_000
"""Entries: a snapshot holds the whole store, so it is not written often."""

_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS servers (name TEXT PRIMARY KEY, place INTEGER, term INTEGER, vote TEXT, snapshot INTEGER);
CREATE TABLE IF NOT EXISTS logs (server TEXT, position INTEGER, term INTEGER, PRIMARY KEY (server, position));
CREATE TABLE IF NOT EXISTS entries (position INTEGER, term INTEGER, value TEXT, PRIMARY KEY (position, term));
CREATE TABLE IF NOT EXISTS snapshots (position INTEGER PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS peers (server TEXT PRIMARY KEY, urls TEXT);
"""


class JournalError(RaftLabError):
    """What should be on the disk is not there, or cannot be written."""


class Journal:
    """The file in a folder; use it in a `with`.

    Args:
        folder: where; it is made if it is not there.

    Raises:
        JournalError: it cannot be opened: another process has it, or it is no journal.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / FILE
        self.peers: dict[str, tuple[str, ...]] = {}
        """Where members are reached, as somebody has set it."""
        self._written: dict[str, Disk | None] = {}
        self._opened = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=0.2)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{self.path} cannot be opened: {error}") from None
        with self._explained():
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA fullfsync = ON")  # macOS would else leave it in the disk's own memory
            with self._transaction():
                for table in _TABLES.strip().splitlines():
                    self._db.execute(table)
        self._files = {str(path): _identity(path) for path in (self.path, Path(f"{self.path}-wal"))}

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def open(self, fresh: Cluster) -> Cluster:
        """The cluster that was kept, all servers just started; or `fresh`, if nothing was kept yet.

        Raises:
            JournalError: it cannot be read, or was written by another version.
        """
        self._opened = True
        with self._explained():
            about = dict(self._db.execute("SELECT name, value FROM about"))
            if not about:
                self.write(fresh.world, 0)
                return fresh
            if about.get("version") != VERSION:
                raise JournalError(f"{self.path} is of another version of raft_lab ({about.get('version')!r})")
            try:
                world = self._world(fresh)
            except (KeyError, TypeError, ValueError, json.JSONDecodeError) as error:
                raise JournalError(f"{self.path} is damaged: {error}") from None
        origin = f"cluster = …  # as it was kept in {self.path.parent}"
        schedule = fresh.schedule
        return Cluster.at(world, seed=schedule.seed, timing=schedule.timing, origin=origin, now_us=about["now_us"])

    def write(self, world: World, now_us: int, peers: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """Write what has changed since, and come back when it is on the disk.

        Raises:
            JournalError: it cannot be written, or holds another cluster. What was written before is still there; what
                was not, and all that comes later, may be told to nobody.
        """
        if not self._opened:
            self._refuse_another()
        changed = {
            name: disk
            for name, disk in _on_disk(world)
            if name not in self._written or not _is_same(disk, self._written[name])
        }
        moved = {name: urls for name, urls in (peers or {}).items() if urls != self.peers.get(name)}
        if not changed and not moved:
            return
        with self._explained(), self._transaction():
            places = list(world.servers)
            for name, disk in changed.items():
                if disk is None:
                    self._write_removed(name, places.index(name), world.servers[name])
                else:
                    self._write_server(name, places.index(name), disk)
            self._forget()
            self._db.executemany(
                "INSERT OR REPLACE INTO peers VALUES (?, ?)", [(name, json.dumps(urls)) for name, urls in moved.items()]
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO about VALUES (?, ?)", [("version", VERSION), ("now_us", now_us)]
            )
        self._refuse_lost()
        self._written.update(changed)
        self.peers.update(moved)

    # Inside

    def _refuse_another(self) -> None:
        """Write into what was kept only after it was opened: else two clusters would be mixed up."""
        with self._explained():
            kept = self._db.execute("SELECT COUNT(*) FROM about").fetchone()[0]
        if kept:
            raise JournalError(
                f"{self.path} holds a cluster already: take it with journal.open(fresh), or name another folder"
            )
        self._opened = True

    def _refuse_lost(self) -> None:
        """Is what was written still where somebody would look for it? The system writes on into deleted files."""
        for path, identity in self._files.items():
            if _identity(Path(path)) != identity:
                raise JournalError(f"{path} is gone, or another one: what was written is lost")

    def _write_removed(self, name: str, place: int, state: State) -> None:
        row = (name, place, state.current_term, state.voted_for, None)
        self._db.execute("INSERT OR REPLACE INTO servers VALUES (?, ?, ?, ?, ?)", row)
        self._db.execute("DELETE FROM logs WHERE server = ?", (name,))

    def _write_server(self, name: str, place: int, disk: Disk) -> None:
        known, log = self._written.get(name), disk.log
        base = log.snapshot.last_included_index
        same = base
        if known is not None:
            same = max(base, min(known.log.last_index, log.last_index))
            while same > base and not log.same_prefix(known.log, same):
                same -= 1
        if known is None or known.log.snapshot is not log.snapshot:
            text = json.dumps(encode(log.snapshot))
            self._db.execute("INSERT OR IGNORE INTO snapshots VALUES (?, ?)", (base, text))
        row = (name, place, disk.current_term, disk.voted_for, base)
        self._db.execute("INSERT OR REPLACE INTO servers VALUES (?, ?, ?, ?, ?)", row)
        self._db.execute("DELETE FROM logs WHERE server = ? AND (position > ? OR position <= ?)", (name, same, base))
        new = list(enumerate(log.after(same), start=same + 1))
        self._db.executemany("INSERT INTO logs VALUES (?, ?, ?)", [(name, at, entry.term) for at, entry in new])
        kept = [disk.log for disk in self._written.values() if disk is not None]
        held = {(at, entry.term) for log in kept for at, entry in _tail(log, same)}
        self._db.executemany(
            "INSERT OR IGNORE INTO entries VALUES (?, ?, ?)",
            [(at, entry.term, json.dumps(encode(entry))) for at, entry in new if (at, entry.term) not in held],
        )

    def _forget(self) -> None:
        """What no server's log holds any more."""
        self._db.execute("DELETE FROM entries WHERE position <= (SELECT MIN(snapshot) FROM servers)")
        self._db.execute(
            "DELETE FROM snapshots WHERE position NOT IN (SELECT snapshot FROM servers WHERE snapshot IS NOT NULL)"
        )

    def _world(self, fresh: Cluster) -> World:
        behaviour = fresh.world.behaviour
        states: dict[str, State] = {}
        snapshots = {
            position: decode(json.loads(text), Snapshot)
            for position, text in self._db.execute("SELECT position, value FROM snapshots")
        }
        entries = {
            (position, term): decode(json.loads(text), Entry)
            for position, term, text in self._db.execute("SELECT position, term, value FROM entries")
        }
        base = snapshots[max(snapshots)]
        servers = self._db.execute("SELECT name, term, vote, snapshot FROM servers ORDER BY place").fetchall()
        for name, term, vote, snapshot in servers:
            places = self._db.execute("SELECT position, term FROM logs WHERE server = ? ORDER BY position", (name,))
            log = Log(base if snapshot is None else snapshots[snapshot], (entries[place] for place in places))
            states[name] = behaviour.initial(name, log, term, vote)
        removed = {name for name, _, _, snapshot in servers if snapshot is None}
        latest = max(states.values(), key=lambda state: (state.log.last_term, state.log.last_index))
        votes = {(name, s.current_term): s.voted_for for name, s in states.items() if s.voted_for is not None}
        gone = frozenset(name for name in states if name not in latest.configuration.members)
        ghosts = Ghosts(Log(base), votes=FrozenMap(votes))
        self._written = {
            name: None if name in removed else Disk(s.current_term, s.voted_for, s.log) for name, s in states.items()
        }
        self.peers = {
            name: tuple(json.loads(urls)) for name, urls in self._db.execute("SELECT server, urls FROM peers")
        }
        return World(FrozenMap(states), ghosts, crashed=gone, behaviour=behaviour)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite has done so by itself
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            why = "another process has it open" if "locked" in str(error) else str(error)
            raise JournalError(f"{self.path}: {why}") from None


def _on_disk(world: World) -> Iterator[tuple[str, Disk | None]]:
    """What each server must find again; None for one that was removed and has stopped."""
    members = world.ghosts.committed.configuration.members
    for name, state in world.servers.items():
        gone = name in world.crashed and name not in members
        yield name, None if gone else state.disk or Disk(state.current_term, state.voted_for, state.log)


def _is_same(one: Disk | None, other: Disk | None) -> bool:
    """Without looking into logs: those of a server that has done nothing are one."""
    if one is None or other is None:
        return one is other
    return one.log is other.log and one == other


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _tail(log: Log, index: int) -> Any:
    start = max(index, log.snapshot.last_included_index)
    return enumerate(log.after(start), start=start + 1)
