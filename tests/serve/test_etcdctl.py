"""The unmodified etcdctl says the same of our cluster and of a real etcd, but for ids, sizes and times.

Each test is a few commands; they go on from where the one before has ended, on both clusters.
"""

import signal
import subprocess

import pytest

from kv.real_etcd import RealEtcd, free_port
from serve.clusters import OurCluster, RealCluster, Shell, masked, output_of, wait_until

pytestmark = pytest.mark.xdist_group("etcdctl")


class Both:
    """A real etcd and ours, asked the same."""

    def __init__(self, real, ours):
        self.real, self.ours = real, ours

    def same(self, *words, ordered=True, **options):
        """Type a command at both; answers with what both print."""
        told = []
        for cluster in (self.real, self.ours):
            typed = [word(cluster) if callable(word) else word for word in words]
            more = {name: value(cluster) if callable(value) else value for name, value in options.items()}
            text = masked(cluster.ctl(*typed, **more))
            told.append(text if ordered else "\n".join(sorted(text.splitlines())))
        assert told[1] == told[0], f"etcdctl {' '.join(map(str, words))}"
        return told[0]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with RealCluster(tmp_path_factory.mktemp("etcd")) as real, OurCluster() as ours:
        yield Both(real, ours)


def table(text):
    """Commands, one a line; words are separated by spaces, and '' is an empty one."""
    return [["" if word == "''" else word for word in line.split()] for line in text.strip().splitlines()]


KEYS = """
put a 1
put a 2 --prev-kv
put b two
put b --ignore-value
put missing --ignore-value
put c 3 -w json
put c 3 -w fields
put d 4
put '' x
put a/1 one
put a/2 two
put a/3 three
get a
get nothing
get a -w json
get a -w fields
get a --hex
get a --print-value-only
get a --prefix
get a --prefix --keys-only
get a --prefix --limit=2
get a --prefix --limit=2 -w json
get a --prefix --sort-by=MODIFY --order=DESCEND
get a --prefix --sort-by=CREATE --order=ASCEND
get a --prefix --sort-by=VALUE
get a --prefix --sort-by=VERSION --order=DESCEND
get a --prefix --sort-by=KEY --order=DESCEND
get a --prefix --sort-by=wrong
get a c
get b --from-key
get '' --prefix
get '' --from-key --keys-only
get a --rev=2
get a --rev=3 -w json
get a --rev=99
get a --consistency=s
get a --consistency=l
get a --consistency=x
get
endpoint hashkv
endpoint hashkv --rev=4
del nothing
del a/1
del a/2 --prev-kv
del a/ --prefix
del b c
del c --from-key -w json
del ''
endpoint hashkv
"""


@pytest.mark.parametrize("words", table(KEYS), ids=" ".join)
def test_keys(both, words):
    both.same(*words)


TXN = """\
value("a") = "2"
version("a") > "0"

put t yes
get a

put t no

"""
TXNS = [
    TXN,
    'mod("a") > "2"\n\nput t 1\nput u 2\n\n\n',
    'create("nothing") = "0"\n\nput t "two words"\ndel u\nget t\n\n\n',
    'val("a") = "wrong"\n\n\nget a\ndel nothing\n\n',
    'version("a") = "99"\n\nput t 1\n\nput t 2\n\n',
    "\nput t 1\nput t 2\n\n\n",
]


@pytest.mark.parametrize("typed", TXNS, ids=range(len(TXNS)))
@pytest.mark.parametrize("more", [[], ["-w", "json"]], ids=["simple", "json"])
def test_transactions(both, typed, more):
    both.same("txn", *more, typed=typed)


def test_a_transaction_is_typed_in_at_a_prompt(both):
    assert "SUCCESS" in both.same("txn", "-i", typed=TXN)


ECHO = "echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_REVISION"
WATCHES = [
    (["watch", "w"], [("put w 1", 3), ("put other 1", 3), ("put w 2", 6), ("del w", 9)]),
    (["watch", "w", "--prefix", "--prev-kv"], [("put w/a 1", 3), ("put w/a 2", 8), ("del w/a", 13)]),
    (["watch", "w/a", "w/c"], [("put w/a 1", 3), ("put w/b 1", 6), ("put w/c 1", 6), ("del w/b", 9)]),
    (["watch", "w", "-w", "json"], [("put w 1", 1), ("del w", 2)]),
    (["watch", "w", "-w", "fields"], [("put w 1", 11), ("del w", 22)]),
    (["watch", "w", "--", "sh", "-c", ECHO], [("put w 1", 4)]),
]


@pytest.mark.parametrize(("watch", "then"), WATCHES, ids=[" ".join(watch) for watch, _ in WATCHES])
def test_watches(both, watch, then):
    """From the next revision on: so it does not matter when the watch begins."""
    told = []
    for cluster in (both.real, both.ours):
        words = [watch[0], f"--rev={cluster.revision() + 1}", *watch[1:]]
        with output_of(cluster.start(*words)) as lines:
            for command, count in then:
                cluster.ctl(*command.split())
                wait_until(lambda lines=lines, count=count: len(lines) >= count, f"{command}: {lines}")
            told.append(masked("\n".join(lines)))
    assert told[1] == told[0]


def test_a_watch_of_the_past_and_several_in_one_stream(both):
    told = []
    for cluster in (both.real, both.ours):
        with output_of(cluster.start("watch", "--rev=2", "a")) as lines:
            wait_until(lambda lines=lines: len(lines) >= 6, f"the past: {lines}")
            told.append(list(lines))
        now = cluster.revision() + 1
        with output_of(cluster.start("watch", "-i", stdin=subprocess.PIPE)) as lines:
            process = lines.process
            for line in (f"watch --rev={now} x", f"watch --rev={now} y"):
                process.stdin.write(f"{line}\n")
                process.stdin.flush()
            for key in "xyx":
                count = len(lines)
                cluster.ctl("put", key, "1")
                wait_until(lambda lines=lines, count=count: len(lines) >= count + 3, f"{key}: {lines}")
            told.append([line for line in lines if line])
    assert told[2:] == told[:2]


def test_a_watch_of_what_is_compacted_away_ends(both):
    for cluster in (both.real, both.ours):
        cluster.ctl("compaction", "5")
    both.same("compaction", "5")
    both.same("compaction", "999")
    both.same("compact", "6")
    both.same("compaction", "7", "--physical")
    both.same("get", "a", "--rev=3")
    both.same("watch", "--rev=2", "a")
    both.same("endpoint", "hashkv")


LEASED = """\
lease grant 100
lease grant 1
lease grant 0
lease grant 99999999999
lease grant x
lease list
lease revoke 1234abcd
lease timetolive 1234abcd
lease keep-alive 1234abcd --once
lease keep-alive 1234abcd
put k v --lease=1234abcd
put k v --lease=x
"""


@pytest.mark.parametrize("words", table(LEASED), ids=" ".join)
def test_leases_that_are_there_or_not(both, words):
    if words == ["lease", "list"]:
        return  # of those granted before some are over by now, or not
    both.same(*words)


def test_a_lease_and_its_keys(both):
    leases = {}
    for cluster in (both.real, both.ours):
        leases[cluster] = cluster.ctl("lease", "grant", "500").split()[1]
    lease = leases.__getitem__
    both.same("put", "leased", "1", lambda c: f"--lease={lease(c)}")
    both.same("get", "leased", "-w", "json")
    both.same("lease", "timetolive", lease)
    both.same("lease", "timetolive", lease, "--keys")
    both.same("lease", "timetolive", lease, "--keys", "-w", "json")
    both.same("lease", "keep-alive", lease, "--once")
    both.same("put", "also", "2", lambda c: f"--lease={lease(c)}")
    both.same("put", "also", "3", "--ignore-lease")
    both.same("put", "leased", "4")
    both.same("lease", "timetolive", lease, "--keys")
    both.same("lease", "revoke", lease)
    both.same("lease", "revoke", lease)
    both.same("get", "also")
    both.same("get", "leased")


def test_a_lease_that_is_not_renewed_ends_and_one_that_is_renewed_does_not(both):
    for cluster in (both.real, both.ours):
        short, kept = (cluster.ctl("lease", "grant", "2").split()[1] for _ in range(2))
        with output_of(cluster.start("lease", "keep-alive", kept)) as lines:
            cluster.ctl("put", "short", "1", f"--lease={short}")
            cluster.ctl("put", "kept", "1", f"--lease={kept}")
            wait_until(lambda cluster=cluster: cluster.ctl("get", "short") == "", "the end of a lease")
            wait_until(lambda lines=lines: len(lines) > 3, "renewals")
            assert cluster.ctl("get", "kept") == "kept\n1\n"
            assert set(lines) == {f"lease {kept} keepalived with TTL(2)"}
        wait_until(lambda cluster=cluster: cluster.ctl("get", "kept") == "", "the end of the other")


MAINTENANCE = """\
endpoint health
endpoint status
endpoint status -w table
endpoint status --cluster
defrag
alarm list
alarm disarm
member list -w simple
user list
role list
auth disable
auth enable
user get root
user delete somebody
user passwd somebody --interactive=false
user grant-role somebody something
role get something
role delete something
role grant-permission something read key
move-leader 1234
move-leader x
member remove 1234
member promote 1234
member update 1234 --peer-urls=http://127.0.0.1:1
member add again --peer-urls=
member add again --peer-urls=nonsense
member add
"""


@pytest.mark.parametrize("words", table(MAINTENANCE), ids=" ".join)
def test_what_administrators_ask(both, words):
    typed = "secret\n" if "passwd" in words else None
    both.same(*words, typed=typed, ordered=words[0] not in ("endpoint", "member"))


def test_whoever_keeps_users_elsewhere_is_told_that_there_are_none(both):
    assert "whoever reaches the endpoint may do everything" in both.ours.ctl("role", "add", "something")


def test_leaders_hand_over(both):
    for cluster in (both.real, both.ours):
        where, leader = cluster.leader()
        other = next(number for number in cluster.members().values() if number != leader)
        told = cluster.ctl("move-leader", other, endpoints=[where])
        assert told == f"Leadership transferred from {leader} to {other}\n"
        assert cluster.leader()[1] == other
        assert "no leader endpoint given" in cluster.ctl("move-leader", leader, endpoints=[where])


def test_members_come_and_go(both):
    peer = {cluster: f"http://127.0.0.1:{free_port()}" for cluster in (both.real, both.ours)}
    url = peer.__getitem__
    again = ("member", "add", "again")
    wait_until(lambda: "unhealthy" not in both.real.ctl(*again, f"--peer-urls={peer_of(both.real)}"), "five seconds")
    assert "already exists" in both.same("member", "add", "again", lambda c: f"--peer-urls={peer_of(c)}")
    added = both.same("member", "add", "S4", "--learner", lambda c: f"--peer-urls={url(c)}")
    assert "added to cluster" in added
    for cluster in (both.real, both.ours):
        cluster.joined("S4", url(cluster))
    voters = {"endpoints": lambda c: c.endpoints[:3]}  # a learner refuses what etcdctl may happen to ask it
    both.same("member", "list", ordered=False, **voters)
    both.same("member", "add", "S5", "--learner", "--peer-urls=http://127.0.0.1:1", **voters)
    both.same("get", "a", endpoints=lambda c: c.endpoints[3:])
    both.same("get", "a", "--consistency=s", endpoints=lambda c: c.endpoints[3:])
    both.same("endpoint", "status", endpoints=lambda c: c.endpoints[3:])
    wait_until(lambda: promoted(both.real) and promoted(both.ours), "the promotion")
    both.same("member", "promote", lambda c: c.members()["S4"], **voters)
    both.same("member", "list", ordered=False, **voters)
    both.same("get", "a", endpoints=lambda c: c.endpoints[3:])
    for cluster in (both.real, both.ours):  # not the leader, or the two would differ in who leads then
        if cluster.leader()[1] == cluster.members()["S4"]:
            cluster.ctl("move-leader", cluster.members()["S1"], endpoints=[cluster.leader()[0]])
    both.same("member", "remove", lambda c: c.members()["S4"], **voters)
    for cluster in (both.real, both.ours):
        cluster.left("S4")
    both.same("member", "list", ordered=False)
    both.same("put", "a", "after")


def peer_of(cluster):
    return cluster.ctl("member", "list").splitlines()[0].split(", ")[3]


def promoted(cluster):
    members = cluster.ctl("member", "list", endpoints=cluster.endpoints[:3]).splitlines()
    if not any(line.endswith("true") for line in members):
        return True
    cluster.ctl("member", "promote", cluster.members()["S4"], endpoints=cluster.endpoints[:3])
    return False


def test_a_snapshot_is_a_database_from_which_a_real_etcd_starts(both, tmp_path):
    for cluster in (both.real, both.ours):
        cluster.ctl("put", "saved", "x" * 9000)
        name = type(cluster).__name__
        assert "Snapshot saved" in cluster.ctl(
            "snapshot", "save", str(tmp_path / name), endpoints=cluster.endpoints[:1]
        )
        _, revision, *_ = cluster.ctl("snapshot", "status", str(tmp_path / name)).split(", ")
        assert int(revision) == cluster.revision()
    both.ours.ctl("snapshot", "restore", str(tmp_path / "OurCluster"), "--data-dir", str(tmp_path / "default"))
    with RealEtcd(tmp_path) as restored:
        shell = Shell()
        shell.endpoints = [restored.endpoint]
        wait_until(lambda: "is healthy" in shell.ctl("endpoint", "health"), "a leader")
        told = [one.ctl("get", "", "--prefix", "-w", "fields") for one in (shell, both.ours)]
        assert told[0].split('"Key"')[1:] == told[1].split('"Key"')[1:], told[0]
        hashes = [
            one.ctl("endpoint", "hashkv", endpoints=one.endpoints[:1]).split(", ")[1] for one in (shell, both.ours)
        ]
        assert hashes[0] == hashes[1]


def test_locks_are_held_by_one_at_a_time(both):
    for cluster in (both.real, both.ours):
        with output_of(cluster.start("lock", "mutex")) as first:
            wait_until(lambda first=first: first, "the lock")
            with output_of(cluster.start("lock", "mutex")) as second:
                wait_until(
                    lambda cluster=cluster: cluster.ctl("get", "mutex/", "--prefix", "--keys-only").count("mutex") == 2
                )
                assert second == []
                first.process.send_signal(signal.SIGINT)
                wait_until(lambda second=second: second, "the second lock")
                assert masked(first[0]) == masked(second[0]) == "mutex/ID"
                second.process.send_signal(signal.SIGINT)
    both.same("lock", "mutex", "echo", "held")
    both.same("lock", "mutex", "--", "sh", "-c", "exit 3")
    both.same("get", "mutex/", "--prefix")


def test_elections_have_one_leader_at_a_time(both):
    for cluster in (both.real, both.ours):
        with (
            output_of(cluster.start("elect", "boss", "Ann")) as ann,
            output_of(cluster.start("elect", "-l", "boss")) as seen,
        ):
            wait_until(lambda ann=ann: len(ann) >= 2, "Ann")
            with output_of(cluster.start("elect", "boss", "Bob")) as bob:
                wait_until(
                    lambda cluster=cluster: cluster.ctl("get", "boss/", "--prefix", "--keys-only").count("boss") == 2
                )
                assert bob == []
                ann.process.send_signal(signal.SIGINT)
                wait_until(lambda bob=bob: len(bob) >= 2, "Bob")
                assert [masked(line) for line in (*ann[:2], *bob[:2])] == ["boss/ID", "Ann", "boss/ID", "Bob"]
                wait_until(lambda seen=seen: "Bob" in seen, f"the observer: {seen}")
                bob.process.send_signal(signal.SIGINT)


def test_performance_is_checked_without_an_error(both):
    """What it says of the numbers is the machine's business (tests/benchmarks/serve.py measures)."""
    told = both.ours.ctl("check", "perf", "--load=s", wait=150)
    assert "Writes too few" in told or "PASS: Throughput is" in told or "FAIL: Throughput too low" in told, told
    assert "error" not in told.lower()
