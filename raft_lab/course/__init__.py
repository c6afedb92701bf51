"""Questions, puzzles and exercises of the lessons, and their verdicts."""

from raft_lab.course.compaction import INSTALL_SNAPSHOT
from raft_lab.course.counting import INCREMENT
from raft_lab.course.exercises import REQUEST_VOTE, Exercise, Verdict
from raft_lab.course.puzzles import Puzzle, Standing
from raft_lab.course.questions import ask
from raft_lab.course.quorums import HAS_QUORUM
from raft_lab.course.reading import ANSWER_READS, reads_compared
from raft_lab.course.replication import APPEND_ENTRIES
from raft_lab.course.sweeps import Sweep, elections_by_spread, sweep, until_committed, until_led, until_led_again

__all__ = [
    "ANSWER_READS",
    "APPEND_ENTRIES",
    "HAS_QUORUM",
    "INCREMENT",
    "INSTALL_SNAPSHOT",
    "REQUEST_VOTE",
    "Exercise",
    "Puzzle",
    "Standing",
    "Sweep",
    "Verdict",
    "ask",
    "elections_by_spread",
    "reads_compared",
    "sweep",
    "until_committed",
    "until_led",
    "until_led_again",
]
