"""Every puzzle has a solution, and what comes near it is told from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from raft_lab import Cluster, Server
from raft_lab.course import tasks
from raft_lab.course.puzzles import Puzzle
from raft_lab.course.runs import FIGURE_8_RUN, RunExercise
from raft_lab.sim.scenarios import Stage


def two_leaders(cluster: Cluster) -> None:
    cluster.partition({"S1", "S2"})
    cluster.timeout("S3")
    for voter in ("S4", "S5"):
        cluster.deliver("S3", voter)
        cluster.deliver(voter, "S3")


def commit_with_two_down(cluster: Cluster) -> None:
    cluster.crash("S4")
    cluster.crash("S5")
    cluster.propose("set x 1")
    for follower in ("S2", "S3"):
        cluster.deliver("S1", follower)
        cluster.deliver(follower, "S1")


def figure_8(cluster: Cluster) -> None:
    first_half_of_figure_8(cluster)
    cluster.timeout("S5")  # term 4 is taken
    cluster.timeout("S5")
    for voter in ("S3", "S4"):
        for message in [m for m in cluster.messages if (m.src, m.dst, m.term) == ("S5", voter, 5)]:
            cluster.deliver(message)
        cluster.deliver(voter, "S5", "RequestVoteReply")
    Stage(cluster).ask("S5", "S3", "AppendEntries").deliver("S5", "S3", "AppendEntries")


def first_half_of_figure_8(cluster: Cluster) -> None:
    Stage(cluster).ask("S1", "S3", "AppendEntries").deliver("S1", "S3", "AppendEntries")
    cluster.crash("S1")
    cluster.restart("S5")


def left_behind(cluster: Cluster) -> None:
    cluster.crash("S3")
    cluster.propose("set x 1")
    cluster.run_until(committed="set x 1")
    cluster.compact("S1")
    cluster.restart("S3")
    cluster.run_until(lambda c: c["S3"].commit_index == c["S1"].commit_index and not c.messages)


def move_house(cluster: Cluster) -> None:
    cluster.reconfigure(learners={"S4", "S5", "S6"})
    cluster.run(300)
    cluster.reconfigure(voters={"S4", "S5", "S6"})
    cluster.run_until(lambda c: c.leader in ("S4", "S5", "S6"))
    cluster.run(300)
    for old in ("S1", "S2", "S3"):
        cluster.crash(old)
    cluster.propose("set y 2")
    cluster.run_until(committed="set y 2")


def stale_read(cluster: Cluster) -> None:
    cluster.partition({"S1", "S2"})
    cluster.run_until(lambda c: c.leader not in (None, "S1"))
    cluster.propose("set x new", cluster.leader)
    cluster.run_until(committed="set x new")
    cluster.read("S1", how="local")


SOLUTIONS: dict[str, tuple[Puzzle, Callable[[Cluster], None]]] = {
    "two leaders": (tasks.TWO_LEADERS, two_leaders),
    "commit with two down": (tasks.COMMIT_WITH_TWO_DOWN, commit_with_two_down),
    "Figure 8": (tasks.FIGURE_8, figure_8),
    "left behind": (tasks.LEFT_BEHIND, left_behind),
    "move house": (tasks.MOVE_HOUSE, move_house),
    "stale read": (tasks.STALE_READ, stale_read),
}


@pytest.mark.parametrize(("puzzle", "solve"), SOLUTIONS.values(), ids=SOLUTIONS)
def test_a_puzzle_is_open_at_first_and_solved_by_its_solution(puzzle: Puzzle, solve: Callable[[Cluster], None]) -> None:
    cluster = puzzle.begin()
    assert not puzzle.check(cluster).solved

    solve(cluster)

    standing = puzzle.check(cluster)
    assert standing.solved, str(standing)
    assert all(standing.reached)
    assert cluster.violations == []


def test_a_solution_goes_on_counting_when_the_learner_plays_on() -> None:
    cluster = tasks.TWO_LEADERS.begin()
    two_leaders(cluster)
    cluster.heal()
    cluster.run(1000)

    assert tasks.TWO_LEADERS.check(cluster).solved


def test_half_of_figure_8_is_half_of_the_puzzle() -> None:
    cluster = tasks.FIGURE_8.begin()
    first_half_of_figure_8(cluster)

    assert tasks.FIGURE_8.check(cluster).reached == (True, False, False)


def test_a_committed_entry_cannot_be_overwritten_so_the_puzzle_stays_open() -> None:
    cluster = tasks.FIGURE_8.begin()
    cluster.run_until(lambda c: c["S1"].commit_index == 3)  # S1's own entry 3 is committed, and entry 2 with it
    cluster.crash("S1")
    cluster.restart("S5")
    cluster.run(2000)

    assert tasks.FIGURE_8.check(cluster).reached == (True, False, False)


def test_what_took_too_many_actions_is_told_so() -> None:
    cluster = tasks.TWO_LEADERS.begin()
    for _ in range(4):
        cluster.cut("S1", "S2")
        cluster.mend("S1", "S2")
    two_leaders(cluster)

    assert str(tasks.TWO_LEADERS.check(cluster)).startswith("… It came about, but took 14 actions; 8 are enough.")


def test_the_rules_of_raft_stay_as_they_are() -> None:
    class Mine(Server):
        pass

    cluster = tasks.TWO_LEADERS.begin()
    cluster.swap(Mine)
    two_leaders(cluster)

    assert "changes the rules of Raft" in tasks.TWO_LEADERS.check(cluster).summary


def test_a_run_from_somewhere_else_does_not_count() -> None:
    assert "does not begin where the puzzle does" in tasks.TWO_LEADERS.check(Cluster(5)).summary


def test_the_board_below_the_lab_follows_the_run() -> None:
    cluster = tasks.TWO_LEADERS.begin()
    _, board = tasks.TWO_LEADERS.play(cluster).children
    assert "Not yet" in board.value

    two_leaders(cluster)

    assert "Solved, with 6 of 8 actions." in board.value


@pytest.mark.parametrize(("puzzle", "solve"), SOLUTIONS.values(), ids=SOLUTIONS)
def test_a_solved_puzzle_gives_a_line_that_does_it_again(puzzle: Puzzle, solve: Callable[[Cluster], None]) -> None:
    cluster = puzzle.begin()
    solve(cluster)
    line = puzzle.check(cluster).way

    again = puzzle.begin()
    again.follow_way(line)

    assert puzzle.check(again).solved
    assert RunExercise(puzzle).check(line).points == puzzle.points
    assert line in puzzle.check(again)._repr_html_().replace("&gt;", ">")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "No run yet"),
        (7, "No run yet"),
        ("raft-lab:1;5;seed=7", "does not begin with raft-lab-way"),
        ("raft-lab-way:1;crash:S9;end=00", "S9"),
        ("raft-lab-way:1;crash:S1;end=000000", "leads elsewhere"),
        ("raft-lab-way:1;step:99999999", "more than 100000 steps"),
        ("raft-lab-way:1;swap:without~durable+vote", "changes the rules of Raft"),
        ("raft-lab-way:1;crash:S1", "it does not come about: Entry 2 of term 2 is on three servers. After that,"),
    ],
)
def test_a_line_that_solves_nothing_is_told_why(line: Any, said: str) -> None:
    verdict = FIGURE_8_RUN.check(line)
    assert not verdict.passed
    assert verdict.points == 0
    assert said in verdict.summary
