"""Puzzles to hand in: the run that solves one, as the line of text that the board below the lab shows."""

from __future__ import annotations

from raft_lab.course.exercises import Verdict
from raft_lab.course.puzzles import Puzzle
from raft_lab.course.tasks import FIGURE_8, LEFT_BEHIND, MOVE_HOUSE, STALE_READ
from raft_lab.raft.errors import RaftLabError


class RunExercise:
    """Hand in a run that solves a puzzle.

    Args:
        puzzle: which one.
    """

    def __init__(self, puzzle: Puzzle) -> None:
        self.puzzle = puzzle
        self.points = puzzle.points

    def check(self, answer: str, *, seed: int = 0) -> Verdict:
        """Do the run again, and say whether it solves the puzzle.

        Args:
            answer: the line.
            seed: of no use here; nothing is drawn.
        """
        if not isinstance(answer, str) or not answer.strip():
            return Verdict(False, "No run yet: solve the puzzle, and paste the line that stands below the lab then.")
        cluster = self.puzzle.begin()
        try:
            cluster.follow_way(answer)
        except RaftLabError as error:
            return Verdict(False, str(error))
        standing = self.puzzle.check(cluster)
        missing = [m.words for ok, m in zip(standing.reached, self.puzzle.milestones, strict=False) if not ok]
        said = f"In this run it does not come about: {' '.join(missing)}" if missing else standing.summary
        return Verdict(standing.solved, said, points=standing.points)


FIGURE_8_RUN = RunExercise(FIGURE_8)
LEFT_BEHIND_RUN = RunExercise(LEFT_BEHIND)
MOVE_HOUSE_RUN = RunExercise(MOVE_HOUSE)
STALE_READ_RUN = RunExercise(STALE_READ)
