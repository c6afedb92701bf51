"""The guarded key: what a leader that does not know that it is none any more can do to it, and what fencing refuses."""

import pytest

from kube.worlds import QUICK, quiet, started
from raft_lab.kube.guarded import Guarded
from raft_lab.kube.requests import Delete
from raft_lab.kv.requests import Put
from raft_lab.kv.server import apply
from raft_lab.kv.store import Store

LEASE = ("leases", "default", "demo")


def paused(fencing):
    """The leader is away for a while and comes back to work on, beside the one that has taken over."""
    electors = started(quiet(fencing=fencing, **QUICK), "a", "b")
    electors.pause("a", 14)
    electors.run(30)
    return electors


def writers(electors):
    """Who wrote, without repetitions: 'a b' if one came after the other."""
    names = [write.who for write in electors.guarded.writes]
    return " ".join(name for name, before in zip(names, [None, *names], strict=False) if name != before)


def test_without_fencing_the_writes_of_two_leaders_interleave():
    electors = paused("none")
    assert writers(electors).startswith("a b a b")
    assert electors.guarded.interleaved
    assert electors.guarded.rejected == []


def test_with_fencing_the_older_one_is_refused_from_the_first_write_of_the_newer_one_on():
    electors = paused("resourceVersion")
    assert writers(electors) == "a b"
    assert electors.guarded.interleaved == []
    assert [write.who for write in electors.guarded.rejected] == ["a"] * len(electors.guarded.rejected)
    assert len(electors.guarded.rejected) >= 3


def test_the_same_run_has_the_same_writes_up_to_the_first_that_is_refused():
    free, fenced = (paused(fencing).guarded.writes for fencing in ("none", "resourceVersion"))
    same = [pair for pair in zip(free, fenced, strict=False) if pair[0] == pair[1]]
    assert len(same) >= 5


def test_the_count_of_transitions_is_no_token_since_it_begins_anew():
    """Somebody deletes the lease. The next leader's count is 0 again, and it is the newer one that is refused."""

    def recreated(fencing):
        electors = started(quiet(fencing=fencing, **QUICK), "z", "a")
        electors.crash("z")
        electors.run(15)
        assert electors.leader == "a"
        assert electors.lease.leader_transitions == 1
        electors.pause("a", 14)
        electors.start("b")
        electors.run(1)
        electors.ask(Delete(*LEASE))
        electors.run(30)
        assert electors.leader == "b"
        return electors.guarded

    by_count, by_version = recreated("leaseTransitions"), recreated("resourceVersion")
    assert {write.who for write in by_count.rejected} == {"b"}
    assert {write.who for write in by_version.rejected} == {"a"}
    assert by_version.interleaved == []


def test_two_processes_of_one_identity_are_told_apart():
    electors = started(quiet(fencing="resourceVersion", **QUICK), "a")
    electors.start("a-again", identity="a")
    electors.run(10)
    assert electors.guarded.interleaved == []
    assert electors.guarded.rejected


def test_a_write_that_was_on_its_way_for_long_is_refused_when_it_comes():
    electors = started(quiet(fencing="resourceVersion", **QUICK), "a", "b")
    electors.cut("a", "store", "there")
    electors.run(2)
    electors.pause("a", 20)
    electors.run(12)
    assert electors.leader == "b"
    before = len(electors.guarded.rejected)
    electors.mend("a")
    electors.run(0.1)
    assert electors["a"].state == "paused"
    assert electors.guarded.writes[-1].who == "b"
    electors.run(20)
    assert len(electors.guarded.rejected) > before
    assert electors.guarded.interleaved == []


@pytest.mark.parametrize(
    ("tokens", "taken"), [((1, 2, 3), (1, 2, 3)), ((2, 1, 2), (2, 2)), ((9, 10, 9), (9, 10)), ((0, 0), (0, 0))]
)
def test_the_store_itself_compares_tokens(tokens, taken):
    guarded, store = Guarded("key", "resourceVersion"), Store()
    for number, token in enumerate(tokens):
        request, refused = guarded.request(token, token, "me", number), len(guarded.rejected)
        store, response = apply(store, request)
        guarded.answered(request, response)
        if len(guarded.rejected) == refused:
            kv = store.at(store.revision).get(b"key")
            guarded.accepted(kv.value, kv.mod_revision)
    assert tuple(write.token for write in guarded.writes) == taken


def test_without_fencing_a_write_is_a_plain_put():
    assert isinstance(Guarded("key").request(1, 1, "me", 1), Put)


def test_another_fencing_there_is_not():
    with pytest.raises(ValueError, match="fencing is one of none, resourceVersion, leaseTransitions"):
        Guarded("key", "hope")
