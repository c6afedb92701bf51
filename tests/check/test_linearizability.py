"""Is there an order that explains what clients were told? Small cases by hand, many by chance, hard ones bounded."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from check.concurrent_clients import concurrent_history, explained_by_some_permutation, spoiled
from raft_lab import Cluster, History, HistoryError, Operation, Server, check_linearizable, without
from raft_lab.check.models import Model, key_value, lease, lock, register
from raft_lab.sim import scenarios


def history(*operations: Operation, **more: object) -> History:
    return History(operations, **more)


def op(client: str, asked: str, called: int, returned: int | None, result: object = None) -> Operation:
    """`op("c1", "write x 1", 0, 3)`"""
    kind, key, *argument = asked.split()
    return Operation(client, kind, key, argument[0] if argument else None, called, returned, result)


def judged(*operations: Operation, model: Model | None = None) -> bool | None:
    return check_linearizable(history(*operations), model).linearizable


# --- Registers -------------------------------------------------------------------------------------------------------


def test_a_read_sees_what_was_written_before_it():
    assert judged(op("c1", "write x 1", 0, 1), op("c2", "read x", 2, 3, "1")) is True


def test_a_read_that_misses_a_finished_write_has_no_place():
    verdict = check_linearizable(history(op("c1", "write x 1", 0, 1), op("c2", "read x", 2, 3)))
    assert verdict.linearizable is False
    assert verdict.impossible == op("c2", "read x", 2, 3)
    assert verdict.reason == (
        "c2's read x at moment 3 returned nothing, but write x 1 by c1 had already returned; "
        "it could only have returned 1."
    )


def test_while_a_write_is_under_way_a_read_may_see_either():
    for seen in (None, "1"):
        assert judged(op("c1", "write x 1", 0, 3), op("c2", "read x", 1, 2, seen)) is True


def test_once_the_new_value_was_seen_the_old_one_is_gone():
    verdict = check_linearizable(
        history(
            op("c1", "write x 1", 0, 9),
            op("c2", "read x", 1, 2, "1"),
            op("c3", "read x", 3, 4, None),
        )
    )
    assert verdict.impossible is not None
    assert verdict.impossible.client == "c3"
    assert "but read x by c2 had already returned 1" in verdict.reason


def test_calls_and_returns_of_one_moment_are_concurrent():
    assert judged(op("c1", "write x 1", 0, 2), op("c2", "read x", 2, 3, None)) is True


def test_the_values_of_different_registers_have_nothing_to_do_with_each_other():
    assert judged(op("c1", "write x 1", 0, 1), op("c1", "write y 2", 2, 3), op("c2", "read x", 4, 5, "1")) is True


def test_a_compare_and_set_succeeds_only_on_the_value_that_is_there():
    write = op("c1", "write x 1", 0, 1)
    wins = Operation("c2", "cas", "x", ("1", "2"), 2, 3, True)
    assert judged(write, wins) is True
    assert judged(write, wins, Operation("c3", "cas", "x", ("1", "3"), 4, 5, True)) is False
    assert judged(write, wins, Operation("c3", "cas", "x", ("1", "3"), 4, 5, False)) is True


# --- What nobody knows -----------------------------------------------------------------------------------------------


def test_a_write_without_an_answer_may_take_effect_late():
    unknown = op("c1", "write x 1", 0, None)
    assert judged(unknown, op("c2", "read x", 1, 2, None), op("c2", "read x", 3, 4, "1")) is True


def test_a_write_without_an_answer_may_never_take_effect():
    assert judged(op("c1", "write x 1", 0, None), op("c2", "read x", 1, 2, None)) is True


def test_but_it_takes_effect_once():
    unknown = op("c1", "write x 1", 0, None)
    seen = [op("c2", "read x", 1, 2, "1"), op("c3", "write x 2", 3, 4), op("c2", "read x", 5, 6, "1")]
    assert judged(unknown, *seen) is False


def test_a_failed_write_did_not_happen():
    refused = replace(op("c1", "write x 1", 0, 1), failed=True)
    assert judged(refused, op("c2", "read x", 2, 3, None)) is True
    assert judged(refused, op("c2", "read x", 2, 3, "1")) is False


# --- Transactions, locks, leases -------------------------------------------------------------------------------------


def transfer(client: str, called: int, returned: int | None, *, succeeded: bool = True) -> Operation:
    """If x is 1, put 0 into x and 1 into y."""
    argument = ((("x", "=", 1),), (("put", "x", 0), ("put", "y", 1)), (("get", "x"),))
    result = (True, (None, None)) if succeeded else (False, (0,))
    return Operation(client, "txn", None, argument, called, returned, result)


def test_a_transaction_over_two_keys_happens_at_once():
    put = Operation("c1", "put", "x", 1, 0, 1)
    new_y = Operation("c2", "get", "y", None, 3, 4, 1)
    old_x = Operation("c2", "get", "x", None, 5, 6, 1)
    assert judged(put, transfer("c1", 2, 9), new_y, replace(old_x, result=0)) is True
    assert judged(put, transfer("c1", 2, 9), new_y, old_x) is False


def test_of_two_transactions_with_one_condition_the_second_does_something_else():
    put = Operation("c1", "put", "x", 1, 0, 1)
    assert judged(put, transfer("c1", 2, 5), transfer("c2", 3, 4, succeeded=False)) is True
    verdict = check_linearizable(history(put, transfer("c1", 2, 5), transfer("c2", 3, 4)))
    assert verdict.linearizable is False
    assert verdict.reason.endswith("it could only have returned [False [0]].")


def test_revisions_put_all_keys_in_one_order():
    x = Operation("c1", "put", "x", 1, 0, 3, (None, 2))
    y = Operation("c2", "put", "y", 1, 1, 2, (None, 3))
    late = Operation("c3", "get", "x", None, 4, 5, (1, 3))
    assert judged(x, y, late, model=key_value(revisions=True)) is True
    assert judged(x, replace(y, result=(None, 2)), late, model=key_value(revisions=True)) is False


def test_two_clients_do_not_hold_one_lock():
    first, second = op("c1", "acquire l", 0, 3, True), op("c2", "acquire l", 1, 2, True)
    assert judged(first, replace(second, result=False)) is True
    assert judged(first, second) is False
    assert judged(first, op("c1", "release l", 4, 5, True), op("c2", "acquire l", 6, 7, True)) is True


def test_a_lease_is_free_again_when_its_time_is_over_and_not_before():
    first, second = op("c1", "acquire l", 0, 1, True), op("c2", "acquire l", 2, 3, True)
    late = history(first, second, times_us=(0, 5_000, 20_000, 30_001))
    early = history(first, second, times_us=(0, 5_000, 20_000, 29_999))
    assert check_linearizable(late, lease(30_000, late)).linearizable is True
    assert check_linearizable(early, lease(30_000, early)).linearizable is False
    assert check_linearizable(late, lock()).linearizable is False


# --- Against the definition ------------------------------------------------------------------------------------------


def small_history(rng: random.Random, model: Model) -> History:
    """Up to six operations of three clients, with answers by chance."""
    ends = iter(rng.sample(range(1, 30), 12))
    operations = []
    for number in range(rng.randint(3, 6)):
        called, returned = sorted((next(ends), next(ends)))
        client, key = f"c{number % 3}", rng.choice("xy") if "txn" in model.kinds else "x"
        old, new, told = rng.choice([None, 1, 2]), rng.choice([1, 2]), rng.choice([None, 1, 2])
        sure = rng.random() < 0.8
        match rng.choice(sorted(model.kinds & {"read", "write", "cas", "get", "put", "acquire", "release", "txn"})):
            case "read" | "get" as kind:
                argument, result = None, told
            case "write" | "put" as kind:
                argument, result = new, None
            case "cas" as kind:
                argument, result = (old, new), rng.random() < 0.6
            case "txn" as kind:
                argument = ((("x", "=", old),), (("put", "y", new), ("get", "x")), (("get", "y"),))
                key, result = None, rng.choice([(True, (None, told)), (False, (told,))])
            case kind:
                argument, result = None, rng.random() < 0.7
        failed = sure and rng.random() < 0.1
        result = result if sure and not failed else None
        operations.append(Operation(client, kind, key, argument, called, returned if sure else None, result, failed))
    return History(tuple(operations))


@pytest.mark.parametrize("model", [register(), key_value(), lock()], ids=lambda model: model.name)
def test_it_agrees_with_trying_every_order(model):
    rng = random.Random(f"small histories of a {model.name}")
    verdicts = [0, 0]
    for _ in range(250):
        one = small_history(rng, model)
        expected = explained_by_some_permutation(one, model)
        verdict = check_linearizable(one, model)
        assert verdict.linearizable is expected, one.operations
        verdicts[expected] += 1
    assert min(verdicts) > 40, "both answers occur"


def test_the_order_it_shows_is_a_proof():
    """Every answered operation once, in an order that respects time and gives the results that clients were told."""
    for seed in range(5):
        one = concurrent_history(seed, operations=300, unanswered=0.05)
        verdict = check_linearizable(one)
        assert {o for o in one.operations if not o.unknown} <= set(verdict.order)
        state, model, reached = key_value().initial, key_value(), 0
        for operation, point in zip(verdict.order, verdict.points, strict=True):
            fits, state = model.step(state, operation)
            assert fits
            assert operation.called <= point
            assert operation.unknown or point <= operation.returned
            assert reached <= point
            reached = point


# --- Large ones ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clients", "keys"), [(8, 8), (16, 4), (12, 1)])
def test_a_planted_lie_among_a_thousand_operations_is_found(clients, keys):
    for seed in range(3):
        good = concurrent_history(seed, clients=clients, keys=keys, unanswered=0.01)
        assert check_linearizable(good).linearizable is True
        bad, lie = spoiled(good, seed)
        verdict = check_linearizable(bad)
        assert verdict.linearizable is False
        assert verdict.impossible is not None
        assert verdict.impossible.key == lie.key
        assert verdict.impossible.returned <= lie.returned


def test_what_is_known_of_an_object_with_one_value_changes_no_verdict():
    """The search looks ahead where a model tells the effects of operations; without them it finds the same."""
    rng = random.Random("effects")
    blind = replace(key_value(), effect=None)
    for seed in range(60):
        one = concurrent_history(seed, clients=4, operations=14, keys=1, unanswered=0.1)
        operations = list(one.operations)
        number = rng.randrange(len(operations))
        if operations[number].kind == "get" and not operations[number].unknown:
            operations[number] = replace(operations[number], result=rng.randrange(14))
        spoilt = History(tuple(operations))
        assert check_linearizable(spoilt).linearizable is check_linearizable(spoilt, blind).linearizable
        assert check_linearizable(spoilt).impossible == check_linearizable(spoilt, blind).impossible


def hard_history(writes: int) -> History:
    """Concurrent writes and the sums that nobody could have read: every order has to be tried."""
    writers = [Operation(f"c{n}", "append", "x", chr(97 + n), n, 100 + n) for n in range(writes)]
    return history(*writers, Operation("reader", "get", "x", None, 50, 200, "no such value"))


def test_a_hard_history_ends_with_unknown_within_the_budget():
    verdict = check_linearizable(hard_history(12), budget=5_000)
    assert verdict.linearizable is None
    assert verdict.impossible is None
    assert 5_000 <= verdict.steps < 5_100
    assert str(verdict).startswith("Unknown within the budget of 5,000 steps")


def test_a_hard_key_does_not_hide_a_wrong_one():
    wrong = [Operation("a", "put", "y", 1, 0, 1), Operation("b", "get", "y", None, 2, 3, None)]
    verdict = check_linearizable(history(*wrong, *hard_history(12).operations), budget=5_000)
    assert verdict.linearizable is False
    assert verdict.impossible == wrong[1]


def test_what_an_easy_key_does_not_use_is_left_to_a_hard_one():
    easy = [Operation("a", "put", f"k{n}", n, 2 * n, 2 * n + 1) for n in range(9)]
    assert check_linearizable(history(*easy, *hard_history(5).operations), budget=5_000).linearizable is False


def test_the_verdict_does_not_depend_on_the_order_of_writing_down():
    one, _ = spoiled(concurrent_history(1), 1)
    shuffled = list(one.operations)
    random.Random(1).shuffle(shuffled)
    again = History(tuple(shuffled), source=one.source)
    assert (check_linearizable(one).reason, again.operations) == (check_linearizable(again).reason, one.operations)


# --- Runs of the lab -------------------------------------------------------------------------------------------------


def test_a_local_read_at_a_deposed_leader_is_not_linearizable():
    cluster = scenarios.old_reign()
    cluster.deliver_all()
    cluster.read("S1", how="local")
    verdict = check_linearizable(cluster)
    assert verdict.linearizable is False
    assert "read all (local)" in verdict.reason
    assert "but set x new by" in verdict.reason
    assert "it could only have returned {x: new}" in verdict.reason


def test_a_read_by_read_index_waits_rather_than_lie():
    assert check_linearizable(scenarios.stale_read()).linearizable is True


@pytest.mark.parametrize(
    ("scenario", "rule"),
    [
        (scenarios.stale_read, "read-index round"),
        (scenarios.read_of_a_new_leader, "own-term commit before a read"),
        (scenarios.duplicate_command, "session de-duplication"),
    ],
)
def test_without_its_rule_clients_see_what_cannot_be(scenario, rule):
    assert check_linearizable(scenario(without(Server, rule))).linearizable is False
    assert check_linearizable(scenario(Server)).linearizable is True


def test_a_lease_read_by_a_slow_clock_is_not_linearizable():
    assert check_linearizable(scenarios.stale_lease_read(speed=0.4)).linearizable is False
    assert check_linearizable(scenarios.stale_lease_read(speed=1.0)).linearizable is True


def test_a_state_machine_of_ones_own_is_judged_by_itself():
    class Counter(Server):
        def apply(self, data, op):
            count = data.get("count", 0) + 1
            return data.with_item("count", count), count

    cluster = Cluster(3, seed=1, server=Counter)
    cluster.run_until(leader=True)
    for _ in range(3):
        cluster.propose("tick")
    cluster.run(100)
    assert [o.result for o in cluster.operations.operations] == [1, 2, 3]
    assert check_linearizable(cluster).linearizable is True


# --- Bad input -------------------------------------------------------------------------------------------------------


def test_what_no_model_knows_is_said():
    with pytest.raises(HistoryError, match="no model knows all of enqueue, read"):
        judged(op("c1", "enqueue q", 0, 1), op("c1", "read x", 2, 3))
    with pytest.raises(HistoryError, match="a lock knows acquire, release; c1 asked for 'read'"):
        judged(op("c1", "read x", 0, 1), model=lock())


@pytest.mark.parametrize(
    ("kind", "argument", "result"), [("cas", 5, True), ("txn", (1, 2), None), ("txn", ((), ((),), ()), (True, ()))]
)
def test_an_operation_of_another_form_than_its_model_expects_is_said(kind, argument, result):
    with pytest.raises(HistoryError, match=f"c1's {kind} is not one of a key-value store: its argument"):
        judged(Operation("c1", kind, "x", argument, 0, 1, result), model=key_value())


def test_a_subject_or_budget_that_is_none_is_refused():
    with pytest.raises(TypeError, match="takes a Cluster or a History"):
        check_linearizable([1, 2])
    with pytest.raises(ValueError, match="a number of steps, at least 1"):
        check_linearizable(history(), budget=0)
    assert judged() is True
