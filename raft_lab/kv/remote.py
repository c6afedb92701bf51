"""A client's line to a real etcd, over gRPC; the same programs run here that run in a cluster of the lab."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from raft_lab.kv import wire
from raft_lab.kv.calls import Unknown
from raft_lab.kv.clients import Pause, Program
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import LeaseKeepAlive, Request, WatchCreate, only_reads
from raft_lab.kv.watching import Told
from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.errors import ActionRefused

REFUSED = ("failed to connect", "rpc not supported for learner", "etcdserver: no leader")
"""What a request that was not even begun ends with: gRPC's words where nobody listens, and etcd's own."""
IN_DOUBT = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN")
"""Errors after which nobody can say whether the request was carried out."""
ETCD = "etcdserver: "
"""With this begins what etcd itself says."""
PAUSE = 0.1
"""Seconds between two rounds of asking all members."""
_CHANNEL = {
    "grpc.max_receive_message_length": -1,
    "grpc.keepalive_time_ms": 10_000,  # a member that hangs is noticed by those who only listen
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 2_000,
}


class Remote:
    """A line to the members of an etcd: one of them is asked, as long as it answers, and then the next one.

    Args:
        addresses: host and port of each member, as etcdctl takes them in `--endpoints`.
        timeout: how long to wait for an answer, in seconds.

    Raises:
        TypeError, ValueError: these are no addresses, or no time.
        MissingLibrary: grpcio is not installed.
        ConnectionError: nobody answers.
    """

    def __init__(self, addresses: tuple[str, ...], timeout: float) -> None:
        self.addresses = endpoints(addresses)
        if not (isinstance(timeout, int | float) and timeout > 0):
            raise ValueError(f"timeout is a number of seconds above 0, not {timeout!r}")
        self.timeout = timeout
        self._grpc = _grpc()
        self.channels = [self._grpc.insecure_channel(address, [*_CHANNEL.items()]) for address in self.addresses]
        self.closed = False
        self._begun: list[threading.Event] = []
        self._place = 0
        self.trouble = ""
        """What gRPC said last of a member that did not answer."""
        if all(member["errors"] == DOWN for member in self.members()):
            self.close()
            raise ConnectionError(
                f"no etcd answers at {', '.join(self.addresses)} ({self.trouble}); is one running there, without TLS? "
                "`etcd` starts one at 127.0.0.1:2379"
            )

    # Asking

    def ask(self, request: Request) -> Any:
        """One request and its response.

        Where a member does not answer, or does not serve, the next one is asked, and all again until `timeout` is over;
        but what changes something is sent again only if it certainly was not begun.

        Raises:
            EtcdError: what etcd says instead; or that nobody answers, and nothing was done.
            Unknown: no answer came, and the request would have changed something.
            ActionRefused: the line was closed.
        """
        self._check_open()
        repeatable = only_reads(request) or isinstance(request, LeaseKeepAlive)
        begun = time.monotonic()
        while True:
            heard = []
            for place in self._in_turn():
                self._place = place
                try:
                    return self._ask_one(self.channels[place], request)
                except self._grpc.RpcError as error:
                    told = wire.error_of(error)
                if told.code not in IN_DOUBT:
                    raise told
                if not repeatable and not any(words in told.text for words in REFUSED):
                    self._place = (place + 1) % len(self.channels)
                    raise self._unknown(request, told, time.monotonic() - begun)
                heard.append(told)
            if not repeatable or time.monotonic() - begun > self.timeout:
                raise self._no_answer(*heard)
            time.sleep(PAUSE)

    def _no_answer(self, *heard: EtcdError) -> EtcdError:
        """That no member serves, in etcd's own words if one of them has said any."""
        for told in heard:
            if told.text.startswith(ETCD):
                return told
        why = f"within {self.timeout:g} s" if any(map(_is_late, heard)) else f"({_reason(heard[-1])})"
        return EtcdError("UNAVAILABLE", f"no answer {why} from any of {', '.join(self.addresses)}")

    def _unknown(self, request: Request, told: EtcdError, waited: float) -> Unknown:
        if _is_late(told):
            return Unknown(request, round(self.timeout * 1e6))
        return Unknown(request, round(waited * 1e3) * 1000, _reason(told))

    def _check_open(self) -> None:
        if self.closed:
            raise ActionRefused(f"the connection to {self} was closed; KV.connect opens another one")

    def _in_turn(self) -> list[int]:
        """The places of all members, first that of whom was asked last."""
        count = len(self.channels)
        return [(self._place + step) % count for step in range(count)]

    def _ask_one(self, channel: Any, request: Request) -> Any:
        answer, message = wire.callable_of(channel, wire.method_of(request)), wire.to_message(request)
        if isinstance(request, LeaseKeepAlive):
            return wire.to_value(next(answer(iter([message]), timeout=self.timeout)))
        return wire.to_value(answer(message, timeout=self.timeout))

    # Programs

    def run(self, program: Program) -> Any:
        return self._run(program, threading.Event())

    def _run(self, program: Program, stopped: threading.Event) -> Any:
        told: Any = None
        try:
            while not stopped.is_set():
                wish = program.throw(told) if isinstance(told, Exception) else program.send(told)
                told = self._grant(wish, stopped)
        except StopIteration as end:
            return end.value
        program.close()
        return None

    def _grant(self, wish: Any, stopped: threading.Event) -> Any:
        match wish:
            case Pause(us):
                return stopped.wait(us / 1e6) and None
            case WatchCreate():
                return self.watch(wish, None)
            case RemoteWatch():
                return wish.wait_for_more()
        try:
            return self.ask(wish)
        except (EtcdError, Unknown) as error:
            return error

    def begin(self, program: Program) -> threading.Event:
        stopped = threading.Event()
        self._begun.append(stopped)
        threading.Thread(target=self._in_background, args=(program, stopped), daemon=True).start()
        return stopped

    def _in_background(self, program: Program, stopped: threading.Event) -> None:
        try:
            self._run(program, stopped)
        except RaftLabError:
            stopped.set()  # what it kept alive is not kept any more
        except ValueError:  # what gRPC says of a channel that was closed
            if not self.closed:
                raise

    def stop(self, begun: threading.Event) -> None:
        begun.set()

    def watch(self, request: WatchCreate, member: str | None) -> RemoteWatch:
        self._check_open()
        return RemoteWatch(self, request, self.addresses.index(member) if member in self.addresses else self._place)

    def follow(self, watch: RemoteWatch, tell: Callable[[], None]) -> Callable[[], None]:
        watch.listeners.append(tell)

        def stop() -> None:
            with contextlib.suppress(ValueError):  # it was stopped already
                watch.listeners.remove(tell)

        return stop

    def wait(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    # The members

    def members(self) -> list[dict[str, Any]]:
        self._check_open()
        return [self._status(*pair) for pair in zip(self.addresses, self.channels, strict=True)]

    def _status(self, address: str, channel: Any) -> dict[str, Any]:
        status = wire.message_class("StatusResponse")()
        errors = DOWN
        try:
            ask = wire.callable_of(channel, "Maintenance/Status")
            status = ask(wire.message_class("StatusRequest")(), timeout=self.timeout)
            errors = ", ".join(status.errors)
        except self._grpc.RpcError as error:
            self.trouble = _reason(wire.error_of(error))
        return {
            "member": address,
            "is leader": status.leader == status.header.member_id != 0,
            "is learner": status.isLearner,
            "raft term": status.raftTerm,
            "raft index": status.raftIndex,
            "raft applied index": status.raftAppliedIndex,
            "revision": status.header.revision or self._revision(channel) if errors != DOWN else 0,
            "errors": errors,
        }

    def _revision(self, channel: Any) -> int:
        """The revision that a member has: its status has none, but a local read says it."""
        probe = wire.message_class("RangeRequest")(key=b"\0", serializable=True, count_only=True)
        try:
            return int(wire.callable_of(channel, "KV/Range")(probe, timeout=self.timeout).header.revision)
        except self._grpc.RpcError:
            return 0

    def close(self) -> None:
        """Let go of all connections; what was begun ends."""
        self.closed = True
        for stopped in self._begun:
            stopped.set()
        for channel in self.channels:
            channel.close()

    def __str__(self) -> str:
        return f"etcd at {', '.join(self.addresses)}"


DOWN = "is down"


class RemoteWatch(Told):
    """A watch at a real etcd. When a member fails, it goes on at another one, from where it was.

    Raises:
        EtcdError: no member lets it begin.
    """

    def __init__(self, remote: Remote, request: WatchCreate, place: int) -> None:
        super().__init__(request)
        self._remote = remote
        self._place = place
        self.server = remote.addresses[place]
        self.listeners: list[Callable[[], None]] = []
        self._call: Any = None
        self._news = threading.Condition()
        self._created = threading.Event()
        self._trouble = EtcdError("DEADLINE_EXCEEDED", "")
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._created.wait(remote.timeout):  # from here on nothing is missed
            self.cancel()
            raise remote._no_answer(self._trouble)

    def _listen(self) -> None:
        while not (self.ended or self._remote.closed):
            requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
            try:
                for message in self._connect(requests):
                    with self._news:
                        self.take([wire.to_value(message)])
                        self._news.notify_all()
                    for listener in list(self.listeners):
                        listener()
                    self._created.set()
                    if self.ended:
                        return
            except self._remote._grpc.RpcError as error:
                if not self._trouble.text.startswith(ETCD):  # its own words say more than gRPC's
                    self._trouble = wire.error_of(error)
                self._place = (self._place + 1) % len(self._remote.channels)
                self.server = self._remote.addresses[self._place]
            except ValueError:  # what gRPC says of a channel that was closed
                return
            finally:
                requests.put(None)
            time.sleep(PAUSE)

    def _connect(self, requests: queue.SimpleQueue[Any]) -> Any:
        wanted = replace(self.request, start_revision=self.next_revision)
        requests.put(wire.message_class("WatchRequest")(create_request=wire.to_message(wanted)))
        stream = wire.callable_of(self._remote.channels[self._place], "Watch/Watch")
        self._call = stream(iter(requests.get, None), metadata=(("hasleader", "true"),))
        if self.ended:  # it was cancelled before there was a call to cancel
            self._call.cancel()
        return self._call

    def wait_for_more(self, timeout: float | None = None) -> tuple[Any, ...]:
        """Wait until there is something that no program has had, and take it."""
        with self._news:
            self._news.wait_for(lambda: len(self.responses) > self.taken, timeout)
            seen = tuple(self.responses[self.taken :])
            self.taken = len(self.responses)
            return seen

    def cancel(self) -> None:
        super().cancel()
        if self._call is not None:
            self._call.cancel()

    def __str__(self) -> str:
        return f"{self.request}: {len(self)} event{'s' * (len(self) != 1)}, at {self.server}"


def endpoints(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Host and port of each member: of addresses with or without `http://`, several of them with commas in between.

    Raises:
        TypeError: one is no text.
        ValueError: one does not say host and port, or asks for TLS.
    """
    found = []
    for given in addresses:
        if not isinstance(given, str):
            raise TypeError(f'an address is text, such as "127.0.0.1:2379", not {given!r}')
        for address in map(str.strip, given.split(",")):
            if address.startswith("https://"):
                raise ValueError(f"{address}: TLS is not spoken here, only plain http")
            bare = address.removeprefix("http://").rstrip("/")
            host, _, port = bare.rpartition(":")
            if not (host and "/" not in host and port.isdecimal() and 0 < int(port) < 2**16):
                raise ValueError(f'{address!r} is no address: it takes host and port, such as "127.0.0.1:2379"')
            found.append(bare)
    return tuple(found)


def _reason(told: EtcdError) -> str:
    """The end of gRPC's words, which tells most: "Connection refused"."""
    return "no answer in time" if _is_late(told) else told.text.rsplit(": ", 1)[-1].strip("]") or told.code


def _is_late(told: EtcdError) -> bool:
    """Whether the time was over that we have set, and not etcd's.

    A member may be the first to notice that: it says so as UNKNOWN, in the words of Go's `context`.
    """
    if told.text.startswith(ETCD):
        return False
    return told.code == "DEADLINE_EXCEEDED" or told.text == "context deadline exceeded"


def _grpc() -> Any:
    try:
        import grpc
    except ImportError:
        raise wire.MissingLibrary("to reach a real etcd takes grpcio: pip install 'raft_lab[serve]'") from None
    return grpc
