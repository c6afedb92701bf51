"""What a course can grade: every exercise, in the order of the lessons, and where its answer stands in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from raft_lab.course.breaking import HIDE_A_BUG
from raft_lab.course.compaction import COMPACT, INSTALL_SNAPSHOT
from raft_lab.course.counting import INCREMENT
from raft_lab.course.exercises import REQUEST_VOTE, Verdict
from raft_lab.course.fencing import MAY_TAKE_OVER, MAY_WRITE
from raft_lab.course.invariant import AGREE
from raft_lab.course.persistence import PERSIST
from raft_lab.course.quorums import HAS_QUORUM, LEAVE_JOINT
from raft_lab.course.reading import ANSWER_READS
from raft_lab.course.replication import ADVANCE_COMMIT_INDEX, APPEND_ENTRIES, BACK_UP
from raft_lab.course.revisions import CHANGE
from raft_lab.course.runs import FIGURE_8_RUN, LEFT_BEHIND_RUN, MOVE_HOUSE_RUN, STALE_READ_RUN
from raft_lab.course.sessions import APPLY_IN_SESSION
from raft_lab.course.voting import LOG_IS_UP_TO_DATE, TALLY


class Checks(Protocol):
    """What an exercise is to a grader."""

    points: float

    def check(self, answer: Any, *, seed: int = 0) -> Verdict:
        """Say whether `answer` is right; `seed` chooses what is drawn at random."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One exercise in a course.

    Attributes:
        name: what it is called in tables of results; also the `grade_id` of the answer's cell for nbgrader.
        lesson: the notebook's name, without ".ipynb".
        cell: the stable id of the cell in which the answer is written.
        exercise: what checks it.
        defines: the name that the answer has there. What it is bound to may be a class, a function, a generator
            function, or a literal such as a string, which is taken as data.
    """

    name: str
    lesson: str
    cell: str
    exercise: Checks
    defines: str


_ALL = (
    Graded("up-to-date", "01-leader-election", "l1-uptodate-answer", LOG_IS_UP_TO_DATE, "UpToDate"),
    Graded("request-vote", "01-leader-election", "l1-build-answer", REQUEST_VOTE, "Mine"),
    Graded("tally", "01-leader-election", "l1-tally-answer", TALLY, "Counts"),
    Graded("back-up", "02-log-replication", "l2-back-up-answer", BACK_UP, "BacksUp"),
    Graded("commit-rule", "02-log-replication", "l2-commit-answer", ADVANCE_COMMIT_INDEX, "Commits"),
    Graded("figure-8", "02-log-replication", "l2-figure-8-run-in-answer", FIGURE_8_RUN, "my_run"),
    Graded("append-entries", "02-log-replication", "l2-build-answer", APPEND_ENTRIES, "Mine"),
    Graded("left-behind", "03-log-compaction", "l3-behind-in-answer", LEFT_BEHIND_RUN, "my_run"),
    Graded("compact", "03-log-compaction", "l3-compact-answer", COMPACT, "Compacts"),
    Graded("persist", "03-log-compaction", "l3-persist-answer", PERSIST, "OnDisk"),
    Graded("install-snapshot", "03-log-compaction", "l3-build-answer", INSTALL_SNAPSHOT, "Mine"),
    Graded("move-house", "04-membership-changes", "l4-move-in-answer", MOVE_HOUSE_RUN, "my_run"),
    Graded("has-quorum", "04-membership-changes", "l4-build-answer", HAS_QUORUM, "Mine"),
    Graded("leave-joint", "04-membership-changes", "l4-leave-answer", LEAVE_JOINT, "Leaves"),
    Graded("stale-read", "05-client-access", "l5-stale-in-answer", STALE_READ_RUN, "my_run"),
    Graded("sessions", "05-client-access", "l5-sessions-answer", APPLY_IN_SESSION, "Once"),
    Graded("answer-reads", "05-client-access", "l5-build-answer", ANSWER_READS, "Mine"),
    Graded("revisions", "06-etcd", "l6-change-answer", CHANGE, "change"),
    Graded("increment", "06-etcd", "l6-build-answer", INCREMENT, "increment"),
    Graded("may-write", "07-kubernetes", "l7-fence-answer", MAY_WRITE, "may_write"),
    Graded("may-take-over", "07-kubernetes", "l7-build-answer", MAY_TAKE_OVER, "may_take_over"),
    Graded("invariant", "08-break-it", "l8-agree-answer", AGREE, "agree"),
    Graded("hide-a-bug", "08-break-it", "l8-hide-answer", HIDE_A_BUG, "Mine"),
)

GRADED: dict[str, Graded] = {graded.name: graded for graded in _ALL}
"""By name, in the order of the lessons."""
