"""Clients at full load while everything fails: nothing that was promised is broken. 200 seeds."""

import pytest

from kv.load import Load
from raft_lab import check_linearizable
from raft_lab.kv.model import etcd
from raft_lab.kv.requests import Put, PutResponse

SEEDS, BATCH = 200, 10


def verdict(load: Load) -> str:
    """What was broken, or ''."""
    linearizable = check_linearizable(load.clients.history(), etcd())
    if not linearizable.linearizable:
        return str(linearizable)
    history = load.history()
    for asked in load.clients.asked:
        put, told = asked.call.request, asked.call.outcome
        if isinstance(put, Put) and isinstance(told, PutResponse):
            written = [event.kv.value for event in history[told.revision] if event.kv.key == put.key]
            if written != [put.value]:
                return f"{put} was acknowledged at revision {told.revision} and is lost"
    for watch in load.watches:
        told, expected = load.told(watch)
        if told != expected:
            return f"{watch}: it was told {told} instead of {expected}"
    return ""


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_under_load_and_faults_every_promise_is_kept(first: int) -> None:
    verdicts = {seed: verdict(Load(seed).go()) for seed in range(first, first + BATCH)}

    assert {seed: text for seed, text in verdicts.items() if text} == {}


@pytest.mark.parametrize("rule", ["session de-duplication", "read-index round"])
def test_the_same_runs_show_it_when_a_promise_is_not_kept(rule: str) -> None:
    verdicts = [verdict(Load(seed, without=(rule,)).go()) for seed in range(12)]

    assert any("Not linearizable" in text for text in verdicts)
