"""What clients ask of the Kubernetes API, as values; `resource` is the plural of a kind, such as "leases".

Objects are plain dicts, as Kubernetes has them in JSON. They are not changed by whoever gets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""An object of the API: apiVersion, kind, metadata, and the rest."""


@dataclass(frozen=True, slots=True)
class Get:
    """Read one object.

    Attributes:
        resource: the plural of its kind.
        namespace: where it is; "" for what is in none.
        name: its name.
        resource_version: "": the newest; "0": what the asked member has; else not older than this.
    """

    resource: str
    namespace: str
    name: str
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class List:
    """Read all objects of a kind.

    Attributes:
        resource: the plural of the kind.
        namespace: where; "": everywhere.
        label_selector: such as "app=web,tier!=db".
        field_selector: such as "metadata.name=web".
        limit: how many at most; 0: all.
        continue_: where an earlier list was cut off: its metadata.continue.
        resource_version: see `Get`, and the next.
        resource_version_match: "Exact": as of this version; "NotOlderThan".
    """

    resource: str
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""
    resource_version_match: str = ""


@dataclass(frozen=True, slots=True)
class Create:
    """Write an object that must not exist yet.

    Attributes:
        resource: the plural of its kind.
        namespace: where.
        object: the object; its name, or metadata.generateName.
        strict: refuse fields that Kubernetes does not know, rather than drop them.
        dry_run: only say what would be written.
        manager: who manages the fields that this writes (metadata.managedFields); "": nobody learns of it.
    """

    resource: str
    namespace: str
    object: Object
    strict: bool = False
    dry_run: bool = False
    manager: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """Write an object as it shall be; metadata.resourceVersion says which version of it is replaced. See `Create`."""

    resource: str
    namespace: str
    name: str
    object: Object
    strict: bool = False
    dry_run: bool = False
    manager: str = ""


@dataclass(frozen=True, slots=True)
class Patch:
    """Change an object where it stands.

    Attributes:
        resource: the plural of its kind.
        namespace: where.
        name: its name.
        patch: what to change: a list of operations for "json", else an object.
        how: "json" (RFC 6902), "merge" (RFC 7386), "strategic" (Kubernetes'), or "apply".
        strict: see `Create`.
        dry_run: see `Create`.
        manager: see `Create`; with none, "apply" only merges.
        force: "apply" what others manage otherwise, rather than be refused.
    """

    resource: str
    namespace: str
    name: str
    patch: Any
    how: str = "merge"
    strict: bool = False
    dry_run: bool = False
    manager: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an object, if it is the one that is meant.

    Attributes:
        resource: the plural of its kind.
        namespace: where.
        name: its name.
        uid: the uid that it must have; "": any.
        resource_version: the version that it must have; "": any.
        dry_run: see `Create`.
    """

    resource: str
    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """Be told of changes.

    Attributes:
        resource: the plural of the kind.
        namespace: where; "": everywhere.
        resource_version: of changes after this one; "" or "0": first of all that is there.
        label_selector: see `List`.
        field_selector: see `List`.
        bookmarks: be told from time to time how far one has come.
        initial_events: be told of all that is there, and then, by a bookmark, that this was all (sendInitialEvents).
    """

    resource: str
    namespace: str = ""
    resource_version: str = ""
    label_selector: str = ""
    field_selector: str = ""
    bookmarks: bool = False
    initial_events: bool = False


Request: TypeAlias = Get | List | Create | Update | Patch | Delete | Watch
