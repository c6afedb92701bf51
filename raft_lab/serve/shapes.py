"""In which shape a client wants to be answered: objects as they are, as rows of a table, or only their metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from raft_lab.kube.errors import ApiError
from raft_lab.kube.objects import Kind
from raft_lab.kube.requests import Object
from raft_lab.serve.tables import metadata_only, table

_JSON = ("application/json", "application/*", "*/*")
_AS = ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass
class Shape:
    """What a client wants.

    Attributes:
        kind: the kind of the objects.
        name: "", "Table" or "PartialObjectMetadata".
        include: what a table's rows hold of their objects.
        told_columns: whether a watcher has had the names of the columns.
    """

    kind: Kind
    name: str = ""
    include: str = "Metadata"
    told_columns: bool = field(default=False)

    def answer(self, body: Object, now_us: int) -> Object:
        """An object or a list in this shape; a Status stays as it is."""
        if not self.name or body.get("kind") == "Status":
            return body
        is_list = body["kind"].endswith("List")
        if self.name == "Table":
            meta = body["metadata"] if is_list else {"resourceVersion": body["metadata"].get("resourceVersion", "")}
            return table(self.kind, body["items"] if is_list else [body], now_us, self.include, meta)
        if not is_list:
            return metadata_only(body)
        items = [metadata_only(item) for item in body["items"]]
        return {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"],
                "items": items}  # fmt: skip

    def event(self, event: Object, now_us: int) -> Object:
        """A watcher's event in this shape; only the first table names its columns."""
        thing: dict[str, Any] = event["object"]
        if not self.name or event["type"] == "ERROR":
            return event
        if self.name == "Table":
            meta = {"resourceVersion": thing["metadata"].get("resourceVersion", "")}
            header, self.told_columns = not self.told_columns, True
            return {**event, "object": table(self.kind, [thing], now_us, self.include, meta, header)}
        return {**event, "object": metadata_only(thing)}


def shape_of(accept: str, include: str, kind: Kind) -> Shape:
    """What an Accept header asks for first that can be given.

    Raises:
        ApiError: 406, nothing of it can.
    """
    for choice in accept.split(",") if accept.strip() else ["*/*"]:
        media, *words = (part.strip() for part in choice.split(";"))
        asked = dict(word.split("=", 1) for word in words if "=" in word)
        name = asked.get("as", "")
        if media not in _JSON or name not in _AS:
            continue
        if name and (asked.get("g") != "meta.k8s.io" or asked.get("v") not in ("v1", "v1beta1")):
            continue
        return Shape(kind, name.removesuffix("List"), include)
    message = "only the following media types are accepted: application/json"
    raise ApiError(406, "NotAcceptable", message)
