"""The ways to say what shall change in an object."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from raft_lab.kube.errors import bad_request, invalid, invalid_value, required
from raft_lab.raft.errors import RaftLabError


class MissingLibrary(RaftLabError):
    """A JSON patch takes a library that is not installed."""


def patched(thing: Any, patch: Any, how: str) -> Any:
    """An object after a patch; the object itself stays as it was.

    Args:
        thing: the object.
        patch: the change.
        how: "json", "merge", "strategic" or "apply".

    Raises:
        ApiError: 400 or 422, the patch makes no sense, or not for this object.
    """
    if how not in HOW:
        raise bad_request(f"a patch is one of {', '.join(HOW)}, not {how!r}")
    if how == "json":
        return json_patched(thing, patch)
    if not isinstance(patch, dict):
        raise bad_request(f"a {how} patch is an object, not {json.dumps(patch, default=str)[:40]}")
    return HOW[how](thing, patch)


def merged(thing: Any, patch: Any) -> Any:
    """A JSON merge patch: what is null goes, objects are merged, everything else is replaced (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    out = dict(thing) if isinstance(thing, dict) else {}
    for name, change in patch.items():
        if change is None:
            out.pop(name, None)
        else:
            out[name] = merged(out.get(name), change)
    return out


MERGE_KEYS = {("metadata", "ownerReferences"): "uid", ("metadata", "finalizers"): ""}
"""Lists whose items are merged, by which of their fields (empty: they are texts). All others are replaced."""


def strategically_merged(thing: Any, patch: Any, path: tuple[str, ...] = ()) -> Any:
    """Kubernetes' strategic merge patch: a merge patch with lists that are merged by a key, and with directives.

    `$patch: replace` and `$patch: delete` in an object, `$retainKeys`, and `$deleteFromPrimitiveList/<field>`.
    `$setElementOrder/<field>` only orders, and is heeded by adding new items at the end.
    """
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch", "merge")
    change = {name: value for name, value in patch.items() if name not in ("$patch", "$retainKeys")}
    if directive == "delete":
        return {}
    if directive == "replace":
        return merged({}, change)
    if directive != "merge":
        raise bad_request(f'Unknown patch type: "{directive}" in {json.dumps(patch)}')
    out = dict(thing) if isinstance(thing, dict) else {}
    if "$retainKeys" in patch:
        out = {name: value for name, value in out.items() if name in patch["$retainKeys"]}
    for name, value in change.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            out[field] = [item for item in out.get(field, []) if item not in value]
        elif name.startswith("$setElementOrder/"):
            continue
        elif value is None:
            out.pop(name, None)
        elif (*path, name) in MERGE_KEYS and isinstance(value, list):
            out[name] = _merged_list(out.get(name, []), value, MERGE_KEYS[(*path, name)])
        else:
            out[name] = strategically_merged(out.get(name), value, (*path, name))
    return out


def _merged_list(items: list[Any], changes: list[Any], key: str) -> list[Any]:
    if not key:
        return [*items, *(text for text in changes if text not in items)]
    if any(isinstance(change, dict) and change.get("$patch") == "replace" for change in changes):
        return [change for change in changes if "$patch" not in change]
    by_key = {item.get(key): item for item in items}
    for change in changes:
        if not isinstance(change, dict) or key not in change:
            raise bad_request(f"map: {json.dumps(change)} does not contain declared merge key: {key}")
        if change.get("$patch") == "delete":
            by_key.pop(change[key], None)
        else:
            by_key[change[key]] = strategically_merged(by_key.get(change[key]), change)
    return list(by_key.values())


def json_patched(thing: Any, operations: Any) -> Any:
    """A list of operations, done one after another, or none (RFC 6902).

    Raises:
        MissingLibrary: jsonpatch is not installed: `pip install "raft_lab[serve]"`.
    """
    try:
        import jsonpatch
        import jsonpointer
    except ImportError:
        raise MissingLibrary("a JSON patch takes jsonpatch: pip install 'raft_lab[serve]'") from None
    try:
        return jsonpatch.apply_patch(thing, operations)
    except (jsonpatch.InvalidJsonPatch, TypeError, AttributeError) as error:
        raise bad_request(f"a JSON patch is a list of operations with op and path: {error}") from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise invalid("", "", "", [invalid_value("patch", json.dumps(operations), str(error))]) from None


def applied(thing: Any, patch: dict[str, Any]) -> Any:
    """Server-side apply, without who manages what (see managers.py): what is in the patch is so afterwards."""
    if not patch.get("apiVersion") or not patch.get("kind"):
        raise invalid("", "", "", [required("apiVersion" if not patch.get("apiVersion") else "kind")])
    return strategically_merged(thing, patch)


HOW: dict[str, Callable[[Any, Any], Any]] = {
    "json": json_patched,
    "merge": merged,
    "strategic": strategically_merged,
    "apply": applied,
}
"""The patches by name."""
