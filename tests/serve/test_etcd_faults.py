"""Clients of etcd's API under full load while servers crash, are cut off, come and go: never a wrong answer."""

import random
import threading

import grpc
import pytest

from raft_lab import Cluster, check_linearizable
from raft_lab.kv import wire
from raft_lab.kv.model import etcd
from raft_lab.kv.server import KVServer
from serve.clusters import FAST, LONG, OurCluster, wait_until


class Client:
    """A client of all endpoints, which goes to the next one when one does not answer."""

    def __init__(self, ours, place):
        self.ours, self.place, self.channels = ours, place, {}

    def ask(self, name, **fields):
        """The response, or the error."""
        endpoints = self.ours.endpoints
        endpoint = endpoints[self.place % len(endpoints)]
        if endpoint not in self.channels:
            self.channels[endpoint] = grpc.insecure_channel(endpoint, [("grpc.initial_reconnect_backoff_ms", 50)])
        message = wire.message_class(wire.METHOD[name].request)(**fields)
        try:
            return wire.callable_of(self.channels[endpoint], name)(message, timeout=3)
        except grpc.RpcError as error:
            self.place += 1
            return error

    def close(self):
        for channel in self.channels.values():
            channel.close()


class Watcher:
    """A watch that goes on at another endpoint when its own fails, as etcd's clients do."""

    def __init__(self, ours, place):
        self.ours, self.place, self.revisions, self.next = ours, place, [], 1
        self.ended = False
        self.call = None
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self):
        create = wire.message_class("WatchCreateRequest")
        while not self.ended:
            endpoints = self.ours.endpoints
            with grpc.insecure_channel(endpoints[self.place % len(endpoints)]) as channel:
                request = create(key=b"x", range_end=b"y", start_revision=self.next)
                wait = threading.Event()

                def requests(request=request, wait=wait):
                    yield wire.message_class("WatchRequest")(create_request=request)
                    wait.wait()

                try:
                    stream = wire.callable_of(channel, "Watch/Watch")
                    self.call = stream(requests(), metadata=(("hasleader", "true"),))
                    for response in self.call:
                        for event in response.events:
                            self.revisions.append(event.kv.mod_revision)
                            self.next = event.kv.mod_revision + 1
                except (grpc.RpcError, ValueError):
                    self.place += 1
                finally:
                    wait.set()
            threading.Event().wait(0.05)

    def close(self):
        self.ended = True
        if self.call is not None:
            self.call.cancel()
        self.thread.join(LONG)
        assert not self.thread.is_alive()


def crash_and_restart(ours, chance):
    server = ours.cluster.leader or chance.choice(ours.cluster.servers)
    ours.cluster.crash(server)
    yield
    ours.cluster.restart(server)


def cut_off(ours, chance):
    ours.cluster.partition({ours.cluster.leader or chance.choice(ours.cluster.servers)})
    yield
    ours.cluster.heal()


def come_and_go(ours, chance):
    client = Client(ours, chance.randrange(3))
    added = client.ask("Cluster/MemberAdd", peerURLs=[f"http://127.0.0.1:{chance.randrange(1, 60000)}"])
    yield
    if not isinstance(added, grpc.RpcError):
        client.ask("Cluster/MemberRemove", ID=added.member.ID)
    client.close()


def hand_over(ours, chance):
    leader = ours.cluster.leader
    others = [name for name in ours.cluster.servers if name != leader and name not in ours.cluster.world.crashed]
    if leader is not None and others:
        ours.cluster.transfer_leadership(chance.choice(others))
    yield


@pytest.mark.parametrize(
    "faults", [[crash_and_restart], [cut_off], [come_and_go, hand_over]], ids=lambda f: f[0].__name__
)
def test_every_history_is_linearizable_and_every_watcher_sees_every_revision_once(faults):
    chance = random.Random(7)
    cluster = Cluster(3, server=KVServer, seed=3, timing=FAST, rules=("check-quorum",))
    with OurCluster(cluster, keep=10**6) as ours:
        first = Client(ours, 0)
        wait_until(lambda: not isinstance(first.ask("KV/Put", key=b"x", value=b"0"), grpc.RpcError), "a leader")
        watchers = [Watcher(ours, place) for place in range(3)]
        ended = threading.Event()
        acknowledged = []

        def load(number):
            client, chance = Client(ours, number), random.Random(number)
            count = 0
            while not ended.is_set():
                count += 1
                value = b"%d-%d" % (number, count)
                if chance.random() < 0.4:
                    client.ask("KV/Range", key=b"x")
                elif not isinstance(response := client.ask("KV/Put", key=b"x", value=value), grpc.RpcError):
                    acknowledged.append((response.header.revision, value))
                ended.wait(0.01)
            client.close()

        clients = [threading.Thread(target=load, args=(number,)) for number in range(4)]
        for client in clients:
            client.start()
        for turn in range(3):
            for fault in faults:
                before = len(acknowledged)
                trouble = fault(ours, chance)
                with cluster.lock:
                    next(trouble)
                wait_until(
                    lambda before=before: len(acknowledged) >= before + 15, f"going on after {fault.__name__} {turn}"
                )
                with cluster.lock:
                    next(trouble, None)
        ended.set()
        for client in clients:
            client.join(LONG)
        answers = []
        wait_until(
            lambda: not isinstance(answers.append(first.ask("KV/Range", key=b"x")) or answers[-1], grpc.RpcError)
        )
        last = answers[-1]
        wait_until(lambda: all(watcher.next > last.header.revision for watcher in watchers), "all watchers")
        for watcher in watchers:
            watcher.close()
        first.close()
        history = ours.served.live.clients.history()
        store = max(cluster.world.servers.values(), key=lambda state: state.last_applied).machine.data
    written = [revision for revision in range(2, last.header.revision + 1) if store.events(revision)]
    for watcher in watchers:
        assert watcher.revisions == written
    for revision, value in acknowledged:
        assert [event.kv.value for event in store.events(revision)] == [value]
    assert check_linearizable(history, etcd()).linearizable


def test_an_update_of_a_member_that_no_quorum_heard_of_changes_nothing():
    with OurCluster() as ours:
        client = Client(ours, 0)
        wait_until(lambda: not isinstance(client.ask("KV/Put", key=b"x"), grpc.RpcError), "a leader")
        with ours.cluster.lock:
            leader = ours.cluster.leader
            ours.cluster.partition({leader})
        client.place = ours.cluster.servers.index(leader)
        before = client.ask("Cluster/MemberList").members
        refused = client.ask("Cluster/MemberUpdate", ID=before[0].ID, peerURLs=["http://elsewhere:2380"])
        assert isinstance(refused, grpc.RpcError)
        ours.cluster.heal()
        done = []
        wait_until(lambda: not isinstance(done.append(client.ask("KV/Put", key=b"x")) or done[-1], grpc.RpcError))
        assert client.ask("Cluster/MemberList").members == before
        client.close()
