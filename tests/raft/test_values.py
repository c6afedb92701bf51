"""The immutable values that states are made of."""

import copy
import pickle
import random

import pytest

from raft_lab import Entry, HandlerError, Noop
from raft_lab.raft.values import Chain, FrozenMap, extend, freeze

# --- FrozenMap ---------------------------------------------------------------------------------------------


def test_a_frozen_map_reads_like_a_dict():
    one = FrozenMap({"a": 1, "b": 2})
    assert (one["a"], one.get("c", 0), len(one), "b" in one, list(one)) == (1, 0, 2, True, ["a", "b"])
    assert one == {"b": 2, "a": 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.__setitem__("a", 2),
        lambda m: m.__delitem__("a"),
        lambda m: m.update(a=2),
        lambda m: m.pop("a"),
        lambda m: m.popitem(),
        lambda m: m.clear(),
        lambda m: m.setdefault("c", 1),
        lambda m: m.__ior__({"c": 1}),
    ],
)
def test_a_frozen_map_cannot_change_and_says_what_to_do_instead(change):
    one = FrozenMap({"a": 1})
    with pytest.raises(TypeError, match="with_item"):
        change(one)
    assert one == {"a": 1}


def test_changing_makes_another():
    one = FrozenMap({"a": 1})
    assert one.with_item("b", 2) == {"a": 1, "b": 2}
    assert one.with_item("a", 3) == {"a": 3}
    assert one.without("a") == {}
    assert one == {"a": 1}
    with pytest.raises(KeyError):
        one.without("b")


def test_equality_and_hash_ignore_the_order():
    one, other = FrozenMap({"a": 1, "b": 2}), FrozenMap({"b": 2, "a": 1})
    assert one == other
    assert hash(one) == hash(other)
    assert hash(one) != hash(one.with_item("c", 3))
    assert len({one, other}) == 1


@pytest.mark.parametrize("make", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy, copy.deepcopy])
def test_a_copied_or_pickled_frozen_map_is_an_equal_one(make):
    one = FrozenMap({"a": FrozenMap({"b": (1, 2)})})
    hash(one)
    assert make(one) == one
    assert type(make(one)) is FrozenMap
    assert hash(make(one)) == hash(one)


# --- Chain -------------------------------------------------------------------------------------------------


def test_a_chain_is_a_sequence_that_grows_at_its_end():
    chain = extend(None, "abc")
    assert (chain.length, chain.item, "".join(chain.backwards())) == (3, "c", "cba")
    assert chain.prefix(2).item == "b"


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 63, 64, 65, 1000])
def test_every_prefix_is_found_and_in_few_jumps(length):
    chain = extend(None, range(1, length + 1))
    assert [chain.prefix(n).item for n in range(1, length + 1)] == list(range(1, length + 1))
    assert all(jumps(chain, n) <= 3 * length.bit_length() for n in range(1, length + 1))


def jumps(chain, length):
    count = 0
    while chain.length > length:
        chain = chain.jump if chain.jump.length >= length else chain.previous
        count += 1
    return count


def test_a_prefix_is_shared_and_not_copied():
    chain = extend(None, "abc")
    assert extend(chain, "d").prefix(3) is chain


def test_chains_are_equal_if_their_items_are():
    assert extend(None, "abc") == extend(None, "abc")
    assert hash(extend(None, "abc")) == hash(extend(None, "abc"))
    assert extend(None, "abc") != extend(None, "abd")
    assert extend(None, "abc") != extend(None, "ab")
    assert extend(None, "abc") != extend(None, "xbc")


def test_comparing_any_two_chains_never_changes_what_they_hold():
    rng = random.Random(1)
    lists = [[rng.choice("ab") for _ in range(rng.randint(1, 9))] for _ in range(60)]
    chains = [extend(None, items) for items in lists]
    for _ in range(3):
        for one, first in zip(chains, lists, strict=True):
            for other, second in zip(chains, lists, strict=True):
                assert (one == other) == (first == second)
                assert (one.prefix(1) == other.prefix(1)) == (first[0] == second[0])
    for chain, items in zip(chains, lists, strict=True):
        assert list(chain.backwards())[::-1] == items
        assert [chain.prefix(n).item for n in range(1, len(items) + 1)] == items


class Counted:
    """An item that counts how often items are compared."""

    comparisons = 0

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        Counted.comparisons += 1
        return self.value == other.value

    def __hash__(self):
        return hash(self.value)


def test_three_chains_that_grow_are_compared_again_and_again_in_few_looks():
    first = second = third = None
    for number in range(200):
        first, second, third = (Chain(Counted(number), chain) for chain in (first, second, third))
        assert first == third
        assert second == third
    assert Counted.comparisons < 1200


def test_hash_collisions_do_not_make_chains_equal():
    """In CPython hash(-1) == hash(-2): digests agree, items do not."""
    assert hash(-1) == hash(-2)
    one, other = extend(None, [-1, 5]), extend(None, [-2, 5])
    assert one.digest == other.digest
    assert one != other


def test_a_long_chain_survives_pickling():
    chain = extend(None, range(20_000))
    assert pickle.loads(pickle.dumps(chain)) == chain


# --- freeze ------------------------------------------------------------------------------------------------


def test_freezing_goes_all_the_way_down():
    frozen = freeze({"a": [1, {2}, {"b": []}], "c": (1, [2])})
    assert frozen == {"a": (1, frozenset({2}), {"b": ()}), "c": (1, (2,))}
    assert type(frozen) is type(frozen["a"][2]) is FrozenMap
    hash(frozen)


def test_what_is_a_value_already_stays_what_it_is():
    for value in (1, "x", None, True, 1.5, Entry(1, Noop()), frozenset({1})):
        assert freeze(value) == value


@pytest.mark.parametrize("value", [bytearray(b"x"), [bytearray(b"x")], {"a": bytearray()}])
def test_what_is_no_value_is_refused_with_a_sentence(value):
    with pytest.raises(HandlerError, match=r"a bytearray is not one: use numbers, strings"):
        freeze(value)
