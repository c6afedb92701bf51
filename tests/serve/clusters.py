"""Three members of a real etcd, and three servers of ours, for the same commands of the same etcdctl."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from kv.real_etcd import Member, local_url
from raft_lab import Cluster, Timing, serve
from raft_lab.kv.server import KVServer

INSTALL = "sudo apt-get install etcd-client"
FAST = Timing(latency_us=(200, 500), heartbeat_us=20_000)
LONG = 60


def etcdctl():
    """Where etcdctl is; without it the test is skipped, or fails where everything must be there."""
    found = shutil.which("etcdctl")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"etcdctl is not installed: {INSTALL}")
        pytest.skip(f"needs etcdctl 3.4 or newer: {INSTALL}")
    return found


class Shell:
    """A terminal in which etcdctl is typed."""

    endpoints: list[str]

    def start(self, *words, endpoints=None, **options):
        where = ",".join(self.endpoints if endpoints is None else endpoints)
        return subprocess.Popen(
            [etcdctl(), f"--endpoints={where}", "--command-timeout=30s", *words],
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ETCDCTL_API": "3"},
            **options,
        )

    def ctl(self, *words, typed=None, endpoints=None, wait=LONG):
        """What etcdctl prints, and what it says went wrong."""
        process = self.start(*words, endpoints=endpoints, stdin=subprocess.PIPE)
        try:
            out, told = process.communicate(typed, timeout=wait)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        wrong = [line for line in told.splitlines() if not line.startswith("{") and "DEPRECATED" not in line]
        return out + "".join(f"! {line}\n" for line in wrong if "retry_interceptor" not in line)

    def members(self):
        """Name to id, as etcdctl knows them."""
        told = self.ctl("member", "list", endpoints=self.endpoints[:3])  # those that began it: no learner is asked
        lines = [line.split(", ") for line in told.splitlines()]
        return {name: number for number, _, name, *_ in lines}

    def revision(self):
        """The latest one."""
        return json.loads(self.ctl("get", "x", "-w", "json"))["header"]["revision"]

    def leader(self):
        """The endpoint that leads, and its id."""
        rows = json.loads(self.ctl("endpoint", "status", "-w", "json"))
        for row in rows:
            if row["Status"]["leader"] == row["Status"]["header"]["member_id"]:
                return row["Endpoint"], f"{row['Status']['leader']:x}"
        raise AssertionError(f"nobody leads: {rows}")


class RealCluster(Shell):
    """Three processes of etcd."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.processes = {}
        self.peers = {f"S{n}": local_url() for n in (1, 2, 3)}
        self.endpoints = []

    def __enter__(self):
        for name in list(self.peers):
            self.start_member(name, "new")
        deadline = time.monotonic() + LONG
        while self.ctl("endpoint", "health").count("is healthy") < 3:
            assert time.monotonic() < deadline, "etcd does not start"
        return self

    def start_member(self, name, state="existing", peer=None):
        if peer is not None:
            self.peers[name] = peer
        client, initial = local_url(), ",".join(f"{one}={url}" for one, url in self.peers.items())
        self.endpoints.append(client.removeprefix("http://"))
        self.processes[name] = Member(
            self.directory, name, client, self.peers[name], initial, "--initial-cluster-state", state
        )

    def joined(self, name, peer):
        """Start the process of a member that was added; wait until it serves."""
        self.start_member(name, peer=peer)
        self._until_started(name)

    def _until_started(self, name):
        deadline = time.monotonic() + LONG
        while name not in self.members() or "! " in self.ctl(
            "get", "x", "--consistency=s", endpoints=self.endpoints[-1:]
        ):
            assert time.monotonic() < deadline, f"{name} does not start"
            time.sleep(0.1)

    def left(self, name):
        self.processes.pop(name).end()
        place = list(self.peers).index(name)
        del self.endpoints[place], self.peers[name]

    def __exit__(self, *_):
        for member in self.processes.values():
            member.end()


class OurCluster(Shell):
    """A cluster of ours, served."""

    def __init__(self, cluster=None, **options):
        self.cluster = cluster or Cluster(3, server=KVServer, seed=11, timing=FAST)
        self._serving = serve.etcd(self.cluster, **options)

    @property
    def endpoints(self):
        return list(self.served)

    def __enter__(self):
        self.served = self._serving.__enter__()
        return self

    def __exit__(self, *stopped):
        self._serving.__exit__(*stopped)
        assert self.cluster.violations == []

    def joined(self, name, _):
        deadline = time.monotonic() + LONG
        while name not in self.members():
            assert time.monotonic() < deadline, f"{name} does not start"
            time.sleep(0.05)

    def left(self, name):
        deadline = time.monotonic() + LONG
        while name in self.served.by_server:
            assert time.monotonic() < deadline, f"{name} does not stop"
            time.sleep(0.05)


# --- What differs between any two clusters ---------------------------------------------------------------------------

_NUMBERS = (
    *(
        "cluster_id",
        "member_id",
        "memberID",
        "ID",
        "leader",
        "raft_term",
        "raftTerm",
        "raftIndex",
        "raftAppliedIndex",
        "id",
    ),
    *("dbSize", "dbSizeInUse", "lease", "TTL", "ttl", "granted-ttl", "hash"),
)
_MASKS = (
    (rf'"({"|".join(_NUMBERS)})":-?\d+', r'"\1":N'),
    (r'"(ClusterID|MemberID|RaftTerm|ID|Lease|TTL|GrantedTTL|Leader|RaftIndex|DBSize)" : \d+', r'"\1" : N'),
    (r'"version":"3[^"]*"', '"version":"V"'),
    (r"3\.4\.23\+raft-lab|3\.4\.\d+", "V"),
    (r"http://S\d:2380|http://127\.0\.0\.1:\d+", "URL"),
    (r"127\.0\.0\.1:\d+", "EP"),
    (r"  +(?=[0-9a-f]{12,15}\b)", " "),  # an id that is short is filled up
    (r"\b[0-9a-f]{12,16}\b", "ID"),
    (r"remaining\(\d+s\)", "remaining(Ns)"),
    (r"\d+(\.\d+)?(ns|µs|ms|s)\b", "TIME"),
    (r"\d+(\.\d+)? (B|kB|MB)\b", "SIZE"),
    (r"(DB SIZE|ID|VERSION|ENDPOINT|RAFT TERM|RAFT INDEX|RAFT APPLIED INDEX|TOTAL SIZE|HASH) +\|", r"\1 |"),
    (r"[+-]{5,}", "-----"),
    (r" +\|", " |"),
    (r"\| +", "| "),
    (r"\b(false|true)(, | \| )(false|true)\2\d+\2\d+\2\d+", r"\1\2\3\2N\2N\2N"),
)


def masked(text):
    """The same text for the same situation in any cluster."""
    for pattern, instead in _MASKS:
        text = re.sub(pattern, instead, text)
    return re.sub(r'(?<=ETCD_INITIAL_CLUSTER=")[^"]*', lambda found: ",".join(sorted(found[0].split(","))), text)


class Lines(list):
    """What was printed; and who prints it."""


@contextlib.contextmanager
def output_of(process):
    """The lines that a process prints, as they come, in a list that grows; and the process is ended at the end."""
    lines = Lines()
    lines.process = process

    def read():
        lines.extend(line.rstrip("\n") for line in process.stdout)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        process.terminate()
        process.wait(timeout=LONG)
        reader.join(timeout=LONG)
        process.stdout.close()
        process.stderr.close()
        if process.stdin:
            process.stdin.close()


def wait_until(so, what="it"):
    """Until something is so; how long that takes says nothing."""
    deadline = time.monotonic() + LONG
    while not so():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)
