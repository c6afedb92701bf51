"""Lists: as of which version, page by page, by selectors."""

import base64
import json

import pytest

from kube.stores import Server, lease, refused
from raft_lab.kube import Create, Delete, List


def test_a_list_is_of_one_moment_page_by_page(api: Server) -> None:
    for name in "abcde":
        api(Create("leases", "default", lease(name)))
    first = api(List("leases", "default", limit=2))
    api(Delete("leases", "default", "d"))
    second = api(List("leases", "default", limit=2, continue_=first["metadata"]["continue"]))
    third = api(List("leases", "default", limit=2, continue_=second["metadata"]["continue"]))

    pages = [[item["metadata"]["name"] for item in page["items"]] for page in (first, second, third)]
    token = first["metadata"]["continue"]
    assert pages == [["a", "b"], ["c", "d"], ["e"]]
    assert [page["metadata"]["resourceVersion"] for page in (first, second, third)] == ["6", "6", "6"]
    assert [page["metadata"].get("remainingItemCount") for page in (first, second, third)] == [3, 1, None]
    assert json.loads(base64.urlsafe_b64decode(token + "==")) == {"v": "meta.k8s.io/v1", "rv": 6, "start": "b\0"}


def test_a_page_that_is_compacted_away_can_be_had_from_now_on(api: Server) -> None:
    for name in "abc":
        api(Create("leases", "default", lease(name)))
    first = api(List("leases", "default", limit=1))
    api(Delete("leases", "default", "b"))
    api.store.compact(5)

    error = refused(api, List("leases", "default", limit=1, continue_=first["metadata"]["continue"]))
    rest = api(List("leases", "default", continue_=error.metadata["continue"]))

    assert (error.code, error.reason) == (410, "Expired")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]


def test_as_of_which_version(api: Server) -> None:
    api(Create("leases", "default", lease("a")))
    api(Create("leases", "default", lease("b")))

    def names(**asked: str) -> list[str]:
        return [item["metadata"]["name"] for item in api(List("leases", "default", **asked))["items"]]

    assert names(resource_version="2", resource_version_match="Exact") == ["a"]
    assert names(resource_version="2", resource_version_match="NotOlderThan") == ["a", "b"]
    api.store.compact(3)
    error = refused(api, List("leases", resource_version="2", resource_version_match="Exact"))
    assert (error.code, error.message) == (410, "The resourceVersion for the provided list is too old.")


def test_a_version_of_the_future_is_waited_for_and_then_given_up(api: Server) -> None:
    error = refused(api, List("leases", resource_version="9"))

    assert (error.code, error.message) == (504, "Timeout: Too large resource version: 9, current: 1")
    assert error.details["retryAfterSeconds"] == 1
    assert api.store.line.cluster.schedule.now_us > 3_000_000  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("labels", "fields", "found"),
    [
        ("app=web", "", "ab"),
        ("app==web,tier!=db", "", "a"),
        ("app in (web, api)", "", "abc"),
        ("tier notin (db)", "", "acd"),
        ("tier", "", "ab"),
        ("!app", "", "d"),
        ("", "metadata.name=b", "b"),
        ("app=web", "metadata.name!=b", "a"),
        ("", "metadata.namespace=default", "abcd"),
        ("", "metadata.namespace=other", ""),
    ],
)
def test_selectors(api: Server, labels: str, fields: str, found: str) -> None:
    for name, tags in (("a", {"app": "web", "tier": "ui"}), ("b", {"app": "web", "tier": "db"}), ("c", {"app": "api"})):
        api(Create("configmaps", "default", {"metadata": {"name": name, "labels": tags}}))
    api(Create("configmaps", "default", {"metadata": {"name": "d"}}))

    items = api(List("configmaps", "default", labels, fields))["items"]

    assert "".join(item["metadata"]["name"] for item in items) == found
