"""The ways to say what shall change."""

import pytest

from kube.stores import Server, lease, refused
from raft_lab.kube import Create, Delete, Get, Patch

A = "/metadata/annotations/a"
TYPE = {"apiVersion": "v1", "kind": "ConfigMap"}


@pytest.mark.parametrize(
    ("how", "patch", "annotations"),
    [
        ("merge", {"metadata": {"annotations": {"a": None, "c": "3"}}}, {"b": "2", "c": "3"}),
        ("strategic", {"metadata": {"annotations": {"a": None, "c": "3"}}}, {"b": "2", "c": "3"}),
        ("strategic", {"metadata": {"annotations": {"$patch": "replace", "c": "3"}}}, {"c": "3"}),
        ("strategic", {"metadata": {"$retainKeys": ["name"], "annotations": {"c": "3"}}}, {"c": "3"}),
        ("json", [{"op": "test", "path": A, "value": "1"}, {"op": "remove", "path": A}], {"b": "2"}),
        ("apply", {**TYPE, "metadata": {"annotations": {"c": "3"}}}, {"a": "1", "b": "2", "c": "3"}),
    ],
)  # fmt: skip
def test_the_ways_to_patch(api: Server, how: str, patch: object, annotations: object) -> None:
    api(Create("configmaps", "default", {"metadata": {"name": "app", "annotations": {"a": "1", "b": "2"}}}))

    assert api(Patch("configmaps", "default", "app", patch, how))["metadata"]["annotations"] == annotations


@pytest.mark.parametrize(
    ("how", "patch", "code"),
    [
        ("json", [{"op": "test", "path": "/data/a", "value": "2"}], 422),
        ("json", [{"op": "remove", "path": "/data/b"}], 422),
        ("json", {"op": "remove"}, 400),
        ("json", [{"op": "dance", "path": "/data"}], 400),
        ("merge", ["a"], 400),
        ("merge", {"metadata": {"resourceVersion": "1"}}, 409),
        ("merge", {"metadata": {"name": "other"}}, 400),
        ("strategic", {"data": {"$patch": "dance"}}, 400),
        ("apply", {"data": {"a": "2"}}, 422),
        ("sing", {}, 400),
    ],
)  # fmt: skip
def test_a_patch_that_makes_no_sense_changes_nothing(api: Server, how: str, patch: object, code: int) -> None:
    created = api(Create("configmaps", "default", {"metadata": {"name": "app"}, "data": {"a": "1"}}))

    assert refused(api, Patch("configmaps", "default", "app", patch, how)).code == code
    assert api(Get("configmaps", "default", "app")) == created


def test_to_apply_creates_what_is_not_there(api: Server) -> None:
    applied = {**TYPE, "metadata": {"name": "app"}, "data": {"a": "1"}}

    assert api(Patch("configmaps", "default", "app", applied, "apply"))["data"] == {"a": "1"}


def test_a_patch_with_an_unknown_field_is_refused_when_one_is_strict(api: Server) -> None:
    api(Create("leases", "default", lease()))
    patch = {"spec": {"bogus": 1}}

    assert refused(api, Patch("leases", "default", "app", patch, strict=True)).code == 422
    assert "bogus" not in api(Patch("leases", "default", "app", patch))["spec"]


def test_a_dry_run_says_what_would_be_and_writes_nothing(api: Server) -> None:
    api(Create("leases", "default", lease(), dry_run=True))
    nothing = refused(api, Get("leases", "default", "app"))
    created = api(Create("leases", "default", lease()))

    patched = api(Patch("leases", "default", "app", {"spec": {"holderIdentity": "b"}}, dry_run=True))
    exists = refused(api, Create("leases", "default", lease(), dry_run=True))
    api(Delete("leases", "default", "app", dry_run=True))

    assert (nothing.code, exists.code, patched["spec"]["holderIdentity"]) == (404, 409, "b")
    assert api(Get("leases", "default", "app")) == created
