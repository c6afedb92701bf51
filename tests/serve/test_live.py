"""A cluster on wall-clock time, with programs and watches of other threads. Nothing here depends on how fast it is."""

import asyncio
import socket
import threading

import pytest

from raft_lab import ActionRefused, Cluster, RaftLabError, Timing, check_linearizable, serve
from raft_lab.kv.clients import Pause
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.model import etcd
from raft_lab.kv.requests import LeaseRevoke, Put, Range, WatchCreate
from raft_lab.kv.server import KVServer
from raft_lab.serve.live import Live, Stopped, living
from raft_lab.view.lab import Lab
from serve.clusters import wait_until

FAST = Timing(latency_us=(200, 500))
PATIENT = 60


def three(**options):
    return Cluster(3, server=KVServer, seed=5, timing=FAST, **options)


def put(key, value):
    return (yield Put(key, value))


def get(key, **more):
    response = yield Range(key, **more)
    return [kv.value for kv in response.kvs]


def test_a_program_runs_to_its_end_by_way_of_any_member():
    with Live(three()) as live:
        for member in (None, "S1", "S2", "S3"):
            assert live.run(put("x", str(member)), PATIENT, member=member).revision > 1
            assert live.run(get("x"), PATIENT, member=member) == [str(member).encode()]
            # its own member has applied what it was told is done
            assert live.run(get("x", serializable=True), PATIENT, member=member or live.cluster.leader) == [
                str(member).encode()
            ]
        with pytest.raises(EtcdError, match="requested lease not found"):
            live.run((request for request in [LeaseRevoke(7)]), PATIENT)
    assert live.cluster.violations == []


def test_a_read_that_nobody_answers_waits_at_the_stale_leader_only_once():
    with Live(three(), speed=20) as live:
        live.run(put("x", "1"), PATIENT)
        with live.cluster.lock:
            stale = live.cluster.leader
            live.cluster.partition({stale})
        with pytest.raises(EtcdError, match="request timed out"):
            live.run(get("x"), PATIENT, member=stale)
        with live.cluster.lock:
            assert len(live.cluster.world.servers[stale].role.reads) == 1
            live.cluster.heal()
        assert live.run(get("x"), PATIENT, member=stale) == [b"1"]


def test_a_watch_sees_every_revision_once_though_its_member_crashes():
    told = []
    enough = threading.Event()

    def tell(responses):
        told.extend(event.kv.mod_revision for response in responses for event in response.events)
        if len(told) >= 60:
            enough.set()

    with Live(three()) as live:
        watching = live.watch(WatchCreate("k", start_revision=1), tell, member="S2")
        for number in range(60):
            if number == 20:
                live.cluster.crash("S2")
            if number == 40:
                live.cluster.restart("S2")
            live.run(put("k", str(number)), PATIENT)
        assert enough.wait(PATIENT)
        watching.cancel()
    assert told == list(range(2, 62))


def test_many_threads_at_once_while_leaders_crash_are_linearizable():
    cluster = three()
    with Live(cluster, keep=10**6) as live:

        def client(number):
            for turn in range(25):
                program = put("x", f"{number}-{turn}") if turn % 2 else get("x")
                live.run(program, PATIENT, member=f"S{number % 3 + 1}" if number > 2 else None)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            with cluster.lock:
                leader = cluster.leader
                if leader is not None:
                    cluster.crash(leader)
            live.run((wish for wish in [Pause(400_000)]), PATIENT)
            if leader is not None:
                cluster.restart(leader)
        for thread in threads:
            thread.join(PATIENT)
            assert not thread.is_alive()
        history = live.clients.history()
    assert len(history.operations) >= 125
    assert check_linearizable(history, etcd()).linearizable
    assert cluster.violations == []


def test_paused_nothing_happens_and_then_it_goes_on():
    cluster = three()
    with Live(cluster) as live:
        live.run(put("x", "1"), PATIENT)
        live.pause()
        waiting = live.submit(put("x", "2"))
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        before = cluster.schedule.now_us
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        assert cluster.schedule.now_us == before
        live.resume()
        assert waiting.result(PATIENT).revision == 3


def test_paused_a_person_steps_by_hand_and_the_client_gets_its_answer():
    cluster = three()
    with Live(cluster) as live:
        live.run(put("x", "1"), PATIENT)
        live.pause()
        waiting = live.submit(put("x", "2"))
        for _ in range(200):
            if waiting.done():
                break
            cluster.step()
            threading.Event().wait(0.01)
        assert waiting.result(PATIENT).revision == 3


def test_a_member_that_is_cut_off_answers_only_what_may_be_stale():
    cluster = three()
    with Live(cluster, speed=20) as live:
        live.run(put("x", "1"), PATIENT)
        (other,) = [name for name in cluster.servers if name != cluster.leader][:1]
        live.run(put("x", "2"), PATIENT, member=other)
        cluster.partition({other})
        assert live.run(get("x", serializable=True), PATIENT, member=other) == [b"2"]
        with pytest.raises(EtcdError, match="request timed out"):
            live.run(get("x"), PATIENT, member=other)
        with pytest.raises(EtcdError, match="no leader"):
            live.run(put("x", "3"), PATIENT, member=other)
        cluster.heal()
        assert live.run(get("x"), PATIENT, member=other) == [b"2"]


def test_time_does_not_jump_when_nobody_lets_the_thread_run():
    cluster = three()
    with Live(cluster) as live:
        live.run(put("x", "1"), PATIENT)
        term = cluster[cluster.leader].current_term
        with cluster.lock:
            before = cluster.schedule.now_us
            threading.Event().wait(1.5)  # ten election timeouts
            assert cluster.schedule.now_us == before
        live.run(put("x", "2"), PATIENT)
        assert cluster.schedule.now_us - before < 1_000_000
        assert cluster[cluster.leader].current_term == term


def test_the_tape_is_a_ring_and_logs_stay_short():
    cluster = three()
    lab = Lab(cluster)
    sent = []
    lab.send = sent.append
    with Live(cluster, keep=512, compact_above=50) as live:
        for number in range(300):
            live.run(put("x", str(number)), PATIENT)
        with pytest.raises(ActionRefused, match="how this run began was let go"):
            live.clients.history()
    lab.close()
    assert cluster.tape.first > 0
    assert len(cluster.history) <= 512 + 256 + 200
    assert all(len(state.log) <= 200 for state in cluster.world.servers.values())
    assert len(live.clients.asked) < 300
    steps = [message for message in sent if message["type"] == "steps"]
    assert sum(len(message["steps"]) for message in steps) <= len(cluster.tape)
    assert len(steps) < 300
    assert steps[-1]["first"] == cluster.tape.first
    assert cluster.violations == []


def test_the_lab_pauses_and_slows_everybody():
    cluster = three()
    lab = Lab(cluster)
    sent = []
    lab.send = sent.append
    with Live(cluster) as live:
        live.run(put("x", "1"), PATIENT)
        lab._receive(None, {"do": "live", "paused": True, "n": 1}, [])
        assert live.paused
        assert sent[-1]["live"] == {"paused": True, "speed": 1.0}
        lab._receive(None, {"do": "live", "speed": 0.5, "n": 2}, [])
        assert live.speed == 0.5
        lab._receive(None, {"do": "goto", "step": 3, "n": 3}, [])  # a look at the past
        assert cluster.now.id > 3
        lab._receive(None, {"do": "act", "at": 3, "verb": "crash", "args": ["S3"], "n": 4}, [])
        assert cluster.world.crashed == {"S3"}
        lab._receive(None, {"do": "live", "paused": False, "n": 5}, [])
        assert not live.paused
    lab._receive(None, {"do": "live", "paused": True, "n": 6}, [])
    assert sent[-1]["type"] == "refused"
    lab.close()


def test_several_share_one_cluster_and_the_last_one_stops_it():
    cluster = three()
    with living(cluster) as live:
        with living(cluster) as same, living(live) as known:
            assert live is same is known
        with pytest.raises(RaftLabError, match="lives already"):
            Live(cluster).start()
        live.run(put("x", "1"), PATIENT)
    assert cluster.driver is None
    assert not [thread for thread in threading.enumerate() if thread.name == "raft-lab-live"]
    with pytest.raises(Stopped):
        live.run(put("x", "2"))


def test_who_waits_when_it_stops_is_told():
    live = Live(three()).start()
    live.pause()
    waiting = live.submit(put("x", "1"))
    live.close()
    with pytest.raises(Stopped):
        waiting.result(PATIENT)


def test_other_loops_wait_without_a_thread():
    with Live(three()) as live:

        async def ask():
            return await asyncio.gather(*(asyncio.wrap_future(live.submit(put("x", str(n)))) for n in range(20)))

        assert sorted(response.revision for response in asyncio.run(ask())) == list(range(2, 22))


def test_a_handler_that_fails_pauses_the_cluster_and_says_why():
    class Broken(KVServer):
        def on_append_entries_reply(self, m):
            raise KeyError("oh")

    cluster = Cluster(3, server=Broken, seed=5, timing=FAST)
    lab = Lab(cluster)
    sent, told = [], threading.Event()

    def send(message):
        sent.append(message)
        if message["type"] == "refused":
            told.set()

    lab.send = send
    with Live(cluster) as live:
        with pytest.raises(RaftLabError, match="Broken failed"):
            live.run(put("x", "1"), PATIENT)
        assert live.paused
        assert "Broken failed" in str(live.trouble)
        with pytest.raises(RaftLabError, match="Broken failed"):
            live.run(put("x", "1"), PATIENT)  # and so it is for all who come later
        assert told.wait(PATIENT)
        (said,) = [message["text"] for message in sent if message["type"] == "refused"]
        assert said.startswith("The cluster was paused, since it cannot go on: ")
        assert "Broken failed" in said
        cluster.swap(KVServer)
        live.resume()
        assert live.run(put("x", "1"), PATIENT).revision > 1
    lab.close()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Live(Cluster(3)), TypeError),
        (lambda: Live("cluster"), TypeError),
        (lambda: Live(three(), speed=0), ValueError),
        (lambda: Live(three(), speed=True), ValueError),
    ],
)
def test_what_cannot_live_is_refused(make, error):
    with pytest.raises(error):
        make()


def test_who_was_removed_gets_no_endpoint_again_when_only_those_are_left_who_never_heard_of_it():
    cluster = Cluster(4, server=KVServer, seed=5, timing=FAST)
    cluster.run_until(leader=True)
    late, gone = [name for name in cluster.servers if name != cluster.leader][:2]
    cluster.crash(late)
    cluster.reconfigure(remove={gone})
    cluster.run(500)
    cluster.crash(gone)
    with serve.etcd(cluster) as endpoints:
        assert gone not in endpoints.by_server
        for name in set(cluster.servers) - {late, gone}:
            cluster.crash(name)
        cluster.restart(late)
        wait_until(lambda: opens(endpoints.by_server[late]), "the endpoint of the one that is back")
        assert gone not in endpoints.by_server


def opens(endpoint):
    try:
        socket.create_connection(endpoint.split(":"), timeout=PATIENT).close()
    except ConnectionRefusedError:
        return False
    return True
