"""Pods that elect by somebody's own decision, and what slow clocks do (lesson 07)."""

from __future__ import annotations

import pytest

from raft_lab.course import MAY_TAKE_OVER, MAY_WRITE, elector_with, overlap_by_clock
from raft_lab.course.electing import in_a_run
from raft_lab.kube import stages

SECOND = 1_000_000


def waits_by_its_own_clock(record, observed_at, now):
    return record.holder_identity == "" or now - observed_at > record.lease_duration_seconds * SECOND


def test_who_waits_by_its_own_clock_is_right_also_in_runs():
    verdict = MAY_TAKE_OVER.check(waits_by_its_own_clock)
    assert (verdict.passed, verdict.points) == (True, MAY_TAKE_OVER.points)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda record, observed_at, now: False, "22 s later nobody has followed it"),
        (lambda record, observed_at, now: True, "two led at the same time"),
        (
            lambda record, observed_at, now: now - observed_at > 60 * SECOND or not record.renew_time_us,
            "22 s later nobody has followed it",
        ),
        (
            lambda record, observed_at, now: now - observed_at > record.lease_duration_seconds * SECOND,
            "",
        ),
    ],
)
def test_what_a_run_shows(answer, said):
    assert said in in_a_run(1, answer)


def test_a_decision_can_be_put_to_work():
    electors = stages.three_pods(elector=elector_with(lambda record, observed_at, now: True))
    electors.run(10)
    assert electors.overlaps("believes")


def test_clocks_that_are_slow_enough_make_two_workers():
    table = overlap_by_clock((1.0, 0.5), runs=1)
    right, slow = table.loc["1×"], table.loc["0.5×"]
    assert right["old leader stops after (s)"] == pytest.approx(12, abs=0.2)
    assert right["two work for (s)"] == 0
    assert slow["old leader stops after (s)"] == pytest.approx(24, abs=0.2)
    assert slow["two work for (s)"] > 3


def test_an_answer_that_raises_is_told_what_it_was_asked_and_in_which_line() -> None:
    def may_write(seen, token):
        return seen <= token

    said = MAY_WRITE.check(may_write).summary
    assert said.startswith("may_write(None, 1) fails: TypeError: ")
    assert said.endswith(" of may_write: return seen <= token)")
