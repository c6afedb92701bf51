"""Solutions of the exercises: what stands between the marks of an answer's cell, where the lessons have a draft.

They are public, as all of this is. What keeps a grade honest is said in the page for instructors.
"""

from __future__ import annotations

BEGIN, END = "# YOUR CODE", "# END OF YOUR CODE"
"""The marks in an answer's cell, between which the learner works."""

SOLUTIONS: dict[str, str] = {
    # Lesson 01
    "up-to-date": """\
return (last_log_term, last_log_index) >= (self.log.last_term, self.log.last_index)
""",
    "request-vote": """\
granted = (
    m.term == self.current_term
    and self.voted_for in (None, m.src)
    and (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)
)
""",
    "tally": """\
if not isinstance(self.role, Candidate) or m.term != self.current_term or not m.vote_granted:
    return
""",
    # Lesson 02
    "back-up": """\
if m.prev_log_index > self.log.last_index:
    index, term = self.log.last_index + 1, 0
else:
    index, term = m.prev_log_index, self.log.term(m.prev_log_index)
    while index > self.log.first_index and self.log.term(index - 1) == term:
        index -= 1
""",
    "commit-rule": """\
committed = n > self.commit_index and self.log.term(n) == self.current_term
""",
    "append-entries": """\
if not self.log.matches(m.prev_log_index, m.prev_log_term):
    self.refuse_entries(m)
    return
for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
    if index > self.log.last_index:
        self.log = self.log.append(entry)
    elif index >= self.log.first_index and self.log.term(index) != entry.term:
        self.log = self.log.truncate(index).append(entry)
""",
    # Lesson 03
    "compact": """\
index = self.last_applied
if index > self.log.snapshot.last_included_index:
    configuration = self.log.configuration_at(index)
    self.log = self.log.compact(Snapshot(configuration, index, self.log.term(index), self.machine))
""",
    "persist": """\
written |= {"current_term": self.current_term, "voted_for": self.voted_for}
""",
    "install-snapshot": """\
if index > self.commit_index:
    if index <= self.log.last_index and self.log.matches(index, m.snapshot.last_included_term):
        self.log = self.log.compact(m.snapshot)
    else:
        self.log = Log(m.snapshot)
    self.commit_index = self.last_applied = index
    self.machine = m.snapshot.machine
""",
    # Lesson 04
    "has-quorum": """\
halves = (self.configuration.voters, self.configuration.old)
return all(len(half & set(servers)) > len(half) / 2 for half in halves if half)
""",
    "leave-joint": """\
if self.log.configuration_index <= self.commit_index:
    if now.is_joint:
        self.append_configuration(Configuration(now.voters, learners=now.learners))
        self.replicate()
    elif not now.is_voter(self.id):
        self.hand_over_and_go()
""",
    # Lesson 05
    "sessions": """\
if command.seq <= known.seq:
    return known.reply
""",
    "answer-reads": """\
fresh = self.has_committed_in_its_term() and self.quorum_min(self.acked_round) >= read.round
""",
    # Lesson 06
    "increment": """\
unchanged = mod_revision(key) == (found.kvs[0].mod_revision if found.kvs else 0)
response = yield Txn(compare=[unchanged], success=[Put(key, str(count + 1))])
if response.succeeded:
    return
""",
    # Lesson 08
    "hide-a-bug": """\
def log_is_up_to_date(self, last_log_index, last_log_term):
    return last_log_index >= self.log.last_index
""",
}
"""By the name of the exercise."""


def with_solution(name: str, cell: str, begin: str = BEGIN, end: str = END) -> str:
    """The source of an answer's cell with the solution in it.

    Args:
        name: of the exercise.
        cell: the source of the cell, with the marks in it.
        begin: what takes the place of the first mark.
        end: what takes the place of the second.

    Raises:
        KeyError: there is no solution of that name.
        ValueError: the cell has no marks.
    """
    lines = cell.splitlines()
    marks = [number for number, line in enumerate(lines) if line.strip() in (BEGIN, END)]
    if len(marks) != 2:
        raise ValueError(f"the cell of {name} has {len(marks)} marks; it takes {BEGIN!r} and {END!r}")
    first, last = marks
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    solved = [(indent + line).rstrip() for line in SOLUTIONS[name].splitlines()]
    return "\n".join([*lines[:first], indent + begin, *solved, indent + end, *lines[last + 1 :]])
