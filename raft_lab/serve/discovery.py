"""What the API says of itself: version, groups, resources, and the OpenAPI documents that kubectl checks objects by."""

from __future__ import annotations

from typing import Any

from raft_lab.kube.fields import KEPT_OUT, STRUCTS, Field
from raft_lab.kube.objects import KINDS, Kind

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0-raft-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2024-12-11T00:00:00Z",
    "goVersion": "go1.23",
    "compiler": "gc",
    "platform": "linux/amd64",
}
"""Where several kubectls are installed, the server's version chooses; 1.32 has what is needed and is widely had."""

GROUPS = sorted({kind.group for kind in KINDS.values()})
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


def root_of(group: str) -> str:
    """The path under which a group's resources are."""
    return f"/apis/{group}/v1" if group else "/api/v1"


def kinds_of(group: str) -> list[Kind]:
    """The kinds of a group."""
    return [kind for kind in KINDS.values() if kind.group == group]


def described(path: str) -> dict[str, Any] | None:
    """The answer to a path that asks what there is; None if this one does not."""
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in GROUPS if group]}
    if path == "/openapi/v3":
        return {"paths": {root_of(g)[1:]: {"serverRelativeURL": f"/openapi/v3{root_of(g)}"} for g in GROUPS}}
    for group in GROUPS:
        if path == root_of(group):
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": root_of(group)[1:].partition("/")[2],
                    "resources": [_resource(kind) for kind in kinds_of(group)]}  # fmt: skip
        if group and path == f"/apis/{group}":
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
        if path == f"/openapi/v3{root_of(group)}":
            return openapi(group)
    if path == "/":
        return {"paths": ["/api", "/api/v1", "/apis", *(f"/apis/{group}" for group in GROUPS if group), "/version"]}
    return None


def aggregated(path: str, version: str) -> dict[str, Any] | None:
    """All groups and resources at once, for /api and /apis."""
    groups = {"/api": [""], "/apis": [group for group in GROUPS if group]}.get(path)
    if groups is None:
        return None
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None},
            "versions": [
                {
                    "version": "v1",
                    "freshness": "Current",
                    "resources": [_aggregated_resource(kind) for kind in kinds_of(group)],
                }
            ],
        }
        for group in groups
    ]
    api_version = f"apidiscovery.k8s.io/{version}"
    return {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items}


def _group(group: str) -> dict[str, Any]:
    version = {"groupVersion": f"{group}/v1", "version": "v1"}
    return {"name": group, "versions": [version], "preferredVersion": version}


def _resource(kind: Kind) -> dict[str, Any]:
    short = {"shortNames": list(kind.short)} if kind.short else {}
    singular = kind.name.lower()
    return {"name": kind.plural, "singularName": singular, "namespaced": kind.namespaced, "kind": kind.name,
            "verbs": list(VERBS), **short}  # fmt: skip


def _aggregated_resource(kind: Kind) -> dict[str, Any]:
    short = {"shortNames": list(kind.short)} if kind.short else {}
    gvk = {"group": kind.group, "version": "v1", "kind": kind.name}
    return {"resource": kind.plural, "responseKind": gvk, "scope": "Namespaced" if kind.namespaced else "Cluster",
            "singularResource": kind.name.lower(), "verbs": list(VERBS), **short}  # fmt: skip


# OpenAPI v3

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_SCALARS: dict[str, dict[str, str]] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "[]byte": {"type": "string", "format": "byte"},
    "Time": {"type": "string", "format": "date-time"},
    "MicroTime": {"type": "string", "format": "date-time"},
    "FieldsV1": {"type": "object"},
}
KIND_TEXTS = {
    "Lease": "A lease: who holds it, since when, and for how long. Leaders are elected with it.",
    "Endpoints": "The addresses at which a service can be reached. Leaders were once elected in its annotations.",
    "ConfigMap": "Texts and bytes by name, for applications to read.",
    "Namespace": "A scope for names.",
    "Event": "Something that happened to an object, told by whoever did or saw it.",
}


def openapi(group: str) -> dict[str, Any]:
    """What a group's objects look like, and what can be done with them."""
    kinds = kinds_of(group)
    wanted: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        _collect(kind.name, wanted)
    for kind in kinds:
        gvk = {"group": kind.group, "version": "v1", "kind": kind.name}
        schema = wanted[_schema_name(kind.name)]
        schema["x-kubernetes-group-version-kind"] = [gvk]
        schema["description"] = KIND_TEXTS[kind.name]
        schema["properties"] = {
            "apiVersion": {"type": "string", "description": "Group and version of the kind."},
            "kind": {"type": "string", "description": "The kind of the object."},
            **schema["properties"],
        }
    paths = {path: item for kind in kinds for path, item in _paths(kind).items()}
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": wanted}}


def _schema_name(struct: str) -> str:
    if struct in ("ObjectMeta", "OwnerReference", "ManagedFieldsEntry"):
        return f"{_META}.{struct}"
    return f"io.k8s.api.{'coordination' if struct.startswith('Lease') else 'core'}.v1.{struct}"


def _collect(struct: str, schemas: dict[str, dict[str, Any]]) -> None:
    """Put the schema of a struct, and of all that it is made of, where it belongs."""
    name = _schema_name(struct)
    if name in schemas:
        return
    fields = [field for field in STRUCTS[struct].values() if field.type != KEPT_OUT]
    properties = {field.name: {**_schema(field.core), "description": field.text} for field in fields}
    schemas[name] = {"type": "object", "description": "", "properties": properties}
    required = [field.name for field in fields if _is_required(field)]
    if required:
        schemas[name]["required"] = required
    for field in fields:
        inner = field.core.removeprefix("[]").removeprefix("map[string]")
        if inner in STRUCTS:
            _collect(inner, schemas)


def _is_required(field: Field) -> bool:
    return field.required and field.core in ("string", "int32") and not field.name.startswith("reporting")


def _schema(type: str) -> dict[str, Any]:
    if type in STRUCTS:
        return {"allOf": [{"$ref": f"#/components/schemas/{_schema_name(type)}"}], "default": {}}
    if type in _SCALARS:
        return dict(_SCALARS[type])
    if type.startswith("[]"):
        return {"type": "array", "items": _schema(type[2:])}
    return {"type": "object", "additionalProperties": _schema(type.removeprefix("map[string]"))}


def _paths(kind: Kind) -> dict[str, Any]:
    folder = f"{root_of(kind.group)}/{'namespaces/{namespace}/' if kind.namespaced else ''}{kind.plural}"
    gvk = {"group": kind.group, "version": "v1", "kind": kind.name}
    media = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_schema_name(kind.name)}"}}}
    answers = {"responses": {"200": {"description": "OK", "content": media}}}
    asked = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]

    def operation(action: str, **more: Any) -> dict[str, Any]:
        return {"x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk, **answers, **more}

    force = {"name": "force", "in": "query", "schema": {"type": "boolean"}}
    write = {"parameters": [*asked, {"name": "fieldManager", "in": "query", "schema": {"type": "string"}}]}
    body = {"requestBody": {"content": {"*/*": media["application/json"]}}}
    return {
        folder: {"get": operation("list"), "post": operation("post", **write, **body)},
        f"{folder}/{{name}}": {
            "get": operation("get"),
            "put": operation("put", **write, **body),
            "patch": operation("patch", parameters=[*write["parameters"], force], **body),
            "delete": operation("delete", parameters=asked[:1]),
        },
    }
