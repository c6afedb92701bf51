"""`raft-lab serve etcd --data-dir`: what a client was told is done is there, whenever the process was killed."""

import contextlib
import sqlite3
import subprocess
import sys
import threading

import grpc
import pytest

from raft_lab import Cluster
from raft_lab.kv.server import KVServer
from raft_lab.serve.journal import FILE, Journal, JournalError
from serve.clusters import LONG, wait_until
from serve.served import MAIN, Served


def test_nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(tmp_path):
    """Three times, in the middle of writing; a key gets the next number only after the one before is acknowledged."""
    acknowledged = dict.fromkeys((b"k0", b"k1", b"k2"), 0)
    revision = 0
    for _ in range(3):
        with Served(tmp_path) as served:
            told = served.ask("KV/Range", key=b"k", range_end=b"l")
            assert told.header.revision >= revision
            found = {kv.key: int(kv.value) for kv in told.kvs}
            for key, number in acknowledged.items():
                assert found.get(key, 0) in (number, number + 1)  # what was under way may have happened
                acknowledged[key] = found.get(key, 0)
            revision = told.header.revision
            before = sum(acknowledged.values())

            def write(place, served=served):
                key = b"k%d" % place
                try:
                    while True:
                        served.ask("KV/Put", place, key=key, value=b"%d" % (acknowledged[key] + 1))
                        acknowledged[key] += 1
                except (grpc.RpcError, ValueError):
                    pass

            writers = [threading.Thread(target=write, args=(place,)) for place in range(3)]
            for writer in writers:
                writer.start()
            wait_until(lambda before=before: sum(acknowledged.values()) >= before + 60, "writing")
            served.process.kill()
            for writer in writers:
                writer.join(LONG)


def test_members_leases_and_compaction_are_kept_too(tmp_path):
    with Served(tmp_path) as served:
        for number in range(5):
            served.ask("KV/Put", key=b"x", value=b"%d" % number)
        served.ask("KV/Compact", revision=4)
        lease = served.ask("Lease/LeaseGrant", TTL=1000).ID
        served.ask("KV/Put", key=b"leased", lease=lease)
        added = served.ask("Cluster/MemberAdd", peerURLs=["http://127.0.0.1:1"]).member
        served.ask("Cluster/MemberUpdate", ID=added.ID, peerURLs=["http://127.0.0.1:2", "http://127.0.0.1:3"])
        members = {member.ID: tuple(member.peerURLs) for member in served.ask("Cluster/MemberList").members}
        assert members[added.ID] == ("http://127.0.0.1:2", "http://127.0.0.1:3")
        before = served.ask("Maintenance/HashKV")
        served.process.kill()
    with Served(tmp_path) as served:
        found = served.ask("Cluster/MemberList").members
        assert {member.ID: tuple(member.peerURLs) for member in found} == members
        assert len(served.endpoints) == 4
        assert [kv.value for kv in served.ask("KV/Range", key=b"x").kvs] == [b"4"]
        with pytest.raises(grpc.RpcError, match="has been compacted"):
            served.ask("KV/Range", key=b"x", revision=3)
        left = served.ask("Lease/LeaseTimeToLive", ID=lease, keys=True)
        assert left.TTL > 0
        assert left.keys == [b"leased"]
        after = served.ask("Maintenance/HashKV")
        assert (after.hash, after.compact_revision) == (before.hash, before.compact_revision)


def test_members_that_were_removed_stay_so_and_no_other_one_gets_their_names(tmp_path):
    with Served(tmp_path) as served:
        first = served.ask("Maintenance/Status").header.member_id  # the one that is asked stays
        one = next(member for member in served.ask("Cluster/MemberList").members if first != member.ID)
        added = served.ask("Cluster/MemberAdd", peerURLs=["http://127.0.0.1:1"]).member
        for gone in (added, one):
            served.ask("Cluster/MemberRemove", ID=gone.ID)
        served.process.kill()
    with Served(tmp_path) as served:
        assert len(served.endpoints) == len(served.ask("Cluster/MemberList").members) == 2
        again = served.ask("Cluster/MemberAdd", peerURLs=["http://127.0.0.1:1"]).member
        assert again.ID not in (added.ID, one.ID)
        members = {member.ID for member in served.ask("Cluster/MemberList").members}
        assert first in members
        assert again.ID in members
        assert not members & {added.ID, one.ID}
        with pytest.raises(grpc.RpcError, match="member not found"):
            served.ask("Cluster/MemberRemove", ID=added.ID)


def test_what_only_a_removed_server_held_goes_from_the_file(tmp_path):
    cluster = Cluster(4, server=KVServer, seed=2)
    with Journal(tmp_path) as journal:
        journal.open(cluster)
        cluster.run_until(leader=True)
        gone = next(name for name in cluster.servers if name != cluster.leader)
        cluster.propose("put x 1")
        cluster.run(100)
        journal.write(cluster.world, cluster.schedule.now_us)
        cluster.reconfigure(remove={gone})
        cluster.run(500)
        cluster.crash(gone)
        for number in range(20):
            cluster.propose(f"put x {number}")
            cluster.run(50)
        for server in set(cluster.servers) - {gone}:
            cluster.compact(server)
        journal.write(cluster.world, cluster.schedule.now_us)
        compacted = min(cluster[server].log.snapshot.last_included_index for server in set(cluster.servers) - {gone})
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as file:
        assert file.execute("SELECT COUNT(*) FROM entries WHERE position <= ?", (compacted,)).fetchone() == (0,)
        assert file.execute("SELECT COUNT(*) FROM logs WHERE server = ?", (gone,)).fetchone() == (0,)
    with Journal(tmp_path) as journal:
        kept = journal.open(Cluster(3, server=KVServer, seed=2))
    assert kept.servers == cluster.servers
    assert kept.world.crashed == {gone}
    kept.run_until(leader=True)
    kept.propose("put y 1")
    kept.run(500)
    assert kept.violations == []


def test_a_folder_that_holds_a_cluster_is_not_written_over_by_another_one(tmp_path):
    kept = Cluster(3, server=KVServer, seed=2)
    with Journal(tmp_path) as journal:
        journal.write(kept.world, 0)
    with Journal(tmp_path) as journal, pytest.raises(JournalError, match=r"holds a cluster already.*journal\.open"):
        journal.write(Cluster(3, server=KVServer, seed=3).world, 0)


def test_a_journal_holds_logs_that_were_cut_and_snapshots(tmp_path):
    cluster = Cluster(3, server=KVServer, seed=2)
    with Journal(tmp_path) as journal:
        assert journal.open(cluster) is cluster
        for number in range(8):
            cluster.run_until(leader=True)
            old = cluster.leader
            cluster.propose(f"put x {number}")
            cluster.run(40)
            journal.write(cluster.world, cluster.schedule.now_us)
            if number % 3 == 2:
                for server in cluster.servers:
                    if cluster[server].last_applied > cluster[server].log.snapshot.last_included_index:
                        cluster.compact(server)
            cluster.partition({old})
            cluster.propose("put lost 1", old)
            journal.write(cluster.world, cluster.schedule.now_us)
            cluster.run_until(lambda cluster, old=old: cluster.leader not in (None, old))
            cluster.heal()
            cluster.run(200)
            journal.write(cluster.world, cluster.schedule.now_us)
    with Journal(tmp_path) as journal:
        kept = journal.open(Cluster(3, server=KVServer, seed=2))
    for name in cluster.servers:
        mine, theirs = cluster[name], kept[name]
        assert (theirs.current_term, theirs.voted_for, theirs.log) == (mine.current_term, mine.voted_for, mine.log)
    kept.run_until(leader=True)
    kept.propose("put y 1")
    kept.run(500)
    assert kept.violations == []
    assert kept.schedule.now_us > cluster.schedule.now_us


def test_one_process_has_it(tmp_path):
    with Journal(tmp_path), pytest.raises(JournalError, match="another process has it open"):
        Journal(tmp_path)


def test_what_is_no_journal_is_refused_in_a_sentence(tmp_path):
    (tmp_path / FILE).write_text("nonsense" * 1000)
    with pytest.raises(JournalError, match="not a database"):
        Journal(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "serve", "etcd", "--port", "0", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("raft-lab: ")
    assert "Traceback" not in done.stderr
