"""The exercise of lesson 06: answers that are right, and answers that lose counts."""

from raft_lab.course import INCREMENT
from raft_lab.kv import Pause, Put, Range, Txn, mod_revision


def number_at(response):
    return int(response.kvs[0].value) if response.kvs else 0


def since(response):
    return response.kvs[0].mod_revision if response.kvs else 0


def in_a_transaction(key):
    while True:
        found = yield Range(key)
        put = Put(key, str(number_at(found) + 1))
        response = yield Txn((mod_revision(key) == since(found),), (put,))
        if response.succeeded:
            return


def reads_then_writes(key):
    found = yield Range(key)
    yield Put(key, str(number_at(found) + 1))


def tries_once(key):
    found = yield Range(key)
    yield Txn((mod_revision(key) == since(found),), (Put(key, str(number_at(found) + 1)),))


def reads_what_is_stale(key):
    found = yield Range(key, serializable=True)
    while True:
        response = yield Txn((mod_revision(key) == since(found),), (Put(key, str(number_at(found) + 1)),))
        if response.succeeded:
            return
        yield Pause(1_000)


def test_a_transaction_that_is_tried_again_is_right():
    verdict = INCREMENT.check(in_a_transaction)

    assert (verdict.passed, verdict.points) == (True, 5)


def test_reading_and_then_writing_loses_counts_and_says_who_asked_what():
    verdict = INCREMENT.check(reads_then_writes)

    assert "2 clients counted once each, and the counter says 1 instead of 2." in verdict.summary
    assert "c1: get visits gave nothing; c2: get visits gave nothing" in verdict.looked


def test_a_transaction_that_is_not_tried_again_loses_counts():
    assert "instead of 2" in INCREMENT.check(tries_once).summary


def test_a_transaction_that_never_reads_again_does_not_come_to_an_end():
    assert "does not come to an end" in INCREMENT.check(reads_what_is_stale).summary


def test_what_is_no_program_is_refused():
    assert "yield" in INCREMENT.check(lambda key: None).summary


def test_an_error_of_the_program_is_told():
    def wrong(key):
        found = yield Range(key)
        yield Put(key, found.kvs[0].value + 1)

    assert "IndexError" in INCREMENT.check(wrong).summary
