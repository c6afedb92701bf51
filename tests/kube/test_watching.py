"""What watchers are told; and that a real etcd makes no difference."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube.stores import Server, lease
from kv.real_etcd import RealEtcd
from raft_lab.kube import ApiError, Create, Delete, Get, List, Patch, Update, Watch, events
from raft_lab.kube.watching import bookmark
from raft_lab.kv import KV

# Watches


def told(api: Server, request: Watch, deeds: list[object]) -> list[tuple[str, str, str]]:
    """What a watcher is told while all this is done: type, name and version."""
    begun = api(request)
    watch = api.store.line.watch(begun.create, None)
    for deed in deeds:
        api(deed)
    api.store.wait(1)
    changes = [*begun.told, *(change for response in watch.responses for change in events(request, response))]
    return [
        (c["type"], c["object"]["metadata"].get("name", ""), c["object"]["metadata"].get("resourceVersion", ""))
        for c in changes
    ]


DEEDS: list[object] = [
    Create("leases", "default", lease("a")),
    Patch("leases", "default", "a", {"metadata": {"labels": {"app": "web"}}}),
    Create("leases", "kube-system", lease("b")),
    Patch("leases", "default", "a", {"metadata": {"labels": None}}),
    Delete("leases", "default", "a"),
]
EVERYTHING = [
    ("ADDED", "a", "2"),
    ("MODIFIED", "a", "3"),
    ("ADDED", "b", "4"),
    ("MODIFIED", "a", "5"),
    ("DELETED", "a", "6"),
]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Watch("leases"), EVERYTHING),
        (Watch("leases", "kube-system"), [("ADDED", "b", "4")]),
        (Watch("leases", "default", field_selector="metadata.name=b"), []),
        (Watch("leases", label_selector="app=web"), [("ADDED", "a", "3"), ("DELETED", "a", "5")]),
        (Watch("configmaps"), []),
    ],
)  # fmt: skip
def test_a_watcher_is_told_every_change_once_and_in_order(
    api: Server, request_: Watch, expected: list[tuple[str, str, str]]
) -> None:
    assert told(api, request_, DEEDS) == expected


def test_a_watch_without_a_version_begins_with_all_that_is_there(api: Server) -> None:
    for deed in DEEDS[:3]:
        api(deed)

    assert told(api, Watch("leases"), DEEDS[3:4]) == [("ADDED", "a", "3"), ("ADDED", "b", "4"), ("MODIFIED", "a", "5")]


def test_a_watch_goes_on_after_a_version(api: Server) -> None:
    for deed in DEEDS[:3]:
        api(deed)

    assert told(api, Watch("leases", resource_version="3"), DEEDS[3:4]) == [("ADDED", "b", "4"), ("MODIFIED", "a", "5")]


def test_a_deletion_shows_the_last_object_with_the_version_of_the_deletion(api: Server) -> None:
    api(Create("leases", "default", lease("a")))
    request = Watch("leases", resource_version="2")
    watch = api.store.line.watch(api(request).create, None)
    api(Delete("leases", "default", "a"))
    api.store.wait(1)

    (change,) = events(request, watch.responses[0])
    assert (change["object"]["spec"]["holderIdentity"], change["object"]["metadata"]["resourceVersion"]) == ("a", "3")


def test_a_watch_from_what_is_compacted_away_ends_with_410(api: Server) -> None:
    for name in "abc":
        api(Create("leases", "default", lease(name)))
    api.store.compact(4)
    api.store.wait(1)  # until every member has done it
    request = Watch("leases", resource_version="1")

    watch = api.store.line.watch(api(request).create, None)

    (change,) = events(request, watch.responses[0])
    assert change["type"] == "ERROR"
    assert (change["object"]["code"], change["object"]["reason"]) == (410, "Expired")


def test_a_bookmark_says_how_far_one_has_come_and_that_this_was_all(api: Server) -> None:
    api(Create("leases", "default", lease("a")))
    request = Watch("leases", bookmarks=True, initial_events=True)

    added, last = api(request).told

    assert added["type"] == "ADDED"
    assert last["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark(request, 240) == {
        "type": "BOOKMARK",
        "object": {
            "kind": "Lease",
            "apiVersion": "coordination.k8s.io/v1",
            "metadata": {"resourceVersion": "240", "creationTimestamp": None},
        },
    }


# Beside a real etcd


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("etcd")
    with RealEtcd(directory) as etcd:
        yield etcd.endpoint


def tour(api: Server) -> list[object]:
    """A little of everything, and all that is answered."""
    request = Watch("leases", resource_version="1", label_selector="app")
    watch = api.store.line.watch(api(request).create, None)
    app = {"metadata": {"name": "c", "labels": {"app": "x"}}}
    asked = [
        *DEEDS,
        DEEDS[0],
        DEEDS[0],
        Update("leases", "default", "a", lease("a")),
        Update("leases", "default", "c", app),
    ]
    asked += [Create("namespaces", "", {"metadata": {"name": "mine"}}), Create("leases", "mine", lease())]
    asked += [
        Create("leases", "yours", lease()),
        List("leases", limit=2),
        Delete("namespaces", "", "mine"),
        List("leases"),
    ]
    asked += [List("leases", resource_version="4", resource_version_match="Exact"), Get("leases", "default", "c", "0")]
    asked += [Delete("leases", "default", "c", resource_version="3"), Delete("leases", "default", "c")]
    answers: list[object] = []
    for one in asked:
        try:
            answers.append(api(one))
        except ApiError as error:
            answers.append(error.status())
    api.store.wait(1)
    answers.append([change for response in watch.responses for change in events(request, response)])
    watch.cancel()
    return answers


@pytest.mark.xdist_group("real etcd")
def test_over_a_real_etcd_the_api_says_the_same(address: str, api: Server) -> None:
    theirs = Server(KV.connect(address))

    assert tour(api) == tour(theirs)
