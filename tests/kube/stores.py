"""Somewhere to run requests of the API, and a clock for it."""

import pytest

from raft_lab.kube import ApiError, perform
from raft_lab.kube.api import bootstrap
from raft_lab.kv import KV

NOW_US = 1_795_852_800_000_000  # 2026-11-28T08:00:00Z


class Server:
    """The API over a store; each look at the clock takes a second."""

    def __init__(self, store: KV):
        self.store = store
        self.now_us = NOW_US

    def clock(self):
        self.now_us += 1_000_000
        return self.now_us

    def __call__(self, request):
        return self.store.run(perform(request, self.clock))

    def bootstrap(self):
        return self.store.run(bootstrap(self.clock))


def lease(name="app", **spec):
    return {"metadata": {"name": name}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, **spec}}


def refused(api, request):
    """The error with which the API refuses a request."""
    with pytest.raises(ApiError) as error:
        api(request)
    return error.value
