"""One rule for all majorities: `Configuration.quorum_min`, from which `has_quorum` follows."""

import itertools

import pytest

from raft_lab import Configuration

NAMES = "abcdefg"


def subsets(names):
    return [frozenset(c) for n in range(len(names) + 1) for c in itertools.combinations(sorted(names), n)]


@pytest.mark.parametrize("size", range(1, 8))
def test_a_quorum_is_more_than_half(size):
    configuration = Configuration(NAMES[:size])
    for agreed in subsets(NAMES[:size]):
        assert configuration.has_quorum(agreed) == (len(agreed) > size / 2)


@pytest.mark.parametrize("size", range(1, 6))
def test_any_two_quorums_have_a_server_in_common(size):
    configuration = Configuration(NAMES[:size])
    quorums = [s for s in subsets(NAMES[:size]) if configuration.has_quorum(s)]
    assert all(one & other for one in quorums for other in quorums)


JOINT = [("abc", "abd"), ("abc", "cde"), ("abc", "def"), ("a", "bcd"), ("ab", "abcd"), ("abcde", "a")]


@pytest.mark.parametrize(("old", "new"), JOINT)
def test_a_joint_quorum_is_a_quorum_of_both_and_not_a_majority_of_the_union(old, new):
    joint, one, other = Configuration(new, old), Configuration(old), Configuration(new)
    for agreed in subsets({*old, *new}):
        assert joint.has_quorum(agreed) == (one.has_quorum(agreed) and other.has_quorum(agreed))


@pytest.mark.parametrize(("old", "new"), JOINT)
def test_every_joint_quorum_meets_every_quorum_before_and_after(old, new):
    everyone = subsets({*old, *new})
    joint = [s for s in everyone if Configuration(new, old).has_quorum(s)]
    for half in (old, new):
        for quorum in [s for s in everyone if Configuration(half).has_quorum(s)]:
            assert all(quorum & other for other in joint)


def test_union_majority_would_differ():
    joint = Configuration(voters="def", old="abc")
    assert not joint.has_quorum("abcd"), "four of six, but one of three in the new half"
    assert joint.has_quorum("abde")


@pytest.mark.parametrize("size", range(1, 6))
def test_quorum_min_is_the_largest_number_that_a_quorum_has_reached(size):
    names = NAMES[:size]
    configuration = Configuration(names)
    for reached in itertools.product(range(3), repeat=size):
        value = dict(zip(names, reached, strict=True))
        best = max(n for n in range(3) if configuration.has_quorum(m for m in names if value[m] >= n))
        assert configuration.quorum_min(value.__getitem__) == best


def test_joint_quorum_min_is_the_lesser_of_both_halves():
    value = {"a": 9, "b": 9, "c": 1, "d": 3, "e": 2}
    assert Configuration("abc").quorum_min(value.__getitem__) == 9
    assert Configuration("cde").quorum_min(value.__getitem__) == 2
    assert Configuration("cde", old="abc").quorum_min(value.__getitem__) == 2


def test_learners_and_strangers_do_not_count():
    configuration = Configuration("abc", learners="de")
    assert not configuration.has_quorum("ade")
    assert not configuration.has_quorum("axyz")
    assert not configuration.has_quorum(["a", "a", "a"])
    assert configuration.has_quorum("ab")


def test_without_voters_nothing_is_ever_decided():
    assert not Configuration("").has_quorum("abc")
    assert Configuration("").quorum_min(lambda _: 5) == 0


def test_members_are_everyone_who_receives_entries_in_a_fixed_order():
    configuration = Configuration("db", old="ca", learners="e")
    assert configuration.members == ("a", "b", "c", "d", "e")
    assert [configuration.is_voter(name) for name in "abcdex"] == [True, True, True, True, False, False]
    assert configuration.is_joint
    assert not Configuration("ab").is_joint


def test_configurations_are_values_and_print_in_a_fixed_order():
    assert Configuration("ab") == Configuration({"b", "a"})
    assert hash(Configuration("ab")) == hash(Configuration(["b", "a"]))
    assert str(Configuration("ba", old="ac", learners="x")) == "{a, c} and {a, b}, learners {x}"
    assert eval(repr(Configuration("ba", old="ac"))) == Configuration("ba", old="ac")
