"""Who manages which field, and server-side apply: as the Kubernetes documentation tells it."""

import pytest

from kube.stores import Server, lease, refused
from raft_lab.kube import Create, Get, Patch, Update


def settings(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


def apply(thing, manager="me", resource="configmaps", **more):
    return Patch(resource, "default", thing["metadata"]["name"], thing, "apply", manager=manager, **more)


def managed(thing):
    """By manager and operation, what each manages."""
    return {
        (entry["manager"], entry["operation"]): entry["fieldsV1"]
        for entry in thing["metadata"].get("managedFields", [])
    }


def test_what_one_does_not_apply_any_more_goes(api: Server) -> None:
    api(apply(settings(a="1", b="2")))

    left = api(apply(settings(a="1")))

    assert left["data"] == {"a": "1"}
    assert managed(left) == {("me", "Apply"): {"f:data": {"f:a": {}}}}


def test_what_another_applies_too_stays(api: Server) -> None:
    api(apply(settings(a="1", b="2")))
    api(apply(settings(b="2"), "you"))

    left = api(apply(settings(a="1")))

    assert left["data"] == {"a": "1", "b": "2"}
    assert api(apply(settings(), "you"))["data"] == {"a": "1"}  # now nobody manages it


def test_what_another_manages_otherwise_is_a_conflict_and_nothing_changes(api: Server) -> None:
    before = api(apply(settings(a="1", b="2")))

    error = refused(api, apply(settings(a="9", b="8", c="7"), "you"))

    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == 'Apply failed with 2 conflicts: conflicts with "me":\n- .data.a\n- .data.b'
    assert error.details["causes"][0] == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "me"',
        "field": ".data.a",
    }
    assert api(Get("configmaps", "default", "settings")) == before


def test_who_forces_it_manages_it_from_then_on(api: Server) -> None:
    api(apply(settings(a="1", b="2")))

    after = api(apply(settings(a="9"), "you", force=True))

    assert after["data"] == {"a": "9", "b": "2"}
    assert managed(after) == {
        ("me", "Apply"): {"f:data": {"f:b": {}}},
        ("you", "Apply"): {"f:data": {"f:a": {}}},
    }
    assert refused(api, apply(settings(a="1", b="2"))).message.endswith('conflict with "you": .data.a')


@pytest.mark.parametrize("how", ["update", "merge", "json"])
def test_whoever_writes_a_field_in_another_way_manages_it_too(api: Server, how: str) -> None:
    before = api(apply(settings(a="1", b="2")))
    named = ("configmaps", "default", "settings")
    change = {
        "update": Update(*named, {**before, "data": {"a": "5", "b": "2"}}, manager="editor"),
        "merge": Patch(*named, {"data": {"a": "5"}}, manager="editor"),
        "json": Patch(*named, [{"op": "replace", "path": "/data/a", "value": "5"}], "json", manager="editor"),
    }[how]

    after = api(change)

    assert managed(after) == {
        ("me", "Apply"): {"f:data": {"f:b": {}}},
        ("editor", "Update"): {"f:data": {"f:a": {}}},
    }
    error = refused(api, apply(settings(a="1", b="2")))
    assert error.message == 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a'


def test_what_is_deleted_nobody_manages(api: Server) -> None:
    api(apply(settings(a="1", b="2")))

    after = api(Patch("configmaps", "default", "settings", {"data": {"a": None}}, manager="editor"))

    assert managed(after) == {("me", "Apply"): {"f:data": {"f:b": {}}}}
    assert api(apply(settings(a="1", b="2")))["data"] == {"a": "1", "b": "2"}


def test_to_apply_the_same_again_writes_nothing(api: Server) -> None:
    first = api(apply(settings(a="1")))

    assert api(apply(settings(a="1"))) == first


def test_who_creates_an_object_manages_it(api: Server) -> None:
    created = api(Create("leases", "default", lease(), manager="elector"))

    assert created["metadata"]["managedFields"] == [
        {
            "manager": "elector",
            "operation": "Update",
            "apiVersion": "coordination.k8s.io/v1",
            "time": "2026-11-28T08:00:01Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:holderIdentity": {}, "f:leaseDurationSeconds": {}}},
        }
    ]
    thing = {**lease(holderIdentity="b"), "apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    error = refused(api, apply(thing, resource="leases"))
    assert error.message.endswith('conflict with "elector" using coordination.k8s.io/v1: .spec.holderIdentity')


def test_lists_of_the_metadata_are_managed_item_by_item(api: Server) -> None:
    owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name} for name in "xy"]

    def owned(*wanted, finalizers=()):
        meta = {"name": "settings", "ownerReferences": list(wanted), "finalizers": list(finalizers)}
        return {**settings(), "metadata": meta}

    api(apply(owned(owners[0], finalizers=["a.example/x"])))
    api(apply(owned(owners[1], finalizers=["b.example/y"]), "you"))

    after = api(apply(owned()))

    assert after["metadata"]["ownerReferences"] == [owners[1]]
    assert after["metadata"]["finalizers"] == ["b.example/y"]


def test_without_a_manager_nobody_learns_who_it_was_and_what_was_known_stays(api: Server) -> None:
    known = managed(api(apply(settings(a="1"))))

    after = api(Patch("configmaps", "default", "settings", {"data": {"b": "2"}}))

    assert (managed(after), after["data"]) == (known, {"a": "1", "b": "2"})


def test_who_applies_says_nothing_of_managers(api: Server) -> None:
    thing = settings(a="1")
    thing["metadata"]["managedFields"] = [{"manager": "me", "operation": "Apply"}]

    assert refused(api, apply(thing)).message == "metadata.managedFields must be nil"


def test_who_says_nothing_of_the_time_does_not_spoil_the_object(api: Server) -> None:
    thing = api(Create("configmaps", "default", settings(a="1")))
    thing["metadata"]["managedFields"] = [
        {"manager": "you", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}
    ]
    api(Update("configmaps", "default", "settings", thing))

    after = api(apply(settings(b="2")))

    assert managed(after)["you", "Apply"] == {"f:data": {"f:a": {}}}
    assert after["data"] == {"a": "1", "b": "2"}
