"""What the store costs: a command with few keys and with many, memory over many puts, and commands a second.

python tests/benchmarks/kv.py            # all of it, a few minutes
python tests/benchmarks/kv.py cost       # 1,000 keys beside 100,000
python tests/benchmarks/kv.py memory     # a million puts with automatic compaction
python tests/benchmarks/kv.py cluster    # committed commands a second, beside PySyncObj
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator

from raft_lab.kv.requests import Compaction, Compare, DeleteRange, Put, Range, Txn
from raft_lab.kv.server import KVServer, apply
from raft_lab.kv.store import Store
from raft_lab.raft.log import Log, Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.membership import Configuration
from raft_lab.raft.rules import with_rules
from raft_lab.raft.server import Server
from raft_lab.raft.state import Applied, ClientRequest, ElectionTimeout, HeartbeatTimeout, Receive

# --- Cost of a command -----------------------------------------------------------------------------------------------

SIZES = (1_000, 100_000)


def a_store(size: int) -> Store:
    """A store of so many keys, compacted."""
    store = Store()
    for number in range(size):
        store, _ = apply(store, Put(f"key/{number * 7919 % size:08}", "v" * 32))
        if number % 10_000 == 9_999:
            store, _ = apply(store, Compaction(store.revision))
    return apply(store, Compaction(store.revision))[0] if store.compacted < store.revision else store


def commands(kind: str, size: int, count: int) -> list[object]:
    """So many commands of a kind on keys that are spread over all there are."""
    draw = random.Random(1)
    keys = [f"key/{draw.randrange(size):08}" for _ in range(count)]
    match kind:
        case "put":
            return [Put(key, "w" * 32) for key in keys]
        case "create":
            return [Put(f"{key}/{number}", "w") for number, key in enumerate(keys)]
        case "get":
            return [Range(key) for key in keys]
        case "range of 10":
            return [Range(key, f"key/{int(key[4:]) + 10:08}") for key in keys]
        case "txn":
            return [Txn([Compare(key)], [Put(key)], [Put(key, "x"), Range(key)]) for key in keys]
        case _:
            return [DeleteRange(f"{key}x") for key in keys]


def cost() -> None:
    """Print microseconds of processor time a command, with both sizes in turn in the same run."""
    stores = {size: a_store(size) for size in SIZES}
    gc.collect()
    gc.freeze()  # a full collection now and then would be measured by whoever happens to run
    for kind in ("put", "create", "get", "range of 10", "txn", "delete of nothing"):
        times: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(41):
            for size in SIZES:
                store, wanted = stores[size], commands(kind, size, 100)
                begun = time.process_time()
                for op in wanted:
                    store, _ = apply(store, op)  # type: ignore[arg-type]
                times[size].append((time.process_time() - begun) / len(wanted) * 1e6)
        few, many = (statistics.median(times[size]) for size in SIZES)
        print(f"{kind:18} {few:7.1f} us with 1,000 keys, {many:7.1f} us with 100,000: {many / few:.2f} times")


# --- Memory ----------------------------------------------------------------------------------------------------------


def memory(puts: int = 1_000_000, every: int = 10_000) -> None:
    """Print what is held while so many puts go through a store that is compacted again and again."""
    store = Store()
    begun = time.perf_counter()
    for number in range(1, puts + 1):
        store, _ = apply(store, Put(f"key/{number % 1000}", f"value {number}"))
        if number % every == 0:
            store, _ = apply(store, Compaction(store.revision - every // 10))
        if number % (puts // 10) == 0:
            kept = store.revision - store.base_revision
            print(
                f"after {number:9,} puts: {resident():6.1f} MiB resident, {kept:,} revisions kept, "
                f"{time.perf_counter() - begun:6.1f} s"
            )


def resident() -> float:
    """MiB of this process, all that is not Python's included."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096 / 2**20


# --- Commands through a cluster --------------------------------------------------------------------------------------

PIPELINE = 64


class InMemory:
    """Servers that hand messages to one another in a queue: nothing but the engine."""

    def __init__(self, behaviour: type[Server], servers: int) -> None:
        names = [f"S{number + 1}" for number in range(servers)]
        log = Log(Snapshot(Configuration(frozenset(names)), machine=Machine(behaviour.first_data)))
        self.behaviour = behaviour
        self.states = {name: behaviour.initial(name, log) for name in names}
        self.queue: deque[object] = deque()
        self.applied = 0
        self.happen("S1", ElectionTimeout())
        self.drain()
        self.happen("S1", HeartbeatTimeout())
        self.drain()

    def happen(self, name: str, event: object) -> None:
        """Let something happen to a server; its messages go into the queue."""
        outcome = self.behaviour.step(self.states[name], event)  # type: ignore[arg-type]
        self.states[name] = outcome.state
        self.queue.extend(outcome.messages)
        self.applied += sum(isinstance(answer, Applied) for answer in outcome.answers)

    def drain(self) -> None:
        """Deliver messages until there are none."""
        while self.queue:
            self.deliver()

    def deliver(self) -> None:
        """Deliver the oldest message."""
        message = self.queue.popleft()
        self.happen(message.dst, Receive(message))  # type: ignore[attr-defined]

    def run(self, wanted: Iterator[object], count: int) -> None:
        """Have so many commands committed, with at most PIPELINE of them under way."""
        asked, end = self.applied, self.applied + count
        while self.applied < end:
            while asked < end and asked - self.applied < PIPELINE:
                self.happen("S1", ClientRequest(next(wanted)))
                asked += 1
            if self.queue:
                self.deliver()
            else:
                self.happen("S1", HeartbeatTimeout())


def ours(behaviour: type[Server], servers: int, op: Callable[[int], object]) -> Callable[[int], float]:
    """A cluster of ours; the result has so many commands committed and says how many a second that was."""
    cluster = InMemory(behaviour, servers)
    numbers = iter(range(10**9))

    def measure(count: int) -> float:
        begun = time.perf_counter()
        cluster.run((op(number) for number in numbers), count)
        return count / (time.perf_counter() - begun)

    return measure


def pysyncobj(servers: int, period: float = 0.0001) -> Callable[[int], float]:
    """The same of PySyncObj, in one thread, its nodes in one process, messages handed over in memory."""
    from pysyncobj import SyncObj, SyncObjConf, replicated
    from pysyncobj.node import Node
    from pysyncobj.transport import Transport

    lines: dict[str, InQueue] = {}

    class InQueue(Transport):  # type: ignore[misc]
        """Hands messages over."""

        def __init__(self, sync_object, self_node, others):  # type: ignore[no-untyped-def]
            super().__init__(sync_object, self_node, others)
            self.node, self.inbox = self_node, deque()
            lines[self_node.id] = self

        @property
        def ready(self) -> bool:
            """Always."""
            return True

        def tryGetReady(self) -> None:
            """Nothing has to be done."""

        def waitReady(self) -> None:
            """Nothing has to be waited for."""

        def addNode(self, node: object) -> None:
            """All are known."""

        def dropNode(self, node: object) -> None:
            """All stay."""

        def send(self, node, message) -> bool:  # type: ignore[no-untyped-def]
            """Into the other's inbox."""
            lines[node.id].inbox.append((self.node, message))
            return True

        def destroy(self) -> None:
            """Nothing is open."""

    class Map(SyncObj):  # type: ignore[misc]
        """A replicated dict."""

        def __init__(self, me: Node, others: list[Node]) -> None:
            conf = SyncObjConf(
                autoTick=False, dynamicMembershipChange=False, commandsQueueSize=10**6, appendEntriesPeriod=period
            )
            super().__init__(me, others, conf, nodeClass=Node, transportClass=InQueue)
            self.content: dict[str, str] = {}

        @replicated
        def put(self, key: str, value: str) -> None:
            self.content[key] = value

    nodes = [Node(f"n{number}") for number in range(servers)]
    maps = [Map(node, [other for other in nodes if other is not node]) for node in nodes]
    for line in lines.values():
        for node in nodes:
            if node is not line.node:
                line._onNodeConnected(node)

    def tick() -> None:
        for each in maps:
            each.doTick(0.0)
            line = lines[each.selfNode.id]
            while line.inbox:
                line._onMessageReceived(*line.inbox.popleft())

    while not all(each.isReady() for each in maps):
        tick()
    leader = next(each for each in maps if each._isLeader())
    done = [0]

    def count_one(*_: object) -> None:
        done[0] += 1

    def measure(count: int) -> float:
        begun, asked, end = time.perf_counter(), done[0], done[0] + count
        while done[0] < end:
            while asked < end and asked - done[0] < PIPELINE:
                leader.put(f"key/{asked % 1000}", f"value {asked}", callback=count_one)
                asked += 1
            tick()
        return count / (time.perf_counter() - begun)

    return measure


def put(number: int) -> Put:
    """A command as those of the peer."""
    return Put(f"key/{number % 1000}", f"value {number}")


def cluster(count: int = 2000, rounds: int = 7) -> None:
    """Print committed commands a second, each in turn in the same run.

    PySyncObj's leader sends what came in once in each `appendEntriesPeriod`: between two of them it waits, and with a
    pipeline of 64 it cannot commit more than 64 in one.
    """
    batching = with_rules(KVServer, "batching")
    subjects = {
        "ours, 3 servers": ours(KVServer, 3, put),
        "ours, 5 servers": ours(KVServer, 5, put),
        "ours, 3 servers, batching": ours(batching, 3, put),
        "ours, 5 servers, batching": ours(batching, 5, put),
        "PySyncObj, 3 nodes, appendEntriesPeriod 0.1 s (as it comes)": pysyncobj(3, 0.1),
        "PySyncObj, 3 nodes, appendEntriesPeriod 10 ms": pysyncobj(3, 0.01),
        "PySyncObj, 3 nodes, appendEntriesPeriod 1 ms": pysyncobj(3, 0.001),
        "PySyncObj, 3 nodes, appendEntriesPeriod 0.1 ms (it never waits)": pysyncobj(3, 0.0001),
    }
    rates: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            gc.collect()
            gc.freeze()  # nobody pays for looking through what the others have left
            rates[name].append(measure(count))
    print(f"committed commands a second, {PIPELINE} under way: the median of {rounds} rounds of {count}")
    for name, found in rates.items():
        print(f"{name:64} {statistics.median(found):8.0f} (from {min(found):.0f} to {max(found):.0f})")


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["cost", "cluster", "memory"]
    for part in wanted:
        {"cost": cost, "memory": memory, "cluster": cluster}[part]()
