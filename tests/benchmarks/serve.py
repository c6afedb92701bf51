"""etcd's API of our cluster beside a real etcd of one member, in the same run: `python tests/benchmarks/serve.py`.

Puts, linearizable and serializable reads, one after the other and by many clients at once; and one put told to many
watchers. The client is grpcio in a process of its own, the same for both. Then: where our time goes.
"""

import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc

sys.path.remove(str(Path(__file__).parent))  # its kv.py is another
sys.path.insert(0, str(Path(__file__).parents[1]))

from kv.real_etcd import RealEtcd
from raft_lab import Cluster, Timing, serve
from raft_lab.kv import wire
from raft_lab.kv.server import KVServer

SECONDS = 4
CLIENTS = 20
WATCHERS = 100
AS_FAST = Timing(latency_us=(50, 100), heartbeat_us=100_000, election_timeout_us=(1_000_000, 2_000_000))


def client(endpoint):
    """What the client's process does; prints what it measured."""
    channel = grpc.insecure_channel(endpoint)
    put, get = wire.callable_of(channel, "KV/Put"), wire.callable_of(channel, "KV/Range")
    message = wire.message_class
    calls = {
        "put": lambda n: put(message("PutRequest")(key=b"k%d" % (n % 100), value=b"v" * 100), timeout=30),
        "get": lambda n: get(message("RangeRequest")(key=b"k%d" % (n % 100)), timeout=30),
        "get, serializable": lambda n: get(
            message("RangeRequest")(key=b"k%d" % (n % 100), serializable=True), timeout=30
        ),
    }
    found = {}
    for name, call in calls.items():
        for clients in (1, CLIENTS):
            found[f"{name}, {clients} at once"] = measured(call, clients)
    found[f"put told to {WATCHERS} watchers"] = fan_out(channel, calls["put"])
    print(json.dumps(found))


def measured(call, clients):
    """Calls a second, and the median of how long one takes, in milliseconds."""
    times, end = [], time.perf_counter() + SECONDS

    def run(place):
        number = place
        while (begun := time.perf_counter()) < end:
            call(number)
            times.append(time.perf_counter() - begun)
            number += clients

    threads = [threading.Thread(target=run, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / SECONDS, sorted(times)[len(times) // 2] * 1000


def fan_out(channel, put):
    """Events a second that arrive at watchers of one stream, and how long it takes until the last one has it."""
    message, wait = wire.message_class, threading.Event()

    def requests():
        for _ in range(WATCHERS):
            yield message("WatchRequest")(create_request=message("WatchCreateRequest")(key=b"k", range_end=b"l"))
        wait.wait()

    stream = wire.callable_of(channel, "Watch/Watch")(requests())
    for _ in range(WATCHERS):
        next(stream)
    times, end = [], time.perf_counter() + SECONDS
    while (begun := time.perf_counter()) < end:
        put(0)
        for _ in range(WATCHERS):
            next(stream)
        times.append(time.perf_counter() - begun)
    wait.set()
    stream.cancel()
    return len(times) * WATCHERS / SECONDS, sorted(times)[len(times) // 2] * 1000


def ask(endpoint):
    done = subprocess.run([sys.executable, __file__, endpoint], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    with tempfile.TemporaryDirectory() as folder, RealEtcd(Path(folder)) as real:
        theirs = ask(real.endpoint)
    cluster = Cluster(3, server=KVServer, timing=AS_FAST)
    with serve.etcd(cluster) as endpoints:
        live = endpoints.live
        while cluster.leader is None:
            time.sleep(0.1)
        ours = ask(endpoints.by_server[cluster.leader])
        print(f"{'':34}{'real etcd, 1 member':>24}{'ours, 3 servers':>24}   ratio")
        for name, (rate, median) in ours.items():
            their_rate, their_median = theirs[name]
            left, right = f"{their_rate:,.0f}/s {their_median:6.2f} ms", f"{rate:,.0f}/s {median:6.2f} ms"
            print(f"{name:34}{left:>24}{right:>24}   1 : {their_rate / rate:.1f}")
        profile = cProfile.Profile()
        live.loop.call_soon_threadsafe(profile.enable)
        ask(endpoints.by_server[cluster.leader])
        live.loop.call_soon_threadsafe(profile.disable)
        time.sleep(0.5)
    by_file = {}
    for (file, _, _), (_, _, own, *_) in pstats.Stats(profile).stats.items():
        place = "/".join(Path(file).parts[-2:]) if "raft_lab" in file else "gRPC, asyncio, Python itself"
        by_file[place] = by_file.get(place, 0) + own
    whole = sum(by_file.values())
    print("\nWhere our time goes:")
    for place, own in sorted(by_file.items(), key=lambda pair: -pair[1])[:12]:
        print(f"{own / whole:6.0%}  {place}")


if __name__ == "__main__":
    client(sys.argv[1]) if len(sys.argv) > 1 else main()
