"""The Kubernetes API over HTTP: a path and a method become a request of `raft_lab.kube`, and its answer a response."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp import web

from raft_lab.kube.api import Answer, answer
from raft_lab.kube.errors import ApiError, timeout
from raft_lab.kube.objects import KINDS, Kind
from raft_lab.kube.requests import Create, Delete, Get, List, Patch, Request, Update, Watch
from raft_lab.kv.clients import Program
from raft_lab.kv.requests import Range
from raft_lab.raft.errors import RaftLabError
from raft_lab.serve import bodies, discovery
from raft_lab.serve.behind import Behind
from raft_lab.serve.shapes import Shape, shape_of
from raft_lab.serve.streams import REQUEST_SECONDS, now_us, stream

HOW = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
"""The ways to patch, by the media type of the body."""
HEALTH_SECONDS = 2
"""So long the store may take to be called healthy (`--etcd-healthcheck-timeout`)."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a path names: an object, or all of a kind, in a namespace or everywhere.

    Attributes:
        kind: the kind.
        namespace: "" for everywhere, and for what is in none.
        name: "" for all.
    """

    kind: Kind
    namespace: str = ""
    name: str = ""

    @property
    def is_place(self) -> bool:
        """Whether an object could be created here."""
        return not self.name and (bool(self.namespace) or not self.kind.namespaced)


def address_of(path: str) -> Address | None:
    """What a path names, or None. It is split as Go's server has it: decoded, so that no name holds a slash."""
    path = unquote(path)
    for group in discovery.GROUPS:
        root = discovery.root_of(group) + "/"
        if path.startswith(root):
            by_plural = {kind.plural: kind for kind in discovery.kinds_of(group)}
            match path[len(root) :].rstrip("/").split("/"):
                case [plural] if plural in by_plural:
                    return Address(by_plural[plural])
                case ["namespaces", name] if not group:
                    return Address(KINDS["namespaces"], "", name)
                case ["namespaces", namespace, plural] if plural in by_plural and by_plural[plural].namespaced:
                    return Address(by_plural[plural], namespace)
                case ["namespaces", namespace, plural, name] if plural in by_plural and by_plural[plural].namespaced:
                    return Address(by_plural[plural], namespace, name)
    return None


class Rest:
    """Answers HTTP.

    Args:
        behind: where programs run.
        hosts: by which names clients may call the server (a page of another site could use another); None: by any.
    """

    def __init__(self, behind: Behind, hosts: frozenset[str] | None = None) -> None:
        self.behind = behind
        self.hosts = hosts
        self.watchers = 0
        """How many watches are open."""

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """One request."""
        try:
            self._refuse_strangers(http)
            return await self._answer(http)
        except ApiError as error:
            return status(error)
        except web.HTTPRequestEntityTooLarge:
            limit = f"limit is {bodies.LARGEST}"
            return status(ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {limit}"))
        except web.HTTPException as error:
            return status(ApiError(error.status, "BadRequest", error.reason))
        except RaftLabError as error:
            return status(ApiError(503, "ServiceUnavailable", str(error)))
        except Exception as error:  # a mistake of ours shall not look like one of the network
            return status(_internal(error))

    def _refuse_strangers(self, http: web.Request) -> None:
        """Answer no page of another site: browsers send an Origin, and the name by which they found the server."""
        origin = http.headers.get("Origin")
        try:
            names = {urlsplit(url).hostname for url in (f"//{http.host}", origin) if url}
        except ValueError:  # it is no name at all
            names = {None}
        if self.hosts is not None and not names <= self.hosts:
            raise ApiError(403, "Forbidden", "this API is for programs on the machine that it runs on")

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        path = http.raw_path.partition("?")[0]
        if path.rstrip("/") in ("/healthz", "/livez", "/readyz"):
            return await self._health(path.strip("/"), "verbose" in http.query)
        if http.method == "GET" and (told := self._described(http, unquote(path.rstrip("/") or "/"))):
            return told
        address = address_of(path)
        if address is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource", {})
        shape = shape_of(http.headers.get("Accept", ""), http.query.get("includeObject", "Metadata"), address.kind)
        request = await self._request(http, address)
        seconds = bodies.seconds(http.query.get("timeout", "")) or REQUEST_SECONDS
        if isinstance(request, Watch):
            return await stream(self, http, request, shape)
        if isinstance(request, _DeleteAll):
            done = await self.within(self._delete_all(request.list), seconds)
        else:
            done = await self.within(self.ask(request), seconds)
        return self._respond(http, done, shape)

    async def _health(self, check: str, verbose: bool) -> web.Response:
        """Whether the store answers, in a real API server's words."""
        try:
            await asyncio.wait_for(self.behind.ask(_looks_at_the_store()), HEALTH_SECONDS)
        except (RaftLabError, TimeoutError):
            told = f"[+]ping ok\n[-]etcd failed: reason withheld\n{check} check failed\n"
            return web.Response(status=500, text=told)
        return web.Response(text=f"[+]ping ok\n[+]etcd ok\n{check} check passed\n" if verbose else "ok")

    def _described(self, http: web.Request, path: str) -> web.Response | None:
        accept = http.headers.get("Accept", "")
        for version in ("v2", "v2beta1"):
            media = discovery.AGGREGATED.format(version)
            if media in accept and (body := discovery.aggregated(path, version)) is not None:
                return _json(200, body, media)
        body = discovery.described(path)
        return None if body is None else _json(200, body)

    async def _request(self, http: web.Request, address: Address) -> Request | _DeleteAll:
        kind, namespace, name = address.kind.plural, address.namespace, address.name
        match http.method, bool(name):
            case "GET", False if _yes(http, "watch"):
                return bodies.watch(kind, namespace, http.query)
            case "GET", False:
                return bodies.listed(kind, namespace, http.query)
            case "GET", True:
                return Get(kind, namespace, name, http.query.get("resourceVersion", ""))
            case "POST", False if address.is_place:
                return Create(kind, namespace, await bodies.read(http), **bodies.care(http))
            case "PUT", True:
                return Update(kind, namespace, name, await bodies.read(http), **bodies.care(http))
            case "PATCH", True:
                how = HOW.get(http.content_type)
                if how is None:
                    raise bodies.unsupported(HOW)
                asked = {**bodies.applying(http, how), **bodies.care(http)}
                return Patch(kind, namespace, name, await bodies.read(http), how, **asked)
            case "DELETE", True:
                return bodies.deletion(kind, namespace, name, http.query, await bodies.read(http, empty={}))
            case "DELETE", False if address.is_place:
                return _DeleteAll(bodies.listed(kind, namespace, http.query))
        message = "the server does not allow this method on the requested resource"
        raise ApiError(405, "MethodNotAllowed", message)

    async def ask(self, request: Request) -> Answer:
        """Do a request of the API."""
        done: Answer = await self.behind.ask(_careful(answer(request, now_us)))
        return done

    async def within(self, asked: Awaitable[Any], seconds: float) -> Answer:
        """The answer, if it comes in time.

        Raises:
            ApiError: 504, it does not.
        """
        try:
            done: Answer = await asyncio.wait_for(asked, seconds)
            return done
        except TimeoutError:
            raise timeout("request did not complete within requested timeout") from None

    async def _delete_all(self, request: List) -> Answer:
        listed = await self.ask(request)
        for item in listed.body["items"]:
            meta = item["metadata"]
            one = Delete(request.resource, meta.get("namespace", ""), meta["name"], uid=meta["uid"])
            with contextlib.suppress(ApiError):  # somebody else was faster
                await self.ask(one)
        return listed

    def _respond(self, http: web.Request, told: Answer, shape: Shape) -> web.Response:
        response = _json(told.code, shape.answer(told.body, now_us()))
        if told.unknown and http.query.get("fieldValidation", "Warn") == "Warn":
            for path in told.unknown:
                response.headers.add("Warning", f'299 - "unknown field \\"{_header(path)}\\""')
        return response


def _looks_at_the_store() -> Program:
    yield Range(b"/registry/health", count_only=True)


def _careful(program: Program) -> Program:
    """A program that fails only in ways that are told: a mistake in it is not to stop whoever runs it."""
    try:
        return (yield from program)
    except RaftLabError:
        raise
    except Exception as error:
        raise _internal(error) from error


def _internal(error: Exception) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {error!r}")


@dataclass(frozen=True, slots=True)
class _DeleteAll:
    list: List


def status(error: ApiError) -> web.Response:
    """An error as a response."""
    response = _json(error.code, error.status())
    if seconds := error.details.get("retryAfterSeconds"):
        response.headers["Retry-After"] = str(seconds)
    return response


def _json(code: int, body: Any, media: str = "application/json") -> web.Response:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    return web.Response(status=code, body=text, headers={"Content-Type": media, "Cache-Control": "no-cache, private"})


def _yes(http: web.Request, name: str) -> bool:
    return http.query.get(name, "").lower() in ("true", "1")


def _header(text: str) -> str:
    return "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in text)
