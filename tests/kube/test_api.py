"""The Kubernetes API over the store: each example was seen on a kube-apiserver."""

import json

import pytest

from kube.stores import Server, lease, refused
from raft_lab import Cluster
from raft_lab.kube import ApiError, Create, Delete, Get, List, Patch, Update, perform
from raft_lab.kv import KV, Clients, Txn
from raft_lab.kv.requests import LeaseTimeToLive
from raft_lab.raft.log import Command

# What is stored


def test_an_object_is_a_key_and_its_version_the_key_s_revision(api: Server) -> None:
    created = api(Create("leases", "default", lease()))

    kv = api.store.get("/registry/leases/default/app").kvs[0]
    assert created["metadata"]["resourceVersion"] == str(kv.mod_revision) == "2"
    assert json.loads(kv.value) == {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {
            "name": "app",
            "namespace": "default",
            "uid": created["metadata"]["uid"],
            "creationTimestamp": "2026-11-28T08:00:01Z",
        },
        "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15},
    }


def test_endpoints_live_under_services(api: Server) -> None:
    api(Create("endpoints", "default", {"metadata": {"name": "app"}}))

    assert [kv.key for kv in api.store.get("/registry/", prefix=True).kvs] == [
        b"/registry/services/endpoints/default/app"
    ]


def test_whoever_writes_the_key_itself_moves_the_version(api: Server) -> None:
    api(Create("leases", "default", lease()))
    kv = api.store.get("/registry/leases/default/app").kvs[0]

    api.store.put(kv.key, kv.value)

    assert api(Get("leases", "default", "app"))["metadata"]["resourceVersion"] == "3"


def test_a_request_costs_etcd_what_it_costs_behind_kube_apiserver(cluster: Cluster, api: Server) -> None:
    created = api(Create("leases", "default", lease()))
    api(Update("leases", "default", "app", {**created, "spec": {"holderIdentity": "b"}}))
    api(Update("leases", "default", "app", api(Get("leases", "default", "app"))))  # changes nothing
    api(Delete("leases", "default", "app"))

    values = (entry.value for _, entry in cluster.world.ghosts.committed)
    asked = [str(value) for value in values if isinstance(value, Command) and isinstance(value.op, Txn)]
    key = "/registry/leases/default/app"
    assert [text.split(" {")[0] for text in asked] == [
        f"txn if mod({key}) = 0 then",
        f"txn if mod({key}) = 2 then",
        f"txn if mod({key}) = 3 then",
    ]


# Creating


def make(name: str = "app", **spec: object) -> Create:
    return Create("leases", "default", lease(name, **spec))


def config(**parts: object) -> Create:
    return Create("configmaps", "default", {"metadata": {"name": "app"}, **parts})


def endpoints(**subset: object) -> Create:
    return Create("endpoints", "default", {"metadata": {"name": "app"}, "subsets": [subset]})


def meta(**words: str) -> Create:
    return Create("leases", "default", {"metadata": {"name": "app", **words}})


REFUSED = [
    (make(leaseDurationSeconds=0), 422, "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
    (make(leaseTransitions=-1), 422, "Invalid value: -1: must be greater than or equal to 0"),
    (make(preferredHolder="b"), 422, "may only be specified when strategy is defined"),
    (make(leaseDurationSeconds="15"), 400, "field LeaseSpec.spec.leaseDurationSeconds of type int32"),
    (make(renewTime="2026-11-23T07:44:03Z"), 400, 'parsing time "2026-11-23T07:44:03Z"'),
    (make(renewTime="2026-11-23T07:44:03.5Z"), 400, "parsing time"),
    (make(renewTime="2026-11-23T07:44:03.123456789Z"), 400, "parsing time"),
    (make(renewTime="2026-13-23T07:44:03.123456Z"), 400, "parsing time"),
    (make("Not_a_name"), 422, "a lowercase RFC 1123 subdomain"),
    (meta(name=""), 422, "metadata.name: Required value: name or generateName is required"),
    (meta(resourceVersion="1"), 500, "resourceVersion should not be set on objects to be created"),
    (meta(namespace="other"), 400, "the namespace of the provided object does not match"),
    (Create("leases", "default", {"kind": "Event"}), 400, "the kind in the data (Event) does not match the expected"),
    (
        Create("leases", "default", lease(bogus=1), strict=True),
        400,
        'strict decoding error: unknown field "spec.bogus"',
    ),
    (Create("leases", "nowhere", lease()), 404, 'namespaces "nowhere" not found'),
    (Create("leases", "default", []), 400, "a Lease is an object"),  # type: ignore[arg-type]
    (Create("pods", "default", {}), 404, "could not find the requested resource"),
    (config(data={"a b": ""}), 422, "data[a b]: Invalid value"),
    (config(data={"a": 1}), 400, "cannot unmarshal number"),
    (config(data={"a": "x" * 1_048_577}), 422, "Too long: must have at most 1048576 bytes"),
    (config(binaryData={"a": "?"}), 400, "illegal base64 data"),
    (endpoints(addresses=[{"ip": "here"}]), 422, "subsets[0].addresses[0].ip: Invalid value"),
    (endpoints(addresses=[{"ip": "127.0.0.1"}]), 422, "may not be in the loopback range"),
    (endpoints(ports=[{"port": 80}]), 422, "must specify `addresses` or `notReadyAddresses`"),
    (Update("leases", "default", "app", lease("other")), 400, "(other) does not match the name on the URL (app)"),
    (Update("configmaps", "default", "app", {}), 404, 'configmaps "app" not found'),
    (Get("leases", "default", "app"), 404, 'leases.coordination.k8s.io "app" not found'),
    (Get("leases", "default", "app", "abc"), 400, 'Invalid value: "abc"'),
    (Delete("leases", "default", "app"), 404, 'leases.coordination.k8s.io "app" not found'),
    (Delete("namespaces", "", "default"), 403, "this namespace may not be deleted"),
    (List("leases", resource_version_match="Exact"), 422, "forbidden unless resourceVersion is provided"),
    (List("leases", label_selector="a ?? b"), 400, "unable to parse requirement"),
    (List("leases", field_selector="spec.holderIdentity=a"), 400, "field label not supported: spec.holderIdentity"),
    (List("leases", continue_="garbage"), 400, "continue key is not valid"),
    (Patch("leases", "default", "app", {}), 404, "not found"),
]


def test_the_second_to_create_is_told_that_it_exists(api: Server) -> None:
    api(Create("leases", "default", lease()))

    assert refused(api, Create("leases", "default", lease())).status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'leases.coordination.k8s.io "app" already exists',
        "reason": "AlreadyExists",
        "details": {"name": "app", "group": "coordination.k8s.io", "kind": "leases"},
        "code": 409,
    }


@pytest.mark.parametrize(("request_", "code", "said"), REFUSED)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    api: Server, request_: object, code: int, said: str
) -> None:
    error = refused(api, request_)

    assert (error.code, said in error.message) == (code, True), error.message
    assert api.store.get("/registry/", prefix=True, count_only=True).count == 0


@pytest.mark.parametrize("zone", ["Z", "+00:00", "+02:00"])
def test_a_micro_time_has_six_digits_and_is_kept_in_utc(api: Server, zone: str) -> None:
    created = api(Create("leases", "default", lease(renewTime=f"2026-11-23T07:44:03.000001{zone}")))

    hour = "05" if zone == "+02:00" else "07"
    assert created["spec"]["renewTime"] == f"2026-11-23T{hour}:44:03.000001Z"


def test_nobody_said_which_protocol_so_it_is_tcp(api: Server) -> None:
    subset = {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}
    created = api(Create("endpoints", "default", {"metadata": {"name": "app"}, "subsets": [subset]}))

    assert created["subsets"] == [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80, "protocol": "TCP"}]}]


def test_the_server_completes_a_name_and_never_the_same_way(api: Server) -> None:
    names = {
        api(Create("leases", "default", {"metadata": {"generateName": "app-"}}))["metadata"]["name"] for _ in "abc"
    }

    assert len(names) == 3
    assert all(name.startswith("app-") and len(name) == 9 for name in names)


def test_an_empty_holder_stays_and_what_is_not_set_goes(api: Server) -> None:
    spec = {"holderIdentity": "", "leaseTransitions": 0, "acquireTime": None}

    assert api(Create("leases", "default", {"metadata": {"name": "app"}, "spec": spec}))["spec"] == {
        "holderIdentity": "",
        "leaseTransitions": 0,
    }


# Updating


def test_an_update_of_another_version_is_a_conflict(api: Server) -> None:
    old = api(Create("leases", "default", lease()))
    new = api(Update("leases", "default", "app", {**old, "spec": {"holderIdentity": "b"}}))

    error = refused(api, Update("leases", "default", "app", {**old, "spec": {"holderIdentity": "c"}}))

    assert new["metadata"]["resourceVersion"] == "3"
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        'Operation cannot be fulfilled on leases.coordination.k8s.io "app": the object has been modified; please apply '
        "your changes to the latest version and try again"
    )


def test_an_update_that_changes_nothing_writes_nothing(api: Server) -> None:
    created = api(Create("leases", "default", lease()))

    assert api(Update("leases", "default", "app", created)) == created


def test_a_lease_is_not_updated_blindly_but_a_config_map_is(api: Server) -> None:
    api(Create("leases", "default", lease()))
    api(Create("configmaps", "default", {"metadata": {"name": "app"}}))

    error = refused(api, Update("leases", "default", "app", lease()))
    changed = api(Update("configmaps", "default", "app", {"data": {"a": "1"}}))

    assert error.message.endswith("metadata.resourceVersion: Invalid value: 0x0: must be specified for an update")
    assert (error.code, error.details["kind"], changed["data"]) == (422, "leases", {"a": "1"})


def test_a_lease_that_is_not_there_is_created_by_its_update(api: Server) -> None:
    created = api(Create("leases", "default", lease()))
    api(Delete("leases", "default", "app"))

    again = api(Update("leases", "default", "app", created))

    assert again["metadata"]["uid"] != created["metadata"]["uid"]
    assert again["metadata"]["resourceVersion"] == "4"  # fencing by version holds where one by transitions does not


def test_an_update_of_an_object_of_the_past_is_a_conflict(api: Server) -> None:
    old = api(Create("configmaps", "default", {"metadata": {"name": "app"}}))
    api(Delete("configmaps", "default", "app"))
    api(Create("configmaps", "default", {"metadata": {"name": "app"}}))

    stale = {"metadata": {"name": "app", "uid": old["metadata"]["uid"]}, "data": {"a": "1"}}

    assert (
        "Precondition failed: UID in precondition"
        in refused(api, Update("configmaps", "default", "app", stale)).message
    )


def test_an_immutable_config_map_stays_as_it_is(api: Server) -> None:
    api(Create("configmaps", "default", {"metadata": {"name": "app"}, "data": {"a": "1"}, "immutable": True}))

    error = refused(api, Patch("configmaps", "default", "app", {"data": {"a": "2"}}))

    assert error.details["causes"][0]["field"] == "data"


def test_two_patches_at_once_are_both_done(cluster: Cluster) -> None:
    api, clients = Server(KV(cluster)), Clients(cluster)
    api(Create("configmaps", "default", {"metadata": {"name": "app"}}))

    patches = [Patch("configmaps", "default", "app", {"data": {name: name}}) for name in "abc"]
    running = [clients.start(perform(patch, api.clock)) for patch in patches]
    clients.run_until(lambda: all(process.done for process in running))

    assert [process.error for process in running] == [None] * 3
    assert api(Get("configmaps", "default", "app"))["data"] == {"a": "a", "b": "b", "c": "c"}


def test_of_two_updates_at_once_one_is_done(cluster: Cluster) -> None:
    api, clients = Server(KV(cluster)), Clients(cluster)
    held = api(Create("leases", "default", lease()))

    updates = [Update("leases", "default", "app", {**held, "spec": {"holderIdentity": name}}) for name in "bc"]
    running = [clients.start(perform(update, api.clock)) for update in updates]
    clients.run_until(lambda: all(process.done for process in running))

    (lost,) = [process.error for process in running if process.error]
    (won,) = [process.result for process in running if process.result]
    assert isinstance(lost, ApiError)
    assert (lost.code, api(Get("leases", "default", "app"))) == (409, won)


# Deleting


def test_only_what_is_meant_is_deleted(api: Server) -> None:
    created = api(Create("leases", "default", lease()))
    uid = created["metadata"]["uid"]

    by_version = refused(api, Delete("leases", "default", "app", resource_version="1"))
    by_uid = refused(api, Delete("leases", "default", "app", uid="another"))
    done = api(Delete("leases", "default", "app", uid=uid, resource_version="2"))

    assert (
        "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (2)"
        in by_version.message
    )
    assert "the UID in the precondition (another) does not match the UID in record" in by_uid.message
    assert done["details"] == {"name": "app", "group": "coordination.k8s.io", "kind": "leases", "uid": uid}


def test_what_has_a_finalizer_waits_for_it(api: Server) -> None:
    api(Create("configmaps", "default", {"metadata": {"name": "app", "finalizers": ["example.com/wait"]}}))

    marked = api(Delete("configmaps", "default", "app"))
    again = api(Delete("configmaps", "default", "app"))
    api(Patch("configmaps", "default", "app", {"metadata": {"finalizers": None}}))

    assert (marked["metadata"]["deletionTimestamp"], again) == ("2026-11-28T08:00:02Z", marked)
    assert refused(api, Get("configmaps", "default", "app")).code == 404


def test_a_namespace_goes_with_all_that_is_in_it(api: Server) -> None:
    api.bootstrap()
    api(Create("namespaces", "", {"metadata": {"name": "mine"}}))
    api(Create("leases", "mine", lease()))
    api(Create("leases", "default", lease()))

    api(Delete("namespaces", "", "mine"))

    assert [item["metadata"]["namespace"] for item in api(List("leases"))["items"]] == ["default"]
    assert [item["metadata"]["name"] for item in api(List("namespaces"))["items"]] == [
        "default",
        "kube-node-lease",
        "kube-public",
        "kube-system",
    ]


# When the store fails


def test_a_store_without_a_majority_is_a_timeout_or_a_failure(cluster: Cluster) -> None:
    alone = Server(KV(cluster, member=cluster.leader))
    alone(Create("leases", "default", lease()))
    cluster.partition({cluster.leader})

    write = refused(alone, Create("leases", "default", lease("b")))
    read = refused(alone, Get("leases", "default", "app"))

    assert (write.code, write.reason, "it may have happened" in write.message) == (504, "Timeout", True)
    assert (read.code, read.message) == (500, "etcdserver: request timed out")


def test_what_is_no_object_is_said_to_be_none(api: Server) -> None:
    api.store.put("/registry/leases/default/app", "k8s\0")

    assert (
        refused(api, Get("leases", "default", "app")).message
        == "/registry/leases/default/app holds no object of Kubernetes"
    )


# Events


def test_events_are_gone_after_an_hour(api: Server) -> None:
    about = {"kind": "Lease", "namespace": "default", "name": "app"}
    api(Create("events", "default", {"metadata": {"name": "app.1"}, "involvedObject": about, "message": "a"}))
    api(Patch("events", "default", "app.1", {"message": "b"}))
    api.store.wait(1)

    kv = api.store.get("/registry/events/default/app.1").kvs[0]
    left = api.store.ask(LeaseTimeToLive(kv.lease, keys=True))

    assert (left.granted_ttl, left.keys) == (3600, (b"/registry/events/default/app.1",))
