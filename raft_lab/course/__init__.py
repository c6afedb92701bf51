"""Questions and exercises of the lessons, and their verdicts."""

from raft_lab.course.exercises import REQUEST_VOTE, Exercise, Verdict
from raft_lab.course.experiments import elections_by_spread
from raft_lab.course.questions import ask

__all__ = ["REQUEST_VOTE", "Exercise", "Verdict", "ask", "elections_by_spread"]
