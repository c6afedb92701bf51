"""`raft-lab serve`: a cluster, or an etcd, that real clients can reach, until one says that it is enough."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

Protocols: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand after `raft-lab serve`."""
    protocols = parser.add_subparsers(dest="protocol", required=True)
    _add_etcd(protocols)
    _add_kubernetes(protocols)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    with _until_told() as told:
        serve: Callable[[argparse.Namespace, threading.Event], None] = options.serve
        serve(options, told)
    return 0


# etcd


def _add_etcd(protocols: Protocols) -> None:
    parser = protocols.add_parser("etcd", help="etcd's API, for etcdctl and every client of etcd")
    parser.add_argument(
        "--servers", type=_from(1, 9), default=3, metavar="N", help="how many servers the cluster has (3)"
    )
    parser.add_argument(
        "--port", type=_from(0, 65_535), default=2379, metavar="N", help="of the first server (2379); 0: any"
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="for others than this machine")
    parser.add_argument("--data-dir", type=Path, metavar="FOLDER", help="keep everything there (default: in memory)")
    parser.set_defaults(serve=_etcd)


def _etcd(options: argparse.Namespace, told: threading.Event) -> None:
    from raft_lab.kv.server import KVServer
    from raft_lab.serve.endpoints import etcd
    from raft_lab.serve.journal import Journal
    from raft_lab.sim.cluster import Cluster
    from raft_lab.sim.schedule import Timing

    timing = Timing(**AS_ETCD)
    fresh = Cluster(options.servers, server=KVServer, rules=("check-quorum",), timing=timing)
    with contextlib.ExitStack() as stack:
        cluster, journal = fresh, None
        if options.data_dir is not None:
            journal = stack.enter_context(Journal(options.data_dir))
            cluster = journal.open(fresh)
            if len(cluster.servers) != options.servers:
                _say(f"{options.data_dir} holds a cluster of {len(cluster.servers)} servers; that is the one.")
        endpoints = stack.enter_context(etcd(cluster, port=options.port, host=options.host, journal=journal))
        kept = f"kept in {options.data_dir}" if options.data_dir is not None else "in memory"
        _say(f"{len(cluster.servers)} servers of Raft, {kept}. In another terminal:\n")
        _say(
            f"    export ETCDCTL_API=3 ETCDCTL_ENDPOINTS={endpoints}\n    etcdctl put greeting hello\n\nCtrl-C ends it."
        )
        told.wait()


AS_ETCD: dict[str, Any] = {
    "election_timeout_us": (1_000_000, 2_000_000),
    "heartbeat_us": 100_000,
    "latency_us": (100, 300),
}
"""The times of an etcd in one data center."""


# Kubernetes


def _add_kubernetes(protocols: Protocols) -> None:
    parser = protocols.add_parser("kubernetes", help="the Kubernetes API, for kubectl and the like")
    parser.add_argument(
        "--servers", type=_from(1, 9), default=3, metavar="N", help="how many servers the cluster has (3)"
    )
    parser.add_argument("--etcd", default="", metavar="HOST:PORT", help="no cluster: this etcd holds the objects")
    parser.add_argument(
        "--port", type=_from(0, 65_535), default=0, metavar="N", help="where (default: any that is free)"
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="for others than this machine")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="where to write what kubectl must know")
    parser.set_defaults(serve=_kubernetes)


def _kubernetes(options: argparse.Namespace, told: threading.Event) -> None:
    from raft_lab.kv.server import KVServer
    from raft_lab.serve.apiserver import Kubernetes
    from raft_lab.sim.cluster import Cluster

    store = options.etcd or Cluster(options.servers, server=KVServer)
    with Kubernetes(store, port=options.port, host=options.host, kubeconfig=options.kubeconfig) as k8s:
        over = f"the etcd at {options.etcd}" if options.etcd else f"{options.servers} servers of Raft"
        _say(f"The Kubernetes API is at {k8s.url}, over {over}. In another terminal:\n")
        _say(f"    export KUBECONFIG={k8s.kubeconfig}\n    kubectl get leases --watch\n\nCtrl-C ends it.")
        told.wait()


# What they share


def _from(least: int, most: int) -> Callable[[str], int]:
    """A number between two others."""

    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"it is a number from {least} to {most}, not {text!r}")
        return int(text)

    return number


class _until_told:  # noqa: N801  it is used like a function
    """Ctrl-C, or being terminated, sets an event, so that what was begun is ended in order."""

    def __enter__(self) -> threading.Event:
        told = threading.Event()
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, lambda *_: told.set())
        return told

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
