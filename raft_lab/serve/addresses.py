"""Where one listens: what is an address of this machine, who can reach it, and how it is written."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from raft_lab.raft.errors import RaftLabError

HERE = "127.0.0.1"
_EVERYWHERE = {"0.0.0.0": HERE, "::": "::1"}  # noqa: S104  one asks whether it is so


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def names_of(host: str) -> frozenset[str]:
    """By which names programs on this machine call a server on one of its loopback addresses."""
    return frozenset({HERE, "localhost", "::1", host})


def reached_at(host: str) -> str:
    """The address at which this machine reaches a server that listens there."""
    return _EVERYWHERE.get(host, host)


def written(host: str, port: int) -> str:
    """Address and port, as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refuse_foreign(host: str) -> None:
    """Is it an address of this machine? Whoever listens would only hear that the port cannot be had.

    Raises:
        RaftLabError: it is none.
    """
    why: Exception | None = None
    try:
        places = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        places, why = [], error
    for family, kind, protocol, _, place in places:  # "localhost" may be ::1, too, where nobody speaks IPv6
        try:
            with socket.socket(family, kind, protocol) as trial:
                trial.bind(place)
            return
        except OSError as error:
            why = error
    raise RaftLabError(f"nothing can listen at {host or repr(host)}, which is no address of this machine: {why}")
