"""The Kubernetes API on loopback: `kubectl`, client-go and the others reach the cluster in the notebook.

    with Kubernetes(cluster) as k8s:
        print(k8s)                           # export KUBECONFIG=... and then: kubectl get leases -w

Needs aiohttp and protobuf: `pip install "raft_lab[serve]"`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from raft_lab.kube.api import bootstrap
from raft_lab.kube.compaction import SECONDS, Round, compact
from raft_lab.kv.client import KV
from raft_lab.kv.wire import MissingLibrary
from raft_lab.raft.errors import RaftLabError
from raft_lab.serve.addresses import HERE, is_loopback, names_of, reached_at, refuse_foreign, written
from raft_lab.serve.behind import Behind, Client
from raft_lab.serve.live import Live, living
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.files import write_whole

try:
    from aiohttp import web

    from raft_lab.serve.bodies import LARGEST
    from raft_lab.serve.rest import Rest
    from raft_lab.serve.streams import now_us
except ModuleNotFoundError as missing:
    raise MissingLibrary(f"to serve the Kubernetes API takes {missing.name}: pip install 'raft_lab[serve]'") from None


def kubernetes(store: Any, **options: Any) -> Kubernetes:
    """The Kubernetes API over a store, to be used in a `with`; see `Kubernetes`."""
    return Kubernetes(store, **options)


class Kubernetes:
    """The Kubernetes API over a store. Use it in a `with`, or `start` and `close` it.

    Args:
        store: a cluster of `KVServer`s, which then lives (`raft_lab.serve.live`); or a client of a real etcd
            (`KV.connect`), or its address.
        port: where; 0: any that is free.
        host: on which of the machine's addresses; others than loopback's are open to whoever can reach the machine.
        kubeconfig: where the file for kubectl is written; by itself, in a directory that goes away at the end.
        compaction_seconds: how often what is older than this is compacted away; 0: never. By itself a cluster is, as
            Kubernetes does it, every five minutes, and a real etcd is not: others may want its history.

    Raises:
        OSError: the port is taken.
        RaftLabError: nothing can listen at this host.
        ConnectionError: no etcd answers at the address.
    """

    def __init__(
        self,
        store: Any,
        *,
        port: int = 0,
        host: str = HERE,
        kubeconfig: str | Path | None = None,
        compaction_seconds: float | None = None,
    ) -> None:
        if not (type(port) is int and 0 <= port < 65536):
            raise ValueError(f"a port is a whole number from 0 (any that is free) to 65535, not {port!r}")
        self.store = store
        if compaction_seconds is None:
            compaction_seconds = SECONDS if isinstance(store, Cluster | Live) else 0
        self._address = (host, port)
        self._compaction_seconds = compaction_seconds
        self._stack = contextlib.ExitStack()
        self._asked_for = Path(kubeconfig) if kubeconfig is not None else None
        self.kubeconfig: Path | None = None
        """Where the file for kubectl is, while it serves."""
        self.url = ""
        """Where the API is, while it serves."""
        self.rest: Rest | None = None

    def start(self) -> Kubernetes:
        """Serve."""
        if self.url:
            raise RaftLabError(f"it serves already, at {self.url}")
        host, port = self._address
        refuse_foreign(host)
        if not is_loopback(host):
            text = f"the API is served on {host}: whoever can reach this machine can change everything in it"
            warnings.warn(text, stacklevel=2)
        with contextlib.ExitStack() as stack:
            listening = stack.enter_context(contextlib.closing(_listen(host, port)))
            behind = self._behind(stack)
            self.rest = Rest(behind, names_of(host) if is_loopback(host) else None)
            runner = behind.call(_serve(self.rest, listening))
            stack.callback(lambda: behind.call(_end(runner)))
            behind.call(behind.ask(bootstrap(now_us)))
            if self._compaction_seconds:
                keeping_small = behind.call(_begin(_keep_small(behind, self._compaction_seconds)))
                stack.callback(lambda: behind.call(_stop(keeping_small)))
            self.url = f"http://{written(reached_at(host), listening.getsockname()[1])}"
            self.kubeconfig = self._write_kubeconfig(stack)
            self._stack = stack.pop_all()
        return self

    def close(self) -> None:
        """Serve no more. Whoever watches is cut off."""
        self.url, self.kubeconfig = "", None
        self._stack.close()

    def __enter__(self) -> Kubernetes:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _behind(self, stack: contextlib.ExitStack) -> Behind:
        store = self.store
        if isinstance(store, str):
            store = KV.connect(store)
            stack.callback(store.close)
        if isinstance(store, KV):
            client = Client(store)
            stack.callback(client.close)
            return client
        if isinstance(self.store, Cluster | Live):
            return stack.enter_context(living(self.store))
        known = "a Cluster of KVServers, a Live, KV.connect(...) or the address of an etcd"
        raise TypeError(f"what is served is {known}, not {self.store!r}"[:250])

    def _write_kubeconfig(self, stack: contextlib.ExitStack) -> Path:
        path = self._asked_for
        if path is None:
            folder = tempfile.mkdtemp(prefix="raft-lab-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            path = Path(folder) / "kubeconfig"
        write_whole(path, json.dumps(kubeconfig(self.url), indent=2) + "\n")
        return path.resolve()

    def __repr__(self) -> str:
        if not self.url:
            return "<Kubernetes API, not serving>"
        return f"<Kubernetes API at {self.url}; export KUBECONFIG={self.kubeconfig}>"

    def __str__(self) -> str:
        return f"The Kubernetes API is at {self.url}\nexport KUBECONFIG={self.kubeconfig}" if self.url else repr(self)


def kubeconfig(url: str) -> dict[str, Any]:
    """What kubectl must know, as JSON, which is YAML, too."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "raft-lab", "cluster": {"server": url}}],
        "users": [{"name": "raft-lab", "user": {}}],
        "contexts": [
            {"name": "raft-lab", "context": {"cluster": "raft-lab", "user": "raft-lab", "namespace": "default"}}
        ],
        "current-context": "raft-lab",
    }


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise OSError(
            f"port {port} of {host} cannot be had: {error.strerror}; is it served already? Try port=0"
        ) from None
    return listening


async def _keep_small(behind: Behind, seconds: float) -> None:
    """Compact the store again and again."""
    last = Round()
    while True:
        await asyncio.sleep(seconds)
        with contextlib.suppress(RaftLabError):  # the store does not answer now; next time, then
            last = await behind.ask(compact(last))


async def _begin(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _serve(rest: Rest, listening: socket.socket) -> web.AppRunner:
    app = web.Application(client_max_size=LARGEST)
    app.router.add_route("*", "/{path:.*}", rest.handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


async def _end(runner: web.AppRunner) -> None:
    await runner.cleanup()
    await asyncio.sleep(0)
