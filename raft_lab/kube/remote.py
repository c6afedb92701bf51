"""Programs against a real API server, in real time: the same electors that run in a simulated cluster.

api = Remote("http://127.0.0.1:8001")              # `kubectl proxy`, or `serve.kubernetes(cluster).url`
api = Remote.of("~/.kube/config")
context = Context(RealClock())
elector = LeaderElector(LeaderElectionConfig(LeaseLock("default", "demo", "me"), callbacks), RealClock())
process = api.start(elector.run(context), context)
process.cancel()
"""

from __future__ import annotations

import json
import queue
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, build_opener
from urllib.request import Request as HttpRequest

from raft_lab.kube.errors import ApiError
from raft_lab.kube.kubeconfig import read
from raft_lab.kube.objects import kind_of
from raft_lab.kube.processes import Ask, ConnectionRefused, Context, DeadlineExceeded, NoAnswer, Program, Wish
from raft_lab.kube.requests import Create, Delete, Get, List, Update

LARGEST = 1 << 22
"""Bytes; a longer answer is not read."""


class NotTrusted(NoAnswer):
    """One of the two does not trust the other, so nothing was asked."""


class RealClock:
    """This machine's clocks."""

    def now_us(self) -> int:
        return time.monotonic_ns() // 1000

    def wall_us(self) -> int:
        return time.time_ns() // 1000


class Remote:
    """A real API server.

    Args:
        url: where it is, such as "http://127.0.0.1:8001".
        token: to be sent with every request.
        tls: whom to trust, and with which certificate to come.

    Raises:
        ValueError: this is no address of a server.
    """

    def __init__(self, url: str, *, token: str = "", tls: ssl.SSLContext | None = None) -> None:
        if not (isinstance(url, str) and url.startswith(("http://", "https://"))):
            raise ValueError(f'an API server is at an address such as "http://127.0.0.1:8001", not at {url!r}'[:200])
        self.url = url.rstrip("/")
        self.token = token
        self._opener: OpenerDirector = build_opener(ProxyHandler({}), HTTPSHandler(context=tls))

    @classmethod
    def of(cls, kubeconfig: str | Path) -> Remote:
        """The server of a kubeconfig's current context.

        Raises:
            OSError: the file cannot be read.
            RaftLabError: what it holds is not understood.
        """
        access = read(kubeconfig)
        return cls(access.url, token=access.token, tls=access.tls)

    def perform(self, request: Any, timeout: float | None = None) -> Any:
        """Ask, and wait for the answer: the object.

        Args:
            request: one of Get, List, Create, Update and Delete (see requests.py).
            timeout: how long to wait, in seconds; None: for ever.

        Raises:
            ApiError: what the server answers instead.
            NoAnswer: it does not answer.
            NotTrusted: it is not the server that it should be, or does not take us for who we are.
        """
        method, path, body = _http(request)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        asked = HttpRequest(f"{self.url}{path}", data, headers, method=method)  # noqa: S310  http or https
        try:
            with self._opener.open(asked, timeout=timeout) as answer:
                return _read(answer.read(LARGEST))
        except HTTPError as error:
            with error:
                raise _refusal(error.code, error.read(LARGEST)) from None
        except TimeoutError:
            raise DeadlineExceeded from None
        except (URLError, OSError) as error:
            why = getattr(error, "reason", error)
            if isinstance(why, TimeoutError):
                raise DeadlineExceeded from None
            if isinstance(why, ssl.SSLError):
                raise NotTrusted(_mistrust(why, self.url)) from None
            raise ConnectionRefused(str(why)) from None

    def start(self, program: Program, context: Context) -> Running:
        """Let a program run, in a thread of its own. Give an elector `go=in_a_thread`, or its callbacks hold it up."""
        return Running(self, program, context)


def in_a_thread(callback: Callable[[], None]) -> None:
    """Begin a callback in a thread of its own, as client-go does in a goroutine (`go` of a `LeaderElector`)."""
    threading.Thread(target=callback, name="raft-lab-callback", daemon=True).start()


class Running:
    """A program that runs in real time.

    Args:
        api: whom it asks.
        program: what runs.
        context: ends it.
    """

    def __init__(self, api: Remote, program: Program, context: Context) -> None:
        self.api = api
        self.context = context
        self.result: Any = None
        self.error: Exception | None = None
        """What has ended it, if it was not itself."""
        self._program = program
        self._heard: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._calls = 0
        self._thread = threading.Thread(target=self._run, name="raft-lab-elector", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End its context; it is told at once, whatever it waits for."""
        self.context.cancel()
        self._heard.put((0, None))

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; answers with whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        told: Any = None
        try:
            while True:
                wish = self._program.throw(told) if isinstance(told, Exception) else self._program.send(told)
                told = self._grant(wish)
        except StopIteration as end:
            self.result = end.value
        except Exception as error:  # a callback has failed: the one who looks at this process shall see it
            self.error = error

    def _grant(self, wish: Wish) -> Any:
        if isinstance(wish, Ask):
            return self._ask(wish)
        until = wish.context.clock.now_us() + wish.us
        while not wish.context.done and (rest := self._rest(wish.context, until)) > 0:
            self._wait(rest)
        return None

    def _ask(self, wish: Ask) -> Any:
        """In a thread besides: whoever is canceled does not wait for an answer."""
        if (over := wish.context.error) is not None:
            return over
        self._calls += 1
        number, timeout = self._calls, self._rest(wish.context, None)
        threading.Thread(target=self._call, args=(number, wish.request, timeout), daemon=True).start()
        while True:
            told = self._wait(self._rest(wish.context, None))
            if told is not None and told[0] == number:
                return told[1]
            if (over := wish.context.error) is not None:
                return over

    def _call(self, number: int, request: Any, timeout: float | None) -> None:
        try:
            told = self.api.perform(request, timeout)
        except (ApiError, NoAnswer) as error:
            told = error
        except Exception as error:
            told = ConnectionRefused(f"{type(error).__name__}: {error}")
        self._heard.put((number, told))

    def _wait(self, seconds: float | None) -> tuple[int, Any] | None:
        try:
            return self._heard.get(timeout=seconds)
        except queue.Empty:
            return None

    @staticmethod
    def _rest(context: Context, until_us: int | None) -> Any:
        """How long there is still to wait, in seconds; None: for ever."""
        ends = [us for us in (until_us, context.deadline_us) if us is not None]
        return max(min(ends) - context.clock.now_us(), 0) / 1e6 if ends else None


# HTTP


def _http(request: Any) -> tuple[str, str, Any]:
    kind = kind_of(request.resource)
    root = "/api/v1" if not kind.group else f"/apis/{kind.api_version}"
    where = f"{root}/namespaces/{request.namespace}" if kind.namespaced and request.namespace else root
    match request:
        case Get():
            return "GET", f"{where}/{kind.plural}/{request.name}", None
        case List():
            return "GET", f"{where}/{kind.plural}", None
        case Create():
            return "POST", f"{where}/{kind.plural}", request.object
        case Update():
            return "PUT", f"{where}/{kind.plural}/{request.name}", request.object
        case Delete():
            return "DELETE", f"{where}/{kind.plural}/{request.name}", None
    raise TypeError(f"a real server is asked by Get, List, Create, Update and Delete, not by {request!r}")


def _mistrust(error: ssl.SSLError, url: str) -> str:
    """What is wrong, and what to do: OpenSSL says it by a number (X509_V_ERR_…)."""
    if isinstance(error, ssl.SSLCertVerificationError):
        match error.verify_code:
            case 9 | 10:
                return (
                    f"the certificate of {url} is not valid now ({error.verify_message}): renew it, or look at clocks"
                )
            case 62 | 64:
                return f"the certificate of {url} is for another address: {error.verify_message}"
            case 18 | 19 | 20 | 21:
                authority = "give the cluster's certificate-authority in the kubeconfig"
                return (
                    f"the certificate of {url} is by nobody who is trusted here ({error.verify_message}): {authority}"
                )
        return f"the certificate of {url} is not trusted: {error.verify_message}"
    reason = str(error.reason or error).replace("_", " ").lower()
    if "alert" in reason or isinstance(error, ssl.SSLEOFError):
        return f"{url} does not take our client certificate, or wants one: {reason}"
    return f"{url} and we do not find a secure connection: {reason}"


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise NoAnswer("the server's answer is not JSON") from None


def _refusal(code: int, body: bytes) -> ApiError:
    """The Status in a body; a server, or a proxy before it, that sends none is quoted."""
    try:
        status = json.loads(body)
        return ApiError(code, str(status["reason"]), str(status["message"]), status.get("details") or {})
    except (ValueError, KeyError, TypeError):
        return ApiError(code, "", body.decode(errors="replace")[:200] or f"HTTP {code}")
