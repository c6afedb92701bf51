"""Who manages which field of an object: metadata.managedFields, and server-side apply, which rests on it.

Whoever writes a field manages it from then on. Who applies an object says all that he wants to manage: what he applied
before and does not any more goes, unless others manage it, too; and what others manage otherwise is a conflict. Maps
are managed key by key, lists as a whole, but for those of metadata (structured-merge-diff, merge/update.go;
apimachinery, pkg/util/managedfields).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from raft_lab.kube.errors import ApiError, bad_request
from raft_lab.kube.fields import canonical, print_time
from raft_lab.kube.objects import Kind
from raft_lab.kube.patches import patched
from raft_lab.kube.requests import Object

Path: TypeAlias = tuple[str, ...]
"""The way to a value: `f:name` for a field, `k:{…}` for an item of a list with that key, `v:…` for one of a set."""

_SERVERS_OWN = {
    ("f:apiVersion",),
    ("f:kind",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
            "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields",
        )
    ),
}  # fmt: skip
"""What nobody manages."""
_LISTS = {("f:metadata", "f:ownerReferences"): "uid", ("f:metadata", "f:finalizers"): ""}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class Manager:
    """Somebody who manages fields, in one way or the other: by "Apply", or by "Update", which is every other write."""

    name: str
    operation: str

    def told(self, api_version: str) -> str:
        """As conflicts name it."""
        return f'"{self.name}"' + (f" using {api_version}" if self.operation == "Update" else "")


@dataclass(frozen=True, slots=True)
class Managed:
    """What a manager manages.

    Attributes:
        paths: which fields.
        time: since when; "": whoever said so has not said it.
    """

    paths: frozenset[Path]
    time: str


Managers: TypeAlias = dict[Manager, Managed]


def leaves(thing: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All that can be managed in an object, and what stands there."""
    if path in _SERVERS_OWN:
        return
    if isinstance(thing, dict):
        for name, inner in thing.items():
            yield from leaves(inner, (*path, f"f:{name}"))
    elif path in _LISTS and isinstance(thing, list):
        for item in thing:
            yield (*path, _item(item, _LISTS[path])), item
    else:
        yield path, thing


def _item(item: Any, key: str) -> str:
    if key:
        return "k:" + json.dumps({key: item.get(key, "") if isinstance(item, dict) else ""}, separators=(",", ":"))
    return "v:" + json.dumps(item)


# Applying


def apply(kind: Kind, before: Object | None, patch: Any, manager: str, force: bool) -> tuple[Object, frozenset[Path]]:
    """An object after somebody has applied another, and what he applied.

    Raises:
        ApiError: 409, others manage what he wants to be otherwise; 400 or 422, it is no object that can be applied.
    """
    after = patched(before or {}, patch, "apply")
    asked, given = canonical(kind.name, patch), {path for path, _ in leaves(patch)}
    if asked["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    wanted = {path: value for path, value in leaves(asked) if path in given}
    if before is None:
        return after, frozenset(wanted)
    managers, stands = _read(before), dict(leaves(before))
    others = {other: managed for other, managed in managers.items() if other != Manager(manager, "Apply")}
    conflicts = [
        (other, path)
        for other, managed in others.items()
        for path in sorted(managed.paths)
        if path in wanted and stands.get(path) != wanted[path]
    ]
    if conflicts and not force and not _are_all_of_kubectl(before, manager, {path for _, path in conflicts}):
        raise _conflict(kind.api_version, conflicts)
    mine = managers.get(Manager(manager, "Apply"), Managed(frozenset(), "")).paths
    kept = frozenset(wanted).union(*(managed.paths for managed in others.values()))
    for path in mine - kept:
        after = _without(after, path)
    return after, frozenset(wanted)


def _are_all_of_kubectl(before: Object, manager: str, paths: set[Path]) -> bool:
    """Whether kubectl has set all this itself, by its apply without --server-side: then it goes on with it."""
    last = before["metadata"].get("annotations", {}).get(LAST_APPLIED, "")
    try:
        return manager == "kubectl" and paths <= {path for path, _ in leaves(json.loads(last))}
    except ValueError:
        return False


def _conflict(api_version: str, conflicts: list[tuple[Manager, Path]]) -> ApiError:
    """In the words of apimachinery (util/managedfields/internal/conflict.go), from which kubectl makes its own."""
    told = [(manager.told(api_version), _dotted(path)) for manager, path in conflicts]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field} for who, field in told
    ]
    if len(told) == 1:
        message = f"Apply failed with 1 conflict: conflict with {told[0][0]}: {told[0][1]}"
    else:
        lines = []
        for name in sorted({who for who, _ in told}):
            lines += [f"conflicts with {name}:", *(f"- {field}" for who, field in told if who == name)]
        message = f"Apply failed with {len(told)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", message, {"causes": causes})


def _dotted(path: Path) -> str:
    """A path as people read it, such as .spec.holderIdentity."""
    parts = []
    for element in path:
        if element.startswith("f:"):
            parts.append(f".{element[2:]}")
        elif element.startswith("k:"):
            parts.append("[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(element[2:]).items()) + "]")
        else:
            parts.append(f"[={element[2:]}]")
    return "".join(parts)


def _without(thing: Any, path: Path) -> Any:
    """An object without what stands at a path."""
    first, *rest = path
    if isinstance(thing, list):
        return [item for item in thing if first not in (_item(item, "uid"), _item(item, ""))]
    name = first.removeprefix("f:")
    if not isinstance(thing, dict) or name not in thing:
        return thing
    if not rest:
        return {other: value for other, value in thing.items() if other != name}
    return {**thing, name: _without(thing[name], tuple(rest))}


# Remembering


def remember(
    kind: Kind,
    before: Object | None,
    after: Object,
    name: str,
    now_us: int,
    wants: frozenset[Path] | None = None,
) -> Object:
    """The object with what is now said of its managers.

    Args:
        kind: its kind.
        before: what it was.
        after: what it is to be; if it says something of its managers, that counts rather than what was said before.
        name: who writes it; "": nobody learns of it.
        now_us: when.
        wants: of one who applies: all that he manages from now on.
    """
    said = after["metadata"].get("managedFields")
    managers = _read(after) if said else _read(before) if before is not None else {}
    was, stands = dict(leaves(before)) if before is not None else {}, dict(leaves(after))
    changed = {path for path, value in stands.items() if path not in was or was[path] != value}
    gone = was.keys() - stands.keys()
    if name:
        manager = Manager(name, "Update" if wants is None else "Apply")
        held = managers.get(manager, Managed(frozenset(), ""))
        mine = (held.paths | changed) - gone if wants is None else wants
        managers = {who: replace(known, paths=known.paths - changed - gone) for who, known in managers.items()}
        is_as_before = mine == held.paths and not (changed or gone)
        managers[manager] = held if is_as_before else Managed(frozenset(mine), print_time(now_us))
    entries = [_entry(kind, who, managed) for who, managed in managers.items() if managed.paths]
    meta = {name: value for name, value in after["metadata"].items() if name != "managedFields"}
    return {**after, "metadata": {**meta, "managedFields": entries} if entries else meta}


def _read(thing: Object) -> Managers:
    found: Managers = {}
    for entry in thing["metadata"].get("managedFields", []):
        if entry.get("operation") in ("Apply", "Update") and not entry.get("subresource"):
            manager = Manager(entry.get("manager", ""), entry["operation"])
            paths = frozenset(_paths(entry.get("fieldsV1", {})))
            found[manager] = Managed(paths, entry.get("time", ""))
    return found


def _paths(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """The leaves of what Kubernetes writes as nested objects; a dot there stands for the map itself."""
    for element, inner in tree.items():
        if element == ".":
            continue
        if isinstance(inner, dict) and set(inner) - {"."} and not element.startswith("k:"):
            yield from _paths(inner, (*path, element))
        else:
            yield (*path, element)


def _entry(kind: Kind, manager: Manager, managed: Managed) -> Object:
    tree: Object = {}
    for path in sorted(managed.paths):
        place = tree
        for element in path:
            place = place.setdefault(element, {})
    since = {"time": managed.time} if managed.time else {}
    return {"manager": manager.name, "operation": manager.operation, "apiVersion": kind.api_version,
            **since, "fieldsType": "FieldsV1", "fieldsV1": tree}  # fmt: skip
