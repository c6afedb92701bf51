"""A quarter of an hour of puts, reads, watches and leases at `raft-lab serve etcd --data-dir`: does anything grow?

    python tests/benchmarks/soak.py 15          # minutes; a line for each, and whether every watcher saw everything

What is acknowledged, what watchers see and how long calls take is measured here; memory, threads and files are the
server's. The store is compacted every half minute, as Kubernetes does it; so what grows all the same is a leak.
"""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc

sys.path.remove(str(Path(__file__).parent))  # its kv.py is another

from raft_lab.kv import wire

WRITERS, PUTS_A_SECOND = 4, 60
WATCHERS = 10
KEYS = 500
COMPACT_EVERY_SECONDS = 30
COMMAND = "import sys; from raft_lab.cli import main; sys.exit(main())"
message = wire.message_class


class Load:
    """Clients that do the same all the time, spread over the members."""

    def __init__(self, endpoints):
        self.channels = [grpc.insecure_channel(endpoint) for endpoint in endpoints]
        self.ended = threading.Event()
        self.times = {"put": [], "get": [], "lease": []}
        self.errors = []
        self.revisions = 0
        self.seen = [[] for _ in range(WATCHERS)]
        self.calls = []
        self.threads = [threading.Thread(target=self._write, args=(place,)) for place in range(WRITERS)]
        self.threads += [threading.Thread(target=self._watch, args=(place,)) for place in range(WATCHERS)]
        self.threads += [threading.Thread(target=self._lease), threading.Thread(target=self._compact)]
        for thread in self.threads:
            thread.start()

    def _ask(self, kind, name, place=0, **fields):
        begun = time.perf_counter()
        channel = self.channels[place % len(self.channels)]
        try:
            return wire.callable_of(channel, name)(message(wire.METHOD[name].request)(**fields), timeout=30)
        except grpc.RpcError as error:
            self.errors.append(f"{name}: {error.code().name} {error.details()}")
            return None
        finally:
            if kind:
                self.times[kind].append(time.perf_counter() - begun)

    def _write(self, place):
        number, due = place, time.monotonic()
        while not self.ended.wait(max(due - time.monotonic(), 0)):
            due = max(due + WRITERS / PUTS_A_SECOND, time.monotonic() - 1)
            number += WRITERS
            told = self._ask("put", "KV/Put", place, key=b"k/%d" % (number % KEYS), value=b"v" * 200)
            if told is not None:
                self.revisions = max(self.revisions, told.header.revision)
            if number % 5 == place:
                self._ask("get", "KV/Range", place, key=b"k/%d" % (number % KEYS))

    def _lease(self):
        """Leases that nobody renews, each with a key, and one that is renewed."""
        kept, number = self._ask("lease", "Lease/LeaseGrant", TTL=10), 0
        while not self.ended.wait(0.5):
            number += 1
            granted = self._ask("lease", "Lease/LeaseGrant", number, TTL=3)
            if granted is not None:
                self._ask("put", "KV/Put", number, key=b"l/%d" % number, lease=granted.ID)
            renew = iter([message("LeaseKeepAliveRequest")(ID=kept.ID)])
            told = next(wire.callable_of(self.channels[0], "Lease/LeaseKeepAlive")(renew, timeout=30))
            if not told.TTL:
                self.errors.append("a lease that was renewed has ended")

    def _compact(self):
        while not self.ended.wait(COMPACT_EVERY_SECONDS):
            self._ask("", "KV/Compact", revision=self.revisions - 1000)

    def _watch(self, place):
        create = message("WatchCreateRequest")(key=b"\0", range_end=b"\0", start_revision=2)

        def requests():
            yield message("WatchRequest")(create_request=create)
            self.ended.wait()
            time.sleep(3)  # what is told last

        call = wire.callable_of(self.channels[place % len(self.channels)], "Watch/Watch")(requests())
        self.calls.append(call)
        try:
            for response in call:
                self.seen[place] += sorted({event.kv.mod_revision for event in response.events})
        except grpc.RpcError as error:
            if not self.ended.is_set():
                self.errors.append(f"watch: {error.code().name} {error.details()}")

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(60)
        for channel in self.channels:
            channel.close()


def size_of_files(folder):
    return {path.name: path.stat().st_size / 1e6 for path in sorted(folder.iterdir())}


def look_at(process):
    """Memory in MB and threads of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])


def line(minute, process, folder, load):
    """A line of the table."""
    memory, threads = look_at(process)
    files = " ".join(f"{size:6.1f}" for size in size_of_files(folder).values())
    spent = {kind: sorted(load.times[kind]) for kind in load.times}
    load.times.update({kind: [] for kind in spent})
    waits = "  ".join(
        f"{kind} {len(times):5} {times[len(times) // 2] * 1000:5.1f} {times[len(times) * 99 // 100] * 1000:6.1f}"
        for kind, times in spent.items()
        if times
    )
    told = f"{minute:4.1f} min  {memory:6.1f} MB  {threads:3} threads  files {files} MB   {waits}"
    print(f"{told}  revision {load.revisions}  errors {len(load.errors)} {load.errors[-1:]}", flush=True)


def main(minutes):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "serve", "etcd", "--port", "0", "--data-dir", place],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            text = ""
            while "Ctrl-C" not in text:
                text += process.stdout.readline()
            load = Load(text.split("ETCDCTL_ENDPOINTS=")[1].split()[0].split(","))
            print("calls: how many, median and 99th percentile in ms, of the minute")
            begun = time.monotonic()
            for minute in range(1, int(minutes) + 1):
                time.sleep(max(begun + 60 * minute - time.monotonic(), 0))
                line(minute, process, folder, load)
            load.end()
            whole = list(range(2, max(load.revisions, *(max(seen, default=0) for seen in load.seen)) + 1))
            right = sum(seen == whole for seen in load.seen)
            print(f"{right} of {WATCHERS} watchers saw each of {len(whole)} revisions once; errors: {load.errors[:5]}")
        finally:
            process.terminate()
            process.wait(60)
            print(f"ended with {process.returncode}; files {size_of_files(folder)}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 15)
