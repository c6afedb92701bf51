"""`raft-lab serve etcd` as a process of its own, with a folder to keep everything in."""

import re
import subprocess
import sys

import grpc

from raft_lab.kv import wire
from serve.clusters import LONG, output_of, wait_until

MAIN = "import sys; from raft_lab.cli import main; sys.exit(main())"


class Served:
    """The command in a terminal."""

    def __init__(self, folder, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "serve", "etcd", "--port", "0", "--data-dir", str(folder), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._output = output_of(self.process)

    def __enter__(self):
        lines = self._output.__enter__()
        wait_until(lambda: any("etcdctl put" in line for line in lines) or self.process.poll() is not None, "serving")
        self.endpoints = re.search(r"ETCDCTL_ENDPOINTS=(\S+)", "\n".join(lines))[1].split(",")
        self.channels = [grpc.insecure_channel(endpoint) for endpoint in self.endpoints]
        return self

    def __exit__(self, *_):
        for channel in self.channels:
            channel.close()
        self._output.__exit__(*_)

    def ask(self, name, /, place=0, **fields):
        return ask(self.channels[place], name, **fields)


def ask(channel, name, /, **fields):
    """The response to a request, such as ask(channel, "KV/Put", key=b"x")."""
    message = wire.message_class(wire.METHOD[name].request)(**fields)
    return wire.callable_of(channel, name)(message, timeout=LONG)
