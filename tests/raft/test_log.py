"""The log: immutable, shared, cheap to grow and to cut; compared with a plain list."""

import copy
import pickle
import random

import pytest

from raft.states import THREE, entries, log
from raft_lab import Command, Configuration, Entry, Log
from raft_lab.raft.log import Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.values import FrozenMap

FOUR = Configuration({"S1", "S2", "S3", "S4"})
BASE = Snapshot(FOUR, last_included_index=5, last_included_term=2, machine=Machine(FrozenMap({"x": "1"})))


class Model:
    """The log as a plain list, the obvious way."""

    def __init__(self, snapshot, items=()):
        self.snapshot, self.items = snapshot, list(items)

    def configuration(self):
        found = [e.value for e in self.items if isinstance(e.value, Configuration)]
        return found[-1] if found else self.snapshot.configuration


def agrees(real: Log, model: Model) -> None:
    base = model.snapshot.last_included_index
    assert [e for _, e in real] == model.items
    assert [i for i, _ in real] == list(range(base + 1, base + 1 + len(model.items)))
    assert len(real) == len(model.items)
    assert (real.first_index, real.last_index) == (base + 1, base + len(model.items))
    assert real.last_term == (model.items[-1].term if model.items else model.snapshot.last_included_term)
    assert real.configuration == model.configuration()
    for offset, entry in enumerate(model.items, start=1):
        assert real.entry(base + offset) == entry
        assert real.term(base + offset) == entry.term
    assert real == Log(model.snapshot, model.items)
    assert hash(real) == hash(Log(model.snapshot, model.items))


@pytest.mark.parametrize("base", [Snapshot(THREE), BASE], ids=["from the beginning", "on a snapshot"])
@pytest.mark.parametrize("seed", range(8))
def test_a_log_does_what_a_list_would_do(seed, base):
    rng = random.Random(f"log {seed}")
    family = [(Log(base), Model(base))]
    for number in range(120):
        real, model = rng.choice(family)
        first = base.last_included_index
        term = max([base.last_included_term, *(e.term for e in model.items)])
        if rng.random() < 0.7 or not model.items:
            new = []
            for n in range(rng.randint(0, 4)):
                term += rng.random() < 0.3
                value = Configuration({f"S{rng.randint(1, 9)}"}) if rng.random() < 0.2 else Command(f"{number}.{n}")
                new.append(Entry(max(term, 1), value))
            family.append((real.append(*new), Model(base, model.items + new)))
        else:
            index = rng.randint(first + 1, first + len(model.items))
            family.append((real.truncate(index), Model(base, model.items[: index - first - 1])))
        if rng.random() < 0.2:
            low, limit = rng.randint(first, first + len(model.items)), rng.choice((None, 0, 1, 3))
            wanted = model.items[low - first :][: limit if limit is not None else None]
            assert real.after(low, limit) == tuple(wanted)
    for real, model in family:
        agrees(real, model)
    for one, first_model in family[::7]:
        for other, second_model in family[::5]:
            assert (one == other) == (first_model.items == second_model.items)
            reach = min(one.last_index, other.last_index)
            length = reach - base.last_included_index
            same = first_model.items[:length] == second_model.items[:length]
            assert one.same_prefix(other, reach) == same


def test_changing_a_log_makes_another_and_leaves_it_as_it_was():
    one = log(1, 1, 2)
    longer, shorter = one.append(*entries(3, first=4)), one.truncate(2)
    assert [len(x) for x in (one, longer, shorter)] == [3, 4, 1]
    assert longer.truncate(4) == one
    assert shorter.append(*entries(1, 2, first=2)) == one


def test_the_terms_after_a_place_come_in_order_and_at_most_so_many():
    one = log(1, 1, 2, 3)
    assert one.after(2) == entries(1, 1, 2, 3)[2:]
    assert one.after(0, limit=2) == entries(1, 1)
    assert one.after(4) == one.after(9) == one.after(0, limit=0) == ()


def test_forks_share_what_they_have_in_common():
    trunk = log(*[1] * 1000)
    one, other = trunk.append(*entries(2, first=1001)), trunk.append(*entries(3, first=1001))
    assert one.truncate(1001)._entries is other.truncate(1001)._entries
    assert one.same_prefix(other, 1000)
    assert not one.same_prefix(other, 1001)


def test_a_long_log_can_be_built_cut_and_read_without_recursion():
    long = log(*[1] * 10_000)
    assert long.term(1) == long.term(5_000) == 1
    assert len(long.truncate(9_000)) == 8_999
    assert long == pickle.loads(pickle.dumps(long))
    assert long == log(*[1] * 10_000)


@pytest.mark.parametrize("index", [-1, 0, 4, 5])
def test_an_entry_that_is_not_there_is_an_index_error(index):
    with pytest.raises(IndexError):
        log(1, 1, 1).entry(index)


@pytest.mark.parametrize("index", [-1, 4])
def test_the_term_of_nothing_is_an_index_error(index):
    with pytest.raises(IndexError):
        log(1, 1, 1).term(index)


def test_index_zero_is_the_beginning_of_everything():
    assert log(1).term(0) == 0
    assert log().matches(0, 0)
    assert log(1).matches(0, 0)
    assert not log().matches(1, 1)


# --- On a snapshot -----------------------------------------------------------------------------------------


def test_on_a_snapshot_indexes_go_on():
    one = Log(BASE, [Entry(2, Command("a")), Entry(3, Command("b"))])
    assert (one.first_index, one.last_index, len(one)) == (6, 7, 2)
    assert (one.term(5), one.term(6), one.term(7)) == (2, 2, 3)
    with pytest.raises(IndexError, match="inside the snapshot"):
        one.entry(5)
    with pytest.raises(IndexError):
        one.term(4)


def test_what_a_snapshot_covers_is_committed_so_it_matches():
    one = Log(BASE, [Entry(3, Command("a"))])
    assert one.matches(3, 1)
    assert one.matches(5, 2)
    assert not one.matches(6, 2)
    assert one.matches(6, 3)
    assert not one.matches(7, 3)


def test_an_empty_log_on_a_snapshot_ends_where_the_snapshot_ends():
    one = Log(BASE)
    assert (one.last_index, one.last_term, one.configuration) == (5, 2, FOUR)
    assert one.append(Entry(4, Command("a"))).last_index == 6


def test_logs_on_different_snapshots_agree_where_both_still_have_entries():
    whole = log(1, 1, 1, 2, 2, 3, 3)
    compacted = Log(BASE, entries(3, 3, first=6))
    assert whole.same_prefix(compacted, 7)
    assert compacted.same_prefix(whole, 6)
    assert not whole.same_prefix(Log(BASE, entries(3, 4, first=6)), 7)
    assert compacted.same_prefix(Log(BASE), 3), "inside both snapshots: committed"
    assert whole != compacted


# --- Configurations ------------------------------------------------------------------------------------------


def test_a_configuration_is_in_use_from_the_moment_it_is_appended():
    one = log(1).append(Entry(1, FOUR))
    assert one.configuration == FOUR
    assert one.append(*entries(1, first=3)).configuration == FOUR


def test_a_configuration_goes_back_with_the_log():
    five = Configuration({"S1", "S2", "S3", "S4", "S5"})
    one = log(1).append(Entry(1, FOUR), *entries(1, first=3), Entry(2, five), *entries(2, first=5))
    assert one.configuration == five
    assert one.truncate(5).configuration == five
    assert one.truncate(4).configuration == FOUR
    assert one.truncate(2).configuration == THREE
    assert one.truncate(1).configuration == THREE


def test_without_one_in_the_log_the_snapshots_configuration_is_in_use():
    one = Log(BASE).append(Entry(2, THREE))
    assert one.configuration == THREE
    assert one.truncate(6).configuration == FOUR


# --- Terms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [(), (1,), (1, 1, 3), (2, 2, 4, 4, 7), (1, 2, 3, 4, 5)])
def test_the_last_index_of_a_term_is_the_last_whose_term_is_not_above_it(terms):
    one = log(*terms)
    for term in range(9):
        wanted = max((i for i, t in enumerate(terms, start=1) if t <= term), default=0)
        assert one.last_index_of_term(term) == wanted


# --- Values ------------------------------------------------------------------------------------------------


def test_equal_logs_are_equal_however_they_came_about():
    one, other = log(1, 1, 2), log(1, 1, 1, 1).truncate(3).append(*entries(2, first=3))
    assert one == other
    assert hash(one) == hash(other)
    assert one is not other


@pytest.mark.parametrize(
    "other", [log(1, 1), log(1, 1, 3), log(1, 1, 2, 2), Log(BASE, entries(1, 1, 2)), "a log", None]
)
def test_different_logs_differ(other):
    assert log(1, 1, 2) != other


def test_comparing_changes_nothing_that_can_be_seen():
    one, other = log(*[1] * 40), log(*[1] * 40)
    before = list(one), list(other)
    assert one == other
    assert (list(one), list(other)) == before
    assert [one.term(i) for i in range(41)] == [other.term(i) for i in range(41)]


@pytest.mark.parametrize("make", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("one", [log(), log(1, 2), Log(BASE), Log(BASE, entries(3, 3, first=6))])
def test_a_copied_or_pickled_log_is_an_equal_one(one, make):
    assert make(one) == one
    assert hash(make(one)) == hash(one)
    assert make(one).configuration == one.configuration


def test_a_log_prints_its_last_entries():
    assert repr(log(1)) == "Log[1: set e1 1 (term 1)]"
    assert repr(log(*[1] * 20)).startswith("Log[… 13: ")
