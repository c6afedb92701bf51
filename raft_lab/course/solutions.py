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
    "figure-8": """\
my_run = (
    "raft-lab-way:1;deliver:S1>S3;deliver:S3>S1;deliver:S1>S3;crash:S1;restart:S5;timeout:S5;"
    "timeout:S5;deliver:S5>S3#13;deliver:S3>S5;deliver:S5>S4#14;deliver:S4>S5;deliver:S5>S3#19;"
    "deliver:S3>S5;deliver:S5>S3#22;end=f7cbf3"
)
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
    "left-behind": """\
my_run = (
    "raft-lab-way:1;crash:S3;propose:S1:set+x+1;step:3;compact:S1;restart:S3;step:3;end=1b3e7f"
)
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
    "move-house": """\
my_run = (
    "raft-lab-way:1;boot:S4;boot:S5;boot:S6;reconfigure:S1:S1,S2,S3:S4,S5,S6;step:72;"
    "reconfigure:S1:S4,S5,S6;step:82;crash:S1;crash:S2;crash:S3;propose:S4:set+y+2;step:5;"
    "end=929393"
)
""",
    # Lesson 05
    "sessions": """\
if command.seq <= known.seq:
    return known.reply
""",
    "answer-reads": """\
fresh = self.has_committed_in_its_term() and self.quorum_min(self.acked_round) >= read.round
""",
    "stale-read": """\
my_run = (
    "raft-lab-way:1;partition:S1,S2|S3,S4,S5;step:75;propose:S3:set+x+new;step:19;"
    "read:S1:r97:local;end=897f3a"
)
""",
    # Lesson 06
    "revisions": """\
next_revision, changed = revision + 1, False
for op in ops:
    old = keys.get(op.key)
    if isinstance(op, Put):
        created, version = (old.create_revision, old.version) if old else (next_revision, 0)
        keys[op.key] = KeyValue(op.key, op.value, created, next_revision, version + 1)
        changed = True
    elif old:
        del keys[op.key]
        changed = True
if changed:
    revision = next_revision
""",
    "increment": """\
unchanged = mod_revision(key) == (found.kvs[0].mod_revision if found.kvs else 0)
response = yield Txn(compare=[unchanged], success=[Put(key, str(count + 1))])
if response.succeeded:
    return
""",
    # Lesson 07
    "may-write": """\
allowed = seen is None or token >= seen
""",
    "may-take-over": """\
unchanged_us = now - observed_at
return record.holder_identity == "" or unchanged_us > record.lease_duration_seconds * 1_000_000
""",
    # Lesson 08
    "invariant": """\
for one, other in combinations(world.servers.values(), 2):
    for index in range(1, min(one.commit_index, other.commit_index) + 1):
        if one.log.entry(index) != other.log.entry(index):
            return False
return True
""",
    "hide-a-bug": """\
def log_is_up_to_date(self, last_log_index, last_log_term):
    return last_log_index >= self.log.last_index
""",
}
"""By the name of the exercise."""


def with_solution(name: str, cell: str, begin: str = BEGIN, end: str = END) -> str:
    """The source of an answer's cell with the solution in it; see `between`.

    Raises:
        KeyError: there is no solution of that name.
        ValueError: the cell has no marks.
    """
    return between(cell, SOLUTIONS[name], begin, end)


def between(cell: str, lines: str, begin: str = BEGIN, end: str = END) -> str:
    """The source of a cell with other lines between its marks.

    Args:
        cell: the source, with the marks in it.
        lines: what shall stand between them, without their indentation.
        begin: what takes the place of the first mark.
        end: what takes the place of the second.

    Raises:
        ValueError: the cell has no marks.
    """
    source = cell.splitlines()
    marks = [number for number, line in enumerate(source) if line.strip() in (BEGIN, END)]
    if len(marks) != 2:
        raise ValueError(f"the cell of an answer has one {BEGIN!r} and one {END!r}; there are {len(marks)} of them")
    first, last = marks
    indent = source[first][: len(source[first]) - len(source[first].lstrip())]
    written = [(indent + line).rstrip() for line in lines.strip("\n").splitlines()]
    return "\n".join([*source[:first], indent + begin, *written, indent + end, *source[last + 1 :]])
