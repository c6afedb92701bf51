"""What stands in the query and the body of a request."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from raft_lab.kube.errors import ApiError, Cause, bad_request, invalid
from raft_lab.kube.requests import Delete, List, Watch
from raft_lab.serve.protobuf import read_protobuf

LARGEST = 3 * 1024 * 1024
"""How many bytes a body may have, as in Kubernetes."""
PROTOBUF = "application/vnd.kubernetes.protobuf"
_YAML = ("application/yaml", "application/apply-patch+yaml")
_KNOWN = ("", "application/octet-stream", "application/json", PROTOBUF, *_YAML)
Query = Mapping[str, str]


async def read(http: web.Request, empty: Any = None) -> Any:
    """What the body says.

    Args:
        http: the request.
        empty: what it says if there is none.

    Raises:
        ApiError: 400, it cannot be read; 415, its media type is not known.
    """
    media = http.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media not in _KNOWN and not media.endswith("+json"):
        raise unsupported(_KNOWN[2:])
    data = await http.read()
    if not data and empty is not None:
        return empty
    if media == PROTOBUF:
        return read_protobuf(data)
    return _yaml(data) if media in _YAML else _json(data)


def _json(data: bytes) -> Any:
    try:
        told = json.loads(data, parse_constant=_no_number)
        if b"\\ud" in data.lower():  # half of a pair, which is no character
            told = json.loads(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace"))
        return told
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body of the request is no JSON: {error}") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _yaml(data: bytes) -> Any:
    """JSON is YAML, too, and what most clients send."""
    try:
        return _json(data)
    except ApiError:
        pass
    import yaml

    try:
        return yaml.load(data, _loader())  # noqa: S506  it is a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise bad_request(f"the body of the request is no YAML: {error}") from None


@functools.cache
def _loader() -> Any:
    """YAML without aliases, of which a few make gigabytes; and what looks like a date is text, as in JSON."""
    import yaml

    class Loader(yaml.SafeLoader):
        def fetch_alias(self) -> None:
            raise yaml.YAMLError("aliases are not taken")

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


def unsupported(known: Iterable[str]) -> ApiError:
    """A body of a media type that is not known."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(known)}"
    return ApiError(415, "UnsupportedMediaType", message)


# Queries


def listed(resource: str, namespace: str, query: Query) -> List:
    """What to list."""
    return List(
        resource,
        namespace,
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
        number(query, "limit"),
        query.get("continue", ""),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
    )


def watch(resource: str, namespace: str, query: Query) -> Watch:
    """What to watch."""
    return Watch(
        resource,
        namespace,
        query.get("resourceVersion", ""),
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
        truth(query, "allowWatchBookmarks"),
        truth(query, "sendInitialEvents"),
    )


def care(http: web.Request) -> dict[str, Any]:
    """How careful a write is to be, and who does it."""
    query: Query = http.query
    validation = query.get("fieldValidation", "")
    if validation not in ("", "Ignore", "Warn", "Strict"):
        why = f'Unsupported value: "{validation}": supported values: "Ignore", "Strict", "Warn"'
        raise _options(http.method, "fieldValidation", why)
    dry = dry_run(http.method, query.get("dryRun"))
    return {"strict": validation == "Strict", "dry_run": dry, "manager": _manager(http)}


LONGEST_MANAGER = 128


def _manager(http: web.Request) -> str:
    """Who manages what is written: as the client says, or else what it calls itself before the slash."""
    said: str = http.query.get("fieldManager", "")
    if len(said.encode()) > LONGEST_MANAGER:
        why = f"Too long: may not be more than {LONGEST_MANAGER} bytes"
        raise _options(http.method, "fieldManager", why, "FieldValueTooLong")
    if not said.isprintable():
        why = "Invalid value: should only contain printable characters"
        raise _options(http.method, "fieldManager", why, "FieldValueInvalid")
    agent = "".join(filter(str.isprintable, http.headers.get("User-Agent", "").partition("/")[0]))
    return said or agent.encode()[:LONGEST_MANAGER].decode(errors="ignore") or "unknown"


def applying(http: web.Request, how: str) -> dict[str, bool]:
    """Whether one who applies forces it.

    Raises:
        ApiError: 422, he does not say who he is, or does not apply.
    """
    if how == "apply" and not http.query.get("fieldManager"):
        why = "Required value: is required for apply patch"
        raise _options(http.method, "fieldManager", why, "FieldValueRequired")
    if how != "apply" and "force" in http.query:
        why = "Forbidden: may not be specified for non-apply patch"
        raise _options(http.method, "force", why, "FieldValueForbidden")
    return {"force": truth(http.query, "force")}


def dry_run(method: str, asked: Any) -> bool:
    """Whether nothing is to be written."""
    words = [asked] if isinstance(asked, str) else asked or []
    if any(word not in ("", "All") for word in words):
        raise _options(method, "dryRun", f'Unsupported value: {json.dumps(words)}: supported values: "All"')
    return "All" in words


def deletion(resource: str, namespace: str, name: str, query: Query, body: Any) -> Delete:
    """What to delete, and under which conditions."""
    if not isinstance(body, dict):
        raise bad_request("the body of a deletion is DeleteOptions")
    conditions = body.get("preconditions") or {}
    if not isinstance(conditions, dict):
        raise bad_request("preconditions are an object with uid and resourceVersion")
    return Delete(
        resource,
        namespace,
        name,
        str(conditions.get("uid") or ""),
        str(conditions.get("resourceVersion") or ""),
        dry_run("DELETE", query.get("dryRun")) or dry_run("DELETE", body.get("dryRun")),
    )


OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}


def _options(method: str, field: str, why: str, reason: str = "FieldValueNotSupported") -> ApiError:
    return invalid("meta.k8s.io", OPTIONS[method], "", [Cause(reason, field, why)])


def number(query: Query, name: str) -> int:
    """A whole number, 0 if there is none."""
    text = query.get(name, "") or "0"
    if not re.fullmatch(r"\d{1,18}", text):
        raise bad_request(f"{name} is a whole number, not {text[:40]!r}")
    return int(text)


def truth(query: Query, name: str) -> bool:
    """Yes or no; no if nothing is said."""
    return query.get(name, "").lower() in ("true", "1")


def seconds(text: str) -> float:
    """A duration as Go writes it, such as "1.5s", "1m0s" or "300ms"; 0 if there is none."""
    if not text:
        return 0.0
    if not re.fullmatch(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+", text) or len(text) > 40:
        raise bad_request(f'invalid timeout value: "{text[:40]}" is no duration; one is such as 1.5s')
    units = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(n) * units[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h)", text))
