"""Questions, puzzles and exercises of the lessons, and their verdicts."""

from raft_lab.course.compaction import COMPACT, INSTALL_SNAPSHOT
from raft_lab.course.counting import INCREMENT
from raft_lab.course.electing import elector_with, overlap_by_clock
from raft_lab.course.exercises import REQUEST_VOTE, Exercise, Verdict
from raft_lab.course.fencing import MAY_TAKE_OVER, MAY_WRITE
from raft_lab.course.invariant import AGREE
from raft_lab.course.persistence import PERSIST
from raft_lab.course.puzzles import Puzzle, Standing
from raft_lab.course.questions import ask
from raft_lab.course.quorums import HAS_QUORUM, LEAVE_JOINT
from raft_lab.course.reading import ANSWER_READS, reads_compared
from raft_lab.course.replication import ADVANCE_COMMIT_INDEX, APPEND_ENTRIES, BACK_UP
from raft_lab.course.revisions import CHANGE
from raft_lab.course.runs import FIGURE_8_RUN, LEFT_BEHIND_RUN, MOVE_HOUSE_RUN, STALE_READ_RUN
from raft_lab.course.sessions import APPLY_IN_SESSION
from raft_lab.course.sweeps import Sweep, elections_by_spread, sweep, until_committed, until_led, until_led_again
from raft_lab.course.voting import LOG_IS_UP_TO_DATE, TALLY

__all__ = [
    "ADVANCE_COMMIT_INDEX",
    "AGREE",
    "ANSWER_READS",
    "APPEND_ENTRIES",
    "APPLY_IN_SESSION",
    "BACK_UP",
    "CHANGE",
    "COMPACT",
    "FIGURE_8_RUN",
    "HAS_QUORUM",
    "INCREMENT",
    "INSTALL_SNAPSHOT",
    "LEAVE_JOINT",
    "LEFT_BEHIND_RUN",
    "LOG_IS_UP_TO_DATE",
    "MAY_TAKE_OVER",
    "MAY_WRITE",
    "MOVE_HOUSE_RUN",
    "PERSIST",
    "REQUEST_VOTE",
    "STALE_READ_RUN",
    "TALLY",
    "Exercise",
    "Puzzle",
    "Standing",
    "Sweep",
    "Verdict",
    "ask",
    "elections_by_spread",
    "elector_with",
    "overlap_by_clock",
    "reads_compared",
    "sweep",
    "until_committed",
    "until_led",
    "until_led_again",
]
