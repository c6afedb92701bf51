"""Right answers that look different: other data structures, fields of one's own, helpers, other but legal behaviour.

Each is what stands between the marks of the answer's cell, or, if it begins with `class` or `def`, the whole of it.
"""

from __future__ import annotations

RIGHT: dict[str, dict[str, str]] = {
    "up-to-date": {
        "case by case": """
if last_log_term != self.log.last_term:
    return last_log_term > self.log.last_term
return last_log_index >= self.log.last_index
""",
        "by max of pairs": """
mine = (self.log.last_term, self.log.last_index)
theirs = (last_log_term, last_log_index)
return max(mine, theirs) == theirs
""",
        "term read from the log's last entry": """
class UpToDate(LOG_IS_UP_TO_DATE.base):
    def mine(self):
        last = self.log.last_index
        return self.log.term(last), last

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return not (last_log_term, last_log_index) < self.mine()
""",
    },
    "request-vote": {
        "says nothing to an old request": """
if m.term < self.current_term:
    return
granted = self.voted_for in (None, m.src) and (m.last_log_term, m.last_log_index) >= (
    self.log.last_term,
    self.log.last_index,
)
""",
        "counts its votes in a field of its own, and splits the rule into helpers": """
class Mine(REQUEST_VOTE.base):
    volatile = {"granted": 0, "refused": []}

    def on_request_vote(self, m):
        yes = m.term == self.current_term and self.is_free_for(m.src) and not self.knows_more_than(m)
        if yes:
            self.voted_for = m.src
            self.granted += 1
            self.reset_election_timer()
        else:
            self.refused.append(m.src)
        self.send(RequestVoteReply(self.id, m.src, self.current_term, yes))

    def is_free_for(self, name):
        return not self.voted_for or self.voted_for == name

    def knows_more_than(self, m):
        if self.log.last_term == m.last_log_term:
            return self.log.last_index > m.last_log_index
        return self.log.last_term > m.last_log_term
""",
        "early returns": """
class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        def reply(granted):
            self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))

        if m.term < self.current_term:
            return reply(False)
        if self.voted_for is not None and self.voted_for != m.src:
            return reply(False)
        if m.last_log_term < self.log.last_term:
            return reply(False)
        if m.last_log_term == self.log.last_term and m.last_log_index < self.log.last_index:
            return reply(False)
        self.voted_for = m.src
        self.reset_election_timer()
        return reply(True)
""",
    },
    "tally": {
        "a set of its own, that begins anew with each campaign": """
class Counts(TALLY.base):
    volatile = {"granted": set()}

    def on_election_timeout(self):
        self.granted = {self.id}
        super().on_election_timeout()

    def on_request_vote_reply(self, m):
        if not isinstance(self.role, Candidate) or m.term != self.current_term:
            return
        if m.vote_granted:
            self.granted.add(m.src)
            self.role = Candidate(frozenset(self.granted))
            if self.has_quorum(self.granted):
                self.become_leader()
""",
        "gives up when a majority has refused, as etcd does": """
class Counts(TALLY.base):
    volatile = {"refused": set()}

    def on_election_timeout(self):
        self.refused = set()
        super().on_election_timeout()

    def on_request_vote_reply(self, m):
        if not isinstance(self.role, Candidate) or m.term != self.current_term:
            return
        if not m.vote_granted:
            self.refused.add(m.src)
            if self.has_quorum(self.refused):
                self.role = Follower()
            return
        self.role = Candidate({*self.role.votes, m.src})
        if self.has_quorum(self.role.votes):
            self.become_leader()


from raft_lab import Follower
""",
        "a later term, which cannot come here, would be as good": """
if not isinstance(self.role, Candidate) or m.term < self.current_term or not m.vote_granted:
    return
self.current_term = m.term
""",
        "a match statement": """
class Counts(TALLY.base):
    def on_request_vote_reply(self, m):
        match self.role:
            case Candidate(votes) if m.vote_granted and m.term == self.current_term:
                everyone = votes.union([m.src])
                self.role = Candidate(everyone)
                if self.has_quorum(sorted(everyone)):
                    self.become_leader()
""",
    },
    "back-up": {
        "the leader makes use of the term, too": """
class BacksUp(BACK_UP.base):
    def refuse_entries(self, m):
        if m.prev_log_index > self.log.last_index:
            self.acknowledge(m, False, conflict_index=self.log.last_index + 1)
            return
        term = self.log.term(m.prev_log_index)
        first = min(i for i, entry in self.log if entry.term == term)
        self.acknowledge(m, False, conflict_index=first, conflict_term=term)

    def retry_from(self, m):
        same = [index for index, entry in self.log if entry.term == m.conflict_term]
        return max(same) + 1 if same else m.conflict_index
""",
        "one hint for both cases": """
index = min(m.prev_log_index, self.log.last_index + 1)
term = 0 if index > self.log.last_index else self.log.term(index)
while index > self.log.first_index and index <= self.log.last_index and self.log.term(index - 1) == term:
    index = index - 1
""",
    },
    "commit-rule": {
        "looks from the end for what a majority stores": """
class Commits(ADVANCE_COMMIT_INDEX.base):
    def advance_commit_index(self):
        if not isinstance(self.role, Leader):
            return
        for n in range(self.log.last_index, self.commit_index, -1):
            if self.log.term(n) != self.current_term:
                break
            holders = {self.id} | {peer for peer in self.peers if self.match_index(peer) >= n}
            if self.has_quorum(holders):
                self.commit_index = n
                self.apply_committed()
                self.answer_reads()
                self.after_commit()
                return
""",
        "one step at a time": """
committed = False
if n > self.commit_index:
    committed = self.log.entry(n).term == self.current_term
""",
    },
    "figure-8": {
        "the same run, waiting longer": """
my_run = (
    "raft-lab-way:1;deliver:S1>S3;deliver:S3>S1;deliver:S1>S3;deliver:S3>S1;crash:S1;restart:S5;timeout:S5;timeout:S5;"
    "deliver:S5>S3#14;deliver:S3>S5;deliver:S5>S4#15;deliver:S4>S5;deliver:S5>S3#20;deliver:S3>S5;deliver:S5>S3#23"
)
""",
    },
    "append-entries": {
        "refuses without a hint": """
if m.prev_log_index > self.log.last_index or (
    m.prev_log_index >= self.log.snapshot.last_included_index
    and self.log.term(m.prev_log_index) != m.prev_log_term
):
    self.acknowledge(m, False)
    return
index = m.prev_log_index
for entry in m.entries:
    index += 1
    if index <= self.log.snapshot.last_included_index:
        continue
    if index <= self.log.last_index and self.log.term(index) == entry.term:
        continue
    self.log = self.log.truncate(index) if index <= self.log.last_index else self.log
    self.log = self.log.append(entry)
""",
        "skips what it has, then cuts once": """
if not self.log.matches(m.prev_log_index, m.prev_log_term):
    self.refuse_entries(m)
    return
numbered = list(enumerate(m.entries, start=m.prev_log_index + 1))
new = [(i, e) for i, e in numbered if i >= self.log.first_index]
while new and new[0][0] <= self.log.last_index and self.log.term(new[0][0]) == new[0][1].term:
    new.pop(0)
if new:
    if new[0][0] <= self.log.last_index:
        self.log = self.log.truncate(new[0][0])
    self.log = self.log.append(*[entry for _, entry in new])
""",
        "answers old leaders not at all": """
class Mine(APPEND_ENTRIES.base):
    def on_append_entries(self, m):
        if m.term < self.current_term:
            return
        self.follow(m.src)
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
        else:
            self.take(m.prev_log_index + 1, list(m.entries))
            last_new = m.prev_log_index + len(m.entries)
            if m.leader_commit > self.commit_index:
                self.commit_index = max(self.commit_index, min(last_new, m.leader_commit))
            self.apply_committed()
            self.acknowledge(m, True, last_new)

    def take(self, index, entries):
        if not entries:
            return
        first, *rest = entries
        if index > self.log.last_index:
            self.log = self.log.append(*entries)
        elif index < self.log.first_index or self.log.term(index) == first.term:
            self.take(index + 1, rest)
        else:
            self.log = self.log.truncate(index).append(*entries)
""",
    },
    "compact": {
        "without a look whether there is anything to do": """
index = self.last_applied
snapshot = Snapshot(
    machine=self.machine,
    configuration=self.log.configuration_at(index),
    last_included_index=index,
    last_included_term=self.log.term(index),
)
self.log = self.log.compact(snapshot)
""",
    },
    "persist": {
        "commitIndex, too, as etcd does": """
written.update(current_term=self.current_term, voted_for=self.voted_for, commit_index=self.commit_index)
""",
        "the state machine, too": """
for name in ("current_term", "voted_for", "machine", "last_applied", "commit_index"):
    written[name] = getattr(self, name)
""",
    },
    "install-snapshot": {
        "asks the questions in another order": """
snapshot = m.snapshot
known = index <= self.commit_index
agrees = index <= self.log.last_index and self.log.matches(index, snapshot.last_included_term)
if not known:
    self.log = self.log.compact(snapshot) if agrees else Log(snapshot)
    self.commit_index, self.last_applied, self.machine = index, index, snapshot.machine
""",
        "compacts with an old snapshot as well": """
if index > self.log.snapshot.last_included_index:
    if index <= self.log.last_index and self.log.term(index) == m.snapshot.last_included_term:
        self.log = self.log.compact(m.snapshot)
    else:
        self.log = Log(m.snapshot)
    if index > self.commit_index:
        self.commit_index = index
        self.last_applied = index
        self.machine = m.snapshot.machine
""",
    },
    "has-quorum": {
        "a loop": """
agreed = set(servers)
for half in (self.configuration.voters, self.configuration.old):
    if not half:
        continue
    yes = 0
    for server in half:
        if server in agreed:
            yes += 1
    if yes < len(half) // 2 + 1:
        return False
return True
""",
    },
    "leave-joint": {
        "both cases apart": """
if self.log.configuration_index > self.commit_index:
    return
if now.old:
    alone = Configuration(voters=now.voters, learners=now.learners)
    self.append_configuration(alone)
    self.replicate()
if not now.old and self.id not in now.voters:
    self.hand_over_and_go()
""",
    },
    "sessions": {
        "what is older still gets no answer": """
if command.seq < known.seq:
    return None
if command.seq == known.seq:
    return known.reply
""",
    },
    "answer-reads": {
        "asks each server": """
answered = {server for server in (self.id, *self.peers) if self.acked_round(server) >= read.round}
fresh = self.has_quorum(answered) and self.log.term(self.commit_index) == self.current_term
""",
    },
    "revisions": {
        "a list of what has changed": """
changed = []
for op in ops:
    was = keys.pop(op.key, None)
    if isinstance(op, Put):
        first = was.create_revision if was else revision + 1
        keys[op.key] = KeyValue(op.key, op.value, first, revision + 1, (was.version if was else 0) + 1)
    if was or isinstance(op, Put):
        changed.append(op)
revision += bool(changed)
""",
    },
    "increment": {
        "compares the value": """
from raft_lab.kv import value

condition = value(key) == found.kvs[0].value if found.kvs else mod_revision(key) == 0
done = yield Txn([condition], [Put(key, str(count + 1))], [Range(key)])
if done.succeeded:
    return
""",
    },
    "may-write": {
        "remembers all that came": """
def may_write(seen, token):
    seen = seen or []
    allowed = all(token >= one for one in seen)
    return allowed, [*seen, token] if allowed else seen
""",
    },
    "may-take-over": {
        "the time that is left": """
if record.holder_identity == "":
    return True
left = observed_at + record.lease_duration_seconds * 1_000_000 - now
return left <= 0
""",
    },
    "invariant": {
        "beside all that was ever committed": """
committed = world.ghosts.committed
for server in world.servers.values():
    for index in range(1, server.commit_index + 1):
        if server.log.entry(index) != committed.entry(index):
            return False
return True
""",
        "a dict": """
at = {}
for server in world.servers.values():
    for index in range(1, server.commit_index + 1):
        if at.setdefault(index, server.log.entry(index)) != server.log.entry(index):
            return False
return True
""",
    },
    "hide-a-bug": {
        "the commit rule": """
def may_commit(self, index):
    return True
""",
        "the consistency check": """
def log_matches(self, prev_log_index, prev_log_term):
    return prev_log_index <= self.log.last_index
""",
    },
}
"""By exercise, and what is different about it."""
