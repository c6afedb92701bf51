"""The Kubernetes API as programs of the store: each request is a few reads and transactions of etcd, and no more.

    def elect():
        lease = yield from perform(Get("leases", "default", "my-app"), clock)    # an `ApiError` is raised here

Nothing here has a clock, a connection or chance: the same lines run in a simulated cluster (`raft_lab.kv.Clients`), by
`KV(cluster).run`, against a real etcd by `KV.connect(...).run`, and behind HTTP. What they do to etcd is what
kube-apiserver does (apiserver/pkg/storage/etcd3/store.go, apiserver/pkg/registry/generic/registry/store.go):

- resourceVersion is the revision at which the key was last written (mod_revision);
- to create is a transaction on the condition that the key does not exist (mod_revision = 0);
- to update is to read, to change, and a transaction on the condition that nobody has written meanwhile: again, if so.

Not done: admission but for namespaces, owner references' garbage collection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias
from uuid import UUID

from raft_lab.kube.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    invalid,
    invalid_value,
    not_found,
    store_failed,
    timeout,
)
from raft_lab.kube.fields import print_time
from raft_lab.kube.lists import get, list_objects
from raft_lab.kube.managers import Path, apply, remember
from raft_lab.kube.objects import KINDS, Kind, from_store, kind_of, read_object, to_value, versioned
from raft_lab.kube.patches import patched
from raft_lab.kube.requests import Create, Delete, Get, List, Object, Patch, Request, Update, Watch
from raft_lab.kube.validation import validate, with_defaults
from raft_lab.kube.watching import begin
from raft_lab.kv.calls import Unknown
from raft_lab.kv.clients import Program
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    KeyValue,
    LeaseGrant,
    Put,
    Range,
    Txn,
    prefix_end,
)

Clock: TypeAlias = Callable[[], int]
"""The API server's clock: microseconds since 1970."""

ALWAYS_THERE = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Namespaces that need not be created, and cannot be deleted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answers.

    Attributes:
        code: HTTP's: 200, or 201 for what was created.
        body: the object, the list, or a Status; of a `Watch`, how it begins (`raft_lab.kube.watching.Begun`).
        unknown: paths of fields in the request that were dropped, since the kind has none of that name.
    """

    code: int
    body: Any
    unknown: tuple[str, ...] = ()


def perform(request: Request, clock: Clock) -> Program:
    """A program that does a request; it returns the object, or the list.

    Args:
        request: see requests.py.
        clock: the API server's clock. An object's uid, too, is made of its key and of the time of its creation.

    Raises:
        ApiError: what the API answers instead (in the program).
    """
    told: Answer = yield from answer(request, clock)
    return told.body


def answer(request: Request, clock: Clock) -> Program:
    """The same as `perform`, with HTTP's code: the program returns an `Answer`."""
    try:
        match request:
            case Get():
                return Answer(200, (yield from get(request)))
            case List():
                return Answer(200, (yield from list_objects(request)))
            case Watch():
                return Answer(200, (yield from begin(request)))
            case Create():
                return (yield from _create(request, clock))
            case Update():
                return (yield from _update(request, clock))
            case Patch():
                return (yield from _patch(request, clock))
            case Delete():
                return (yield from _delete(request, clock))
    except EtcdError as error:
        raise store_failed(error.text) from error
    except Unknown as error:
        raise timeout(str(error)) from error
    raise TypeError(f"a request of the API is Get, List, Create, Update, Patch, Delete or Watch, not {request!r}")


def bootstrap(clock: Clock) -> Program:
    """Create the namespaces that every cluster has, where they are missing."""
    for name in ALWAYS_THERE:
        try:
            yield from perform(Create("namespaces", "", {"metadata": {"name": name}}), clock)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise


# --- Create ----------------------------------------------------------------------------------------------------------


def _create(request: Create, clock: Clock) -> Program:
    kind = kind_of(request.resource)
    unknown: list[str] = []
    thing = read_object(kind, request.object, unknown)
    _refuse_unknown(unknown, request.strict)
    _belongs(kind, thing, request.namespace)
    if thing["metadata"].get("resourceVersion"):
        raise store_failed("resourceVersion should not be set on objects to be created")
    created = yield from _insert(kind, thing, clock, request.dry_run, request.manager)
    return Answer(201, created, tuple(unknown))


def _insert(
    kind: Kind, thing: Object, clock: Clock, dry_run: bool, manager: str, wants: frozenset[Path] | None = None
) -> Program:
    """Write an object that must not be there yet, into a namespace that must."""
    now_us = clock()
    thing = remember(kind, None, _newborn(kind, thing, now_us), manager, now_us, wants)
    meta = thing["metadata"]
    namespace, name = meta.get("namespace", ""), meta["name"]
    key = kind.key(namespace, name)
    is_new = Compare(key, CompareTarget.MOD, CompareResult.EQUAL, 0)
    where: tuple[bytes, ...] = ()
    if namespace and namespace not in ALWAYS_THERE:
        where = (KINDS["namespaces"].key("", namespace),)
    is_there = tuple(Compare(folder, CompareTarget.MOD, CompareResult.GREATER, 0) for folder in where)
    write = () if dry_run else (Put(key, to_value(thing), (yield from _lease(kind))),)
    done = yield Txn((is_new, *is_there), write, tuple(Range(folder, count_only=True) for folder in where))
    if not done.succeeded:
        if where and not done.responses[0].count:
            raise not_found(KINDS["namespaces"], namespace)
        raise already_exists(kind, name)
    return thing if dry_run else versioned(thing, done.revision)


EVENT_SECONDS = 3600


def _lease(kind: Kind) -> Program:
    """Events hang on a lease of the store, and are gone after an hour (--event-ttl); all else stays."""
    if kind.name != "Event":
        return 0
    return (yield LeaseGrant(EVENT_SECONDS)).id


def _newborn(kind: Kind, thing: Object, now_us: int) -> Object:
    """An object with what the server says of it at its creation."""
    given = thing["metadata"]
    seed = sha256(f"{kind.key(given.get('namespace', '')).decode()} {given} {now_us}".encode()).digest()
    name = given.get("name") or (given.get("generateName", "") and given["generateName"] + _suffix(seed))
    said = {"name": name, "uid": str(UUID(bytes=seed[:16], version=4)), "creationTimestamp": print_time(now_us)}
    kept = ("generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers")
    meta = {**said, **{field: given[field] for field in kept if field in given}}
    thing = with_defaults(kind, {**thing, "metadata": meta})
    validate(kind, thing)
    return read_object(kind, thing)


def _suffix(seed: bytes) -> str:
    """Five letters that spell no word."""
    letters = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(letters[byte % len(letters)] for byte in seed[16:21])


# --- Update and patch ------------------------------------------------------------------------------------------------


def _update(request: Update, clock: Clock) -> Program:
    kind = kind_of(request.resource)
    unknown: list[str] = []
    thing = read_object(kind, request.object, unknown)
    _refuse_unknown(unknown, request.strict)
    _belongs(kind, thing, request.namespace, request.name)

    def change(before: Object | None) -> Object:
        if before is None:
            if not kind.created_by_update:
                raise not_found(kind, request.name)
            return thing
        if kind.needs_version and not thing["metadata"].get("resourceVersion"):
            cause = invalid_value("metadata.resourceVersion", _UNSET, "must be specified for an update")
            raise invalid(kind.group, kind.plural, request.name, [cause])
        return thing

    return (yield from _write(kind, request, change, clock, unknown))


class _Unset:
    def __str__(self) -> str:
        return "0x0"


_UNSET = _Unset()


def _patch(request: Patch, clock: Clock) -> Program:
    kind = kind_of(request.resource)
    unknown: list[str] = []
    wants: list[frozenset[Path]] = []

    def change(before: Object | None) -> Object:
        if before is None and request.how != "apply":
            raise not_found(kind, request.name)
        unknown.clear()
        if request.how == "apply" and request.manager:
            after, wanted = apply(kind, before, request.patch, request.manager, request.force)
            wants[:] = [wanted]
        else:
            after = patched(before or {}, request.patch, request.how)
        thing = read_object(kind, after, unknown)
        if unknown and request.strict:
            cause = invalid_value("patch", str(request.patch), _strictly(unknown))
            raise invalid("", "", "", [cause])
        _belongs(kind, thing, request.namespace, request.name)
        return thing

    return (yield from _write(kind, request, change, clock, unknown, wants))


Change: TypeAlias = Callable[[Object | None], Object]
"""What an object shall be, given what it is (None: it is not there)."""


def _write(
    kind: Kind,
    request: Update | Patch,
    change: Change,
    clock: Clock,
    unknown: list[str],
    wants: Sequence[frozenset[Path]] = (),
) -> Program:
    """Read, change, write if nobody has written meanwhile: until it is so (GuaranteedUpdate).

    `wants` is what whoever applies manages from now on, once `change` has found out.
    """
    key = kind.key(request.namespace, request.name)
    found = yield Range(key)
    kvs = found.kvs
    while True:
        if not kvs:
            thing = change(None)
            created = yield from _insert(kind, thing, clock, request.dry_run, request.manager, *wants)
            return Answer(201, created, tuple(unknown))
        kv = kvs[0]
        before = from_store(kv)
        after = _successor(kind, change(before), before)
        after = remember(kind, before, after, request.manager, clock() if request.manager else 0, *wants)
        value = to_value(after)
        if value == kv.value:  # nothing would change: nothing is written, and the version stays
            return Answer(200, before, tuple(unknown))
        if request.dry_run:
            return Answer(200, versioned(after, kv.mod_revision), tuple(unknown))
        write = DeleteRange(key) if _may_go(after) else Put(key, value, (yield from _lease(kind)))
        done = yield Txn((_unchanged(kv),), (write,), (Range(key),))
        if done.succeeded:
            return Answer(200, versioned(after, done.revision), tuple(unknown))
        kvs = done.responses[0].kvs


KEPT = (
    "name", "generateName", "namespace", "uid", "generation",
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
"""What of an object's metadata only the server says."""


def _successor(kind: Kind, thing: Object, before: Object) -> Object:
    """The object as it may replace another: of that version and identity, with what only the server says kept."""
    given, held = thing["metadata"], before["metadata"]
    name = held["name"]
    if given.get("resourceVersion", "") not in ("", "0", held["resourceVersion"]):
        raise conflict(kind, name)
    if given.get("uid", "") not in ("", held["uid"]):
        why = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {held['uid']}"
        raise conflict(kind, name, why)
    meta = {field: value for field, value in given.items() if field not in KEPT}
    meta |= {field: held[field] for field in KEPT if field in held}
    thing = with_defaults(kind, {**thing, "metadata": meta})
    validate(kind, thing, before)
    return read_object(kind, thing)


# --- Delete ----------------------------------------------------------------------------------------------------------


def _delete(request: Delete, clock: Clock) -> Program:
    kind = kind_of(request.resource)
    if kind.name == "Namespace" and request.name in ALWAYS_THERE:
        message = f'namespaces "{request.name}" is forbidden: this namespace may not be deleted'
        raise ApiError(403, "Forbidden", message, kind.details(request.name))
    key = kind.key(request.namespace, request.name)
    found = yield Range(key)
    kvs = found.kvs
    while kvs:
        kv = kvs[0]
        before = from_store(kv)
        _is_meant(kind, request, before)
        after = _marked(kind, before, clock()) if before["metadata"].get("finalizers") else None
        if request.dry_run or after == before:
            return Answer(200, after or _gone(kind, before))
        write = (Put(key, to_value(after)),) if after else _with_contents(kind, request.name, key)
        done = yield Txn((_unchanged(kv),), write, (Range(key),))
        if done.succeeded:
            return Answer(200, versioned(after, done.revision) if after else _gone(kind, before))
        kvs = done.responses[0].kvs
    raise not_found(kind, request.name)


def _is_meant(kind: Kind, request: Delete, before: Object) -> None:
    asked = (("UID", request.uid, "uid", "deleted and then recreated"),
             ("ResourceVersion", request.resource_version, "resourceVersion", "modified"))  # fmt: skip
    for word, wanted, field, happened in asked:
        held = before["metadata"][field]
        if wanted not in ("", held):
            why = f"the {word} in the precondition ({wanted}) does not match the {word} in record ({held}). "
            raise conflict(kind, request.name, f"{why}The object might have been {happened}")


def _marked(kind: Kind, before: Object, now_us: int) -> Object:
    """An object that waits for its finalizers to be done."""
    since = before["metadata"].get("deletionTimestamp", print_time(now_us))
    meta = {**before["metadata"], "deletionTimestamp": since, "deletionGracePeriodSeconds": 0}
    return read_object(kind, {**before, "metadata": meta})


def _may_go(thing: Object) -> bool:
    """Whether all that its deletion waited for is done."""
    return "deletionTimestamp" in thing["metadata"] and not thing["metadata"].get("finalizers")


def _with_contents(kind: Kind, name: str, key: bytes) -> tuple[DeleteRange, ...]:
    """A namespace goes with all that is in it, at one revision (Kubernetes has a controller empty it first)."""
    inside = [other for other in KINDS.values() if other.namespaced] if kind.name == "Namespace" else []
    folders = [other.key(name) for other in inside]
    return (*(DeleteRange(folder, prefix_end(folder)) for folder in folders), DeleteRange(key))


def _gone(kind: Kind, before: Object) -> Object:
    """What is said of an object that is deleted."""
    details = {**kind.details(before["metadata"]["name"]), "uid": before["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


# --- Shared ----------------------------------------------------------------------------------------------------------


def _unchanged(kv: KeyValue) -> Compare:
    return Compare(kv.key, CompareTarget.MOD, CompareResult.EQUAL, kv.mod_revision)


def _belongs(kind: Kind, thing: Object, namespace: str, name: str = "") -> None:
    """Let an object be what the request says that it is."""
    meta = thing["metadata"]
    if kind.namespaced:
        if meta.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    else:
        meta.pop("namespace", None)
    if name and meta.setdefault("name", name) != name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")


def _refuse_unknown(unknown: list[str], strict: bool) -> None:
    if unknown and strict:
        raise bad_request(_strictly(unknown))


def _strictly(unknown: list[str]) -> str:
    return "strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in unknown)
