"""A thousand watches over Kubernetes' API at once: all see everything, in one thread, and nothing is left of them."""

import asyncio
import json
import sys
import threading
from pathlib import Path

import aiohttp
import pytest

from raft_lab import Cluster, serve
from raft_lab.kv import KVServer
from serve.clusters import wait_until

WATCHES, CHANGES = 1000, 5
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def many_files():
    """Each watch takes two ends of a connection."""
    resource = pytest.importorskip("resource", reason="only Unix limits open files so")
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * WATCHES + 500
    if most not in (-1, resource.RLIM_INFINITY) and most < wanted:
        pytest.skip(f"this machine allows {most} open files, and this takes {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(least, wanted), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))


async def watched(url):
    """What all watchers see of some changes, one after another."""
    sessions = aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(120))

    async def events(answer):
        lines = [json.loads(await answer.content.readline()) for _ in range(CHANGES)]
        return [(line["type"], line["object"]["metadata"]["resourceVersion"]) for line in lines]

    async with sessions as session:
        async with session.post(LEASES, json={"metadata": {"name": "news"}}) as created:
            version = (await created.json())["metadata"]["resourceVersion"]
        query = {"watch": "1", "resourceVersion": version}
        answers = []
        for _ in range(WATCHES // 100):
            answers += await asyncio.gather(*(session.get(LEASES, params=query) for _ in range(100)))
        threads = threading.active_count()
        for number in range(CHANGES):
            change = {"spec": {"holderIdentity": str(number)}}
            async with session.patch(f"{LEASES}/news", json=change, headers=MERGE) as changed:
                assert changed.status == 200
        seen = await asyncio.gather(*map(events, answers))
        assert threading.active_count() == threads
        for answer in answers:
            answer.close()
    return seen


@pytest.mark.skipif(sys.platform == "win32", reason="needs Unix's way to allow many open files")
def test_a_thousand_watchers_see_every_change_once_and_in_order_and_nothing_is_left(many_files):
    with serve.kubernetes(Cluster(3, server=KVServer)) as k8s:
        before = open_files()
        seen = asyncio.run(watched(k8s.url))
        wait_until(lambda: k8s.rest.watchers == 0, "the end of all watches")
        wait_until(lambda: open_files() <= before, "the end of all connections")
    assert len(seen) == WATCHES
    assert seen[0] == [("MODIFIED", version) for _, version in seen[0]]
    assert sorted({int(version) for _, version in seen[0]}) == [int(version) for _, version in seen[0]]
    assert all(events == seen[0] for events in seen)


def open_files():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
