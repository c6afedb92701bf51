"""`raft-lab serve`: a cluster, or an etcd, that real clients can reach, until one says that it is enough."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from raft_lab.raft.errors import RaftLabError

if TYPE_CHECKING:
    from raft_lab.kv.client import KV
    from raft_lab.serve.live import Live
    from raft_lab.sim.cluster import Cluster

Protocols: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand after `raft-lab serve`."""
    protocols = parser.add_subparsers(dest="protocol", required=True)
    _add_etcd(protocols)
    _add_kubernetes(protocols)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C.

    Raises:
        RaftLabError: it cannot be served, or not any longer.
    """
    serve: Callable[[argparse.Namespace, Told], None] = options.serve
    with Told() as told, contextlib.suppress(KeyboardInterrupt), warnings.catch_warnings():
        warnings.showwarning = _warn
        serve(options, told)
    return 0


# etcd


def _add_etcd(protocols: Protocols) -> None:
    parser = protocols.add_parser("etcd", help="etcd's API, for etcdctl and every client of etcd")
    _add_servers(parser)
    parser.add_argument(
        "--port", type=_from(0, 65_535), default=2379, metavar="N", help="of the first server (2379); 0: any"
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="for others than this machine")
    parser.add_argument("--data-dir", type=Path, metavar="FOLDER", help="keep everything there (default: in memory)")
    parser.set_defaults(serve=_etcd)


def _etcd(options: argparse.Namespace, told: Told) -> None:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # a port that is taken is said in a line, and that is ours
    from raft_lab.serve.endpoints import etcd
    from raft_lab.serve.journal import Journal

    cluster, journal = _cluster(options), None
    with contextlib.ExitStack() as stack:
        if options.data_dir is not None:
            journal = stack.enter_context(Journal(options.data_dir))
            cluster = journal.open(cluster)
            if len(cluster.servers) != options.servers:
                _say(f"{options.data_dir} holds a cluster of {len(cluster.servers)} servers; that is the one.")
        told.only_later()
        endpoints = stack.enter_context(etcd(cluster, port=options.port, host=options.host, journal=journal))
        told.wait(endpoints.live, lambda: _has_leader(endpoints.live))  # as an etcd that joins, it answers only then
        kept = f"kept in {options.data_dir}" if options.data_dir is not None else "in memory"
        _say(f"{len(cluster.servers)} servers of Raft, {kept}. In another terminal:\n")
        _say(
            f"    export ETCDCTL_API=3 ETCDCTL_ENDPOINTS={endpoints}\n    etcdctl put greeting hello\n\nCtrl-C ends it."
        )
        told.wait(endpoints.live)


# Kubernetes


def _add_kubernetes(protocols: Protocols) -> None:
    parser = protocols.add_parser("kubernetes", help="the Kubernetes API, for kubectl and the like")
    _add_servers(parser)
    parser.add_argument("--etcd", default="", metavar="HOST:PORT", help="no cluster: this etcd holds the objects")
    parser.add_argument(
        "--port", type=_from(0, 65_535), default=0, metavar="N", help="where (default: any that is free)"
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="for others than this machine")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="where to write what kubectl must know")
    parser.set_defaults(serve=_kubernetes)


def _kubernetes(options: argparse.Namespace, told: Told) -> None:
    from raft_lab.serve.apiserver import Kubernetes
    from raft_lab.serve.live import living

    with contextlib.ExitStack() as stack:
        store: Any = _connected(options.etcd) if options.etcd else _cluster(options)
        told.only_later()
        live = None if options.etcd else stack.enter_context(living(store))
        k8s = stack.enter_context(
            Kubernetes(live or store, port=options.port, host=options.host, kubeconfig=options.kubeconfig)
        )
        if live is not None:
            told.wait(live, lambda: _has_leader(live))
        over = f"the etcd at {options.etcd}" if options.etcd else f"{options.servers} servers of Raft"
        _say(f"The Kubernetes API is at {k8s.url}, over {over}. In another terminal:\n")
        _say(f"    export KUBECONFIG={k8s.kubeconfig}\n    kubectl get leases --watch\n\nCtrl-C ends it.")
        told.wait(live)


def _connected(address: str) -> KV:
    from raft_lab.kv.client import KV

    try:
        return KV.connect(address)
    except ValueError as error:
        raise RaftLabError(f"--etcd: {error}") from None


# What they share

AS_ETCD: dict[str, Any] = {
    "election_timeout_us": (1_000_000, 2_000_000),
    "heartbeat_us": 100_000,
    "latency_us": (100, 300),
}
"""The times of an etcd in one data center."""


def _add_servers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--servers", type=_from(1, 9), default=3, metavar="N", help="how many servers the cluster has (3)"
    )


def _cluster(options: argparse.Namespace) -> Cluster:
    """A cluster that keeps time, and looks after its leader, as etcd does."""
    from raft_lab.kv.server import KVServer
    from raft_lab.sim.cluster import Cluster
    from raft_lab.sim.schedule import Timing

    return Cluster(options.servers, server=KVServer, rules=("check-quorum",), timing=Timing(**AS_ETCD))


def _has_leader(live: Live) -> bool:
    """Whether all servers that run know of one."""
    return all(state.leader_id for name, state in live.world.servers.items() if name not in live.world.crashed)


def _from(least: int, most: int) -> Callable[[str], int]:
    """A number between two others."""

    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"it is a number from {least} to {most}, not {text!r}")
        return int(text)

    return number


class Told:
    """Ctrl-C, or being terminated: at first it ends what is going on at once; later, in order, what was begun."""

    def __init__(self) -> None:
        self._said = threading.Event()
        self._at_once = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Told:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._tell)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def only_later(self) -> None:
        """From now on it is looked at where one waits for it."""
        self._at_once = False

    def wait(self, live: Live | None, so: Callable[[], bool] = lambda: False) -> None:
        """Wait for it, or until something is so.

        Raises:
            Exception: what stops the live cluster meanwhile.
            KeyboardInterrupt: it came before that was so.
        """
        while not so():
            if self._said.wait(0.1):
                raise KeyboardInterrupt
            if live is not None and live.trouble is not None:
                raise live.trouble

    def _tell(self, *_: object) -> None:
        self._said.set()
        if self._at_once:
            raise KeyboardInterrupt


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"raft-lab: {message}\n")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
