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
        title: what it asks for, in a few words for people.
    """

    name: str
    lesson: str
    cell: str
    exercise: Checks
    defines: str
    title: str


_LESSONS: dict[str, tuple[tuple[str, str, Checks, str, str], ...]] = {
    "01-leader-election": (
        ("up-to-date", "l1-uptodate-answer", LOG_IS_UP_TO_DATE, "UpToDate", "Whose log is up-to-date"),
        ("request-vote", "l1-build-answer", REQUEST_VOTE, "Mine", "Answer a RequestVote"),
        ("tally", "l1-tally-answer", TALLY, "Counts", "Count the votes"),
    ),
    "02-log-replication": (
        ("back-up", "l2-back-up-answer", BACK_UP, "BacksUp", "Go back by whole terms"),
        ("commit-rule", "l2-commit-answer", ADVANCE_COMMIT_INDEX, "Commits", "What a leader commits"),
        ("figure-8", "l2-figure-8-run-in-answer", FIGURE_8_RUN, "my_run", "A run: Figure 8"),
        ("append-entries", "l2-build-answer", APPEND_ENTRIES, "Mine", "Handle an AppendEntries"),
    ),
    "03-log-compaction": (
        ("left-behind", "l3-behind-in-answer", LEFT_BEHIND_RUN, "my_run", "A run: a follower needs a snapshot"),
        ("compact", "l3-compact-answer", COMPACT, "Compacts", "Take a snapshot"),
        ("persist", "l3-persist-answer", PERSIST, "OnDisk", "What must be on disk"),
        ("install-snapshot", "l3-build-answer", INSTALL_SNAPSHOT, "Mine", "Handle an InstallSnapshot"),
    ),
    "04-membership-changes": (
        ("move-house", "l4-move-in-answer", MOVE_HOUSE_RUN, "my_run", "A run: move to other servers"),
        ("has-quorum", "l4-build-answer", HAS_QUORUM, "Mine", "What a quorum is"),
        ("leave-joint", "l4-leave-answer", LEAVE_JOINT, "Leaves", "Leave the joint configuration"),
    ),
    "05-client-access": (
        ("stale-read", "l5-stale-in-answer", STALE_READ_RUN, "my_run", "A run: a stale read"),
        ("sessions", "l5-sessions-answer", APPLY_IN_SESSION, "Once", "A repeated command happens once"),
        ("answer-reads", "l5-build-answer", ANSWER_READS, "Mine", "When a read may be answered"),
    ),
    "06-etcd": (
        ("revisions", "l6-change-answer", CHANGE, "change", "What a transaction makes of revisions"),
        ("increment", "l6-build-answer", INCREMENT, "increment", "A counter that loses no count"),
    ),
    "07-kubernetes": (
        ("may-write", "l7-fence-answer", MAY_WRITE, "may_write", "Keep out who was replaced"),
        ("may-take-over", "l7-build-answer", MAY_TAKE_OVER, "may_take_over", "When an elector may take over"),
    ),
    "08-break-it": (
        ("invariant", "l8-agree-answer", AGREE, "agree", "Write an invariant"),
        ("hide-a-bug", "l8-hide-answer", HIDE_A_BUG, "Mine", "Hide a bug"),
    ),
}

GRADED: dict[str, Graded] = {
    row[0]: Graded(row[0], lesson, *row[1:]) for lesson, rows in _LESSONS.items() for row in rows
}
"""By name, in the order of the lessons."""


def title_of(name: str) -> str:
    """What people call an exercise; the name itself, if there is none of that name."""
    return GRADED[name].title if name in GRADED else name
