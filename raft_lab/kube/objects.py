"""The kinds of objects, where they live in the store, and how they are written there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from raft_lab.kube.errors import ApiError, bad_request, store_failed
from raft_lab.kube.fields import STRUCTS, canonical
from raft_lab.kube.requests import Object
from raft_lab.kv.requests import KeyValue


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object.

    Attributes:
        name: such as "Lease".
        plural: such as "leases": how requests name it.
        group: of the API; "" is the core group.
        prefix: of the keys under which its objects are stored.
        short: what one may type for it in kubectl.
        namespaced: whether its objects live in namespaces.
        created_by_update: whether an update of an object that is not there creates it.
        needs_version: whether an update must say which version it replaces.
    """

    name: str
    plural: str
    group: str = ""
    prefix: str = ""
    short: tuple[str, ...] = ()
    namespaced: bool = True
    created_by_update: bool = False
    needs_version: bool = False

    @property
    def api_version(self) -> str:
        """Group and version, as objects have it."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def qualified(self) -> str:
        """The plural with the group, as errors have it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def details(self, name: str) -> dict[str, Any]:
        """Which object an answer is about."""
        named = {"name": name, "group": self.group, "kind": self.plural}
        return {key: value for key, value in named.items() if value}

    def key(self, namespace: str, name: str = "") -> bytes:
        """The key of an object; without a name the prefix of all in the namespace, without both that of all."""
        folder = f"{self.prefix}/{namespace}" if self.namespaced and namespace else self.prefix
        return f"{folder}/{name}".encode()


KINDS = {
    kind.plural: kind
    for kind in (
        Kind("Lease", "leases", "coordination.k8s.io", "/registry/leases", (), True, True, True),
        Kind("Endpoints", "endpoints", "", "/registry/services/endpoints", ("ep",), True, True),
        Kind("ConfigMap", "configmaps", "", "/registry/configmaps", ("cm",)),
        Kind("Namespace", "namespaces", "", "/registry/namespaces", ("ns",), False),
        Kind("Event", "events", "", "/registry/events", ("ev",), True, True),
    )
}
"""All kinds that the API has, by plural."""


def kind_of(resource: str) -> Kind:
    """The kind with this plural.

    Raises:
        ApiError: 404, there is none.
    """
    if resource not in KINDS:
        raise ApiError(404, "NotFound", f"the server could not find the requested resource ({resource})")
    return KINDS[resource]


def read_object(kind: Kind, given: Any, unknown: list[str] | None = None) -> Object:
    """An object as it came from a client, in canonical form.

    Args:
        kind: what it should be.
        given: what came.
        unknown: where the paths of fields are put that the kind does not have; they are dropped.

    Raises:
        ApiError: 400: it is of another kind, or has wrong types.
    """
    if not isinstance(given, dict):
        raise bad_request(f"a {kind.name} is an object, not {json.dumps(given, default=str)[:40]}")
    for name, expected in (("apiVersion", kind.api_version), ("kind", kind.name)):
        if given.get(name) not in (None, "", expected):
            what = "API version" if name == "apiVersion" else "kind"
            raise bad_request(f"the {what} in the data ({given[name]}) does not match the expected {what} ({expected})")
    return {"kind": kind.name, "apiVersion": kind.api_version, **canonical(kind.name, given, unknown)}


def to_value(thing: Object) -> bytes:
    """An object as the store holds it: JSON without resourceVersion, since that is the key's own revision."""
    meta = {name: value for name, value in thing["metadata"].items() if name != "resourceVersion"}
    return json.dumps({**thing, "metadata": meta}, separators=(",", ":"), ensure_ascii=False).encode()


def from_store(kv: KeyValue, revision: int = 0) -> Object:
    """An object as the store holds it, with the key's revision, or another one, as its version.

    Raises:
        ApiError: 500, what the key holds is no object.
    """
    try:
        return versioned(json.loads(kv.value), revision or kv.mod_revision)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise store_failed(f"{kv.key.decode(errors='replace')} holds no object of Kubernetes") from None


def versioned(thing: Object, revision: int) -> Object:
    """The object with its version, at its place in the metadata."""
    meta = {**thing["metadata"], "resourceVersion": str(revision)}
    return {**thing, "metadata": {name: meta[name] for name in STRUCTS["ObjectMeta"] if name in meta}}
