"""Wrong answers, as students and products have given them; many are the bugs of the catalogue, by their numbers.

Each is what stands between the marks of the answer's cell, or, if it begins with `class` or `def`, the whole of it.
"""

from __future__ import annotations

WRONG: dict[str, dict[str, str]] = {
    "up-to-date": {
        "only the terms (8)": "return last_log_term >= self.log.last_term",
        "always (7)": "return True",
        "never": "return False",
        "the wrong way round (9)": """
return (last_log_term, last_log_index) <= (self.log.last_term, self.log.last_index)
""",
        "longer, not as long": """
return (last_log_term, last_log_index) > (self.log.last_term, self.log.last_index)
""",
        "longer before later": """
return (last_log_index, last_log_term) >= (self.log.last_index, self.log.last_term)
""",
        "both must be as great": """
return last_log_term >= self.log.last_term and last_log_index >= self.log.last_index
""",
        "either is enough": """
return last_log_term > self.log.last_term or last_log_index >= self.log.last_index
""",
        "the current term for the log's": """
return (last_log_term, last_log_index) >= (self.current_term, self.log.last_index)
""",
        "what is committed instead of what is stored": """
return last_log_index >= self.commit_index
""",
    },
    "request-vote": {
        "votes twice (1)": """
granted = m.term == self.current_term and (m.last_log_term, m.last_log_index) >= (
    self.log.last_term,
    self.log.last_index,
)
""",
        "any log (7)": "granted = m.term == self.current_term and self.voted_for in (None, m.src)",
        "refuses the same candidate (16)": """
granted = m.term == self.current_term and self.voted_for is None and (m.last_log_term, m.last_log_index) >= (
    self.log.last_term,
    self.log.last_index,
)
""",
        "old terms, too": """
granted = self.voted_for in (None, m.src) and (m.last_log_term, m.last_log_index) >= (
    self.log.last_term,
    self.log.last_index,
)
""",
        "notes the vote and does not say so": """
class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        ok = (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)
        if m.term == self.current_term and self.voted_for in (None, m.src) and ok:
            self.voted_for = m.src
            self.reset_election_timer()
""",
        "forgets to note its vote": """
class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        ok = (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)
        granted = m.term == self.current_term and self.voted_for in (None, m.src) and ok
        if granted:
            self.reset_election_timer()
        self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))
""",
        "starts the timer for anyone (13)": """
class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        self.reset_election_timer()
        ok = (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)
        granted = m.term == self.current_term and self.voted_for in (None, m.src) and ok
        if granted:
            self.voted_for = m.src
        self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))
""",
        "answers with the term of the request": """
class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        ok = (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)
        granted = m.term == self.current_term and self.voted_for in (None, m.src) and ok
        if granted:
            self.voted_for = m.src
            self.reset_election_timer()
        self.send(RequestVoteReply(self.id, m.src, m.term, granted))
""",
        "answers itself": """
class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        self.send(RequestVoteReply(m.src, self.id, self.current_term, True))
""",
        "inherited": """
class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        super().on_request_vote(m)
""",
        "taken from Server": """
from raft_lab import Server


class Mine(REQUEST_VOTE.base):
    def on_request_vote(self, m):
        Server.on_request_vote(self, m)
""",
    },
    "tally": {
        "old votes (4)": """
if not isinstance(self.role, Candidate) or not m.vote_granted:
    return
""",
        "refusals, too": """
if not isinstance(self.role, Candidate) or m.term != self.current_term:
    return
""",
        "half is enough (6)": """
class Counts(TALLY.base):
    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.role = Candidate(self.role.votes | {m.src})
            if len(self.role.votes) >= len(self.configuration.members) // 2:
                self.become_leader()
""",
        "by number, not by name (5)": """
class Counts(TALLY.base):
    volatile = {"count": 0}

    def on_election_timeout(self):
        self.count = 1
        super().on_election_timeout()

    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.count += 1
            self.role = Candidate(self.role.votes | {m.src})
            if self.count > len(self.configuration.voters) // 2:
                self.become_leader()
""",
        "a follower may win": """
class Counts(TALLY.base):
    def on_request_vote_reply(self, m):
        if m.term == self.current_term and m.vote_granted:
            votes = getattr(self.role, "votes", frozenset({self.id})) | {m.src}
            self.role = Candidate(votes)
            if self.has_quorum(votes):
                self.become_leader()
""",
        "everybody must agree": """
class Counts(TALLY.base):
    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.role = Candidate(self.role.votes | {m.src})
            if len(self.role.votes) == len(self.configuration.voters):
                self.become_leader()
""",
        "forgets who voted before": """
class Counts(TALLY.base):
    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.role = Candidate({self.id, m.src})
            if self.has_quorum(self.role.votes):
                self.become_leader()
""",
        "forgets its own vote": """
class Counts(TALLY.base):
    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.role = Candidate((self.role.votes | {m.src}) - {self.id})
            if self.has_quorum(self.role.votes):
                self.become_leader()
""",
        "does not look at the new names (46)": """
class Counts(TALLY.base):
    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.role = Candidate(self.role.votes | {m.src})
            everyone = self.configuration.voters | self.configuration.old
            if 2 * len(self.role.votes) > len(everyone):
                self.become_leader()
""",
    },
    "back-up": {
        "by one": "index, term = m.prev_log_index, 0",
        "to the very beginning": "index, term = 1, 0",
        "the end of the log, whatever the term": "index, term = min(m.prev_log_index, self.log.last_index + 1), 0",
        "the last entry of the term before": """
index, term = m.prev_log_index, 0
if index <= self.log.last_index:
    term = self.log.term(index)
    while index > self.log.first_index and self.log.term(index) == term:
        index -= 1
""",
        "in circles (34)": """
class BacksUp(BACK_UP.base):
    def refuse_entries(self, m):
        index = min(m.prev_log_index, self.log.last_index)
        term = self.log.term(index) if index >= self.log.first_index else 0
        self.acknowledge(m, False, conflict_index=index, conflict_term=term)

    def retry_from(self, m):
        return self.log.last_index_of_term(max(m.conflict_term, self.log.term(m.prev_log_index))) + 1
""",
        "success to have it over with": """
class BacksUp(BACK_UP.base):
    def refuse_entries(self, m):
        self.acknowledge(m, True, self.log.last_index)

    def retry_from(self, m):
        return m.conflict_index
""",
        "a hint and no refusal": """
class BacksUp(BACK_UP.base):
    def refuse_entries(self, m):
        self.hint = m.prev_log_index

    def retry_from(self, m):
        return m.conflict_index
""",
    },
    "commit-rule": {
        "any term (30)": "committed = n > self.commit_index",
        "the last entry's term": "committed = n > self.commit_index and self.log.last_term == self.current_term",
        "may go back (26)": "committed = n != self.commit_index and self.log.term(n) == self.current_term",
        "a term too late": "committed = n > self.commit_index and self.log.term(n) < self.current_term",
        "whoever has most (31)": """
n = max(self.match_index(peer) for peer in (self.id, *self.peers))
committed = n > self.commit_index and self.log.term(n) == self.current_term
""",
        "whoever has least": """
n = min(self.match_index(peer) for peer in (self.id, *self.peers))
committed = n > self.commit_index and self.log.term(n) == self.current_term
""",
        "n // 2 of them": """
reached = sorted((self.match_index(peer) for peer in self.configuration.members), reverse=True)
n = reached[(len(reached) - 1) // 2]
committed = n > self.commit_index and self.log.term(n) == self.current_term
""",
        "only at the end of the log": """
committed = n == self.log.last_index and n > self.commit_index and self.log.term(n) == self.current_term
""",
    },
    "figure-8": {
        "half of it": 'my_run = "raft-lab-way:1;deliver:S1>S3;deliver:S3>S1;deliver:S1>S3"',
        "another rule": 'my_run = "raft-lab-way:1;swap:without~current-term+commit;deliver:S1>S3"',
        "nonsense": 'my_run = "I clicked on it until it worked"',
    },
    "append-entries": {
        "truncates always (22)": """
if not self.log.matches(m.prev_log_index, m.prev_log_term):
    self.refuse_entries(m)
    return
self.log = self.log.truncate(m.prev_log_index + 1).append(*m.entries)
""",
        "never deletes (23)": """
if not self.log.matches(m.prev_log_index, m.prev_log_term):
    self.refuse_entries(m)
    return
have = self.log.last_index - m.prev_log_index
self.log = self.log.append(*m.entries[max(have, 0) :])
""",
        "appends again": """
if not self.log.matches(m.prev_log_index, m.prev_log_term):
    self.refuse_entries(m)
    return
self.log = self.log.append(*m.entries)
""",
        "checks no heartbeat (19)": """
if m.entries and not self.log.matches(m.prev_log_index, m.prev_log_term):
    self.refuse_entries(m)
    return
for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
    if index > self.log.last_index:
        self.log = self.log.append(entry)
    elif index >= self.log.first_index and self.log.term(index) != entry.term:
        self.log = self.log.truncate(index).append(entry)
""",
        "counts from the wrong end (33)": """
if not self.log.matches(m.prev_log_index, m.prev_log_term):
    self.refuse_entries(m)
    return
for index, entry in enumerate(m.entries, start=max(m.prev_log_index, 1)):
    if index > self.log.last_index:
        self.log = self.log.append(entry)
    elif index >= self.log.first_index and self.log.term(index) != entry.term:
        self.log = self.log.truncate(index).append(entry)
""",
        "commits its whole log (24)": """
class Mine(APPEND_ENTRIES.base):
    def on_append_entries(self, m):
        if m.term < self.current_term:
            self.refuse_term(m)
            return
        self.follow(m.src)
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif index >= self.log.first_index and self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)
        self.commit_index = max(self.commit_index, min(m.leader_commit, self.log.last_index))
        self.apply_committed()
        self.acknowledge(m, True, m.prev_log_index + len(m.entries))
""",
        "commitIndex goes back (26)": """
class Mine(APPEND_ENTRIES.base):
    def on_append_entries(self, m):
        if m.term < self.current_term:
            self.refuse_term(m)
            return
        self.follow(m.src)
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif index >= self.log.first_index and self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)
        last_new = m.prev_log_index + len(m.entries)
        self.commit_index = min(m.leader_commit, last_new)
        self.apply_committed()
        self.acknowledge(m, True, last_new)
""",
        "acknowledges its own tail": """
class Mine(APPEND_ENTRIES.base):
    def on_append_entries(self, m):
        if m.term < self.current_term:
            self.refuse_term(m)
            return
        self.follow(m.src)
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif index >= self.log.first_index and self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)
        last_new = m.prev_log_index + len(m.entries)
        self.commit_index = max(self.commit_index, min(m.leader_commit, last_new))
        self.apply_committed()
        self.acknowledge(m, True, self.log.last_index)
""",
        "obeys old leaders (25)": """
class Mine(APPEND_ENTRIES.base):
    def on_append_entries(self, m):
        self.follow(m.src)
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif index >= self.log.first_index and self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)
        last_new = m.prev_log_index + len(m.entries)
        self.commit_index = max(self.commit_index, min(m.leader_commit, last_new))
        self.apply_committed()
        self.acknowledge(m, True, last_new)
""",
        "applies what it stores (37)": """
class Mine(APPEND_ENTRIES.base):
    def on_append_entries(self, m):
        if m.term < self.current_term:
            self.refuse_term(m)
            return
        self.follow(m.src)
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif index >= self.log.first_index and self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)
        last_new = m.prev_log_index + len(m.entries)
        self.commit_index = max(self.commit_index, last_new)
        self.apply_committed()
        self.acknowledge(m, True, last_new)
""",
        "a candidate goes on (17)": """
class Mine(APPEND_ENTRIES.base):
    def on_append_entries(self, m):
        if m.term < self.current_term or type(self.role).__name__ == "Candidate":
            self.refuse_term(m)
            return
        self.follow(m.src)
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif index >= self.log.first_index and self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)
        last_new = m.prev_log_index + len(m.entries)
        self.commit_index = max(self.commit_index, min(m.leader_commit, last_new))
        self.apply_committed()
        self.acknowledge(m, True, last_new)
""",
        "forgets its vote when it is led (2)": """
class Mine(APPEND_ENTRIES.base):
    def on_append_entries(self, m):
        if m.term < self.current_term:
            self.refuse_term(m)
            return
        self.voted_for = None
        self.follow(m.src)
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif index >= self.log.first_index and self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)
        last_new = m.prev_log_index + len(m.entries)
        self.commit_index = max(self.commit_index, min(m.leader_commit, last_new))
        self.apply_committed()
        self.acknowledge(m, True, last_new)
""",
    },
    "compact": {
        "what is not applied (44)": """
index = self.log.last_index
if index > self.log.snapshot.last_included_index:
    configuration = self.log.configuration_at(index)
    self.log = self.log.compact(Snapshot(configuration, index, self.log.term(index), self.machine))
""",
        "no term (45)": """
index = self.last_applied
if index > self.log.snapshot.last_included_index:
    self.log = self.log.compact(Snapshot(self.log.configuration_at(index), index, 0, self.machine))
""",
        "the current term": """
index = self.last_applied
if index > self.log.snapshot.last_included_index:
    self.log = self.log.compact(Snapshot(self.log.configuration_at(index), index, self.current_term, self.machine))
""",
        "the newest configuration": """
index = self.last_applied
if index > self.log.snapshot.last_included_index:
    self.log = self.log.compact(Snapshot(self.configuration, index, self.log.term(index), self.machine))
""",
        "no sessions (52)": """
from raft_lab import Machine

index = self.last_applied
if index > self.log.snapshot.last_included_index:
    machine = Machine(self.machine.data)
    self.log = self.log.compact(Snapshot(self.log.configuration_at(index), index, self.log.term(index), machine))
""",
        "nothing behind it": """
from raft_lab import Log

index = self.last_applied
if index > self.log.snapshot.last_included_index:
    self.log = Log(Snapshot(self.log.configuration_at(index), index, self.log.term(index), self.machine))
""",
        "one entry less (40)": """
index = self.last_applied - 1
if index > self.log.snapshot.last_included_index:
    configuration = self.log.configuration_at(index)
    self.log = self.log.compact(Snapshot(configuration, index, self.log.term(index), self.machine))
""",
    },
    "left-behind": {
        "nobody has compacted": 'my_run = "raft-lab-way:1;crash:S3;propose:S1:set+x+1;step:3;restart:S3;step:9"',
    },
    "persist": {
        "no vote (3)": 'written |= {"current_term": self.current_term}',
        "no term": 'written |= {"voted_for": self.voted_for}',
        "no log (39)": """
class OnDisk(PERSIST.base):
    def persist(self):
        return {"current_term": self.current_term, "voted_for": self.voted_for}
""",
        "lastApplied without the state machine": """
written |= {"current_term": self.current_term, "voted_for": self.voted_for, "last_applied": self.last_applied}
""",
        "the role": """
written |= {"current_term": self.current_term, "voted_for": self.voted_for, "role": self.role}
""",
        "nothing": """
class OnDisk(PERSIST.base):
    def persist(self):
        return {}
""",
        "what is committed of the log only": """
class OnDisk(PERSIST.base):
    def persist(self):
        log = self.log.truncate(self.commit_index + 1)
        return {"current_term": self.current_term, "voted_for": self.voted_for, "log": log}
""",
    },
    "install-snapshot": {
        "drops the tail (41)": """
if index > self.commit_index:
    self.log = Log(m.snapshot)
    self.commit_index = self.last_applied = index
    self.machine = m.snapshot.machine
""",
        "keeps any tail (42)": """
if index > self.commit_index:
    self.log = self.log.compact(m.snapshot) if index <= self.log.last_index else Log(m.snapshot)
    self.commit_index = self.last_applied = index
    self.machine = m.snapshot.machine
""",
        "goes back in time (43)": """
keep = index <= self.log.last_index and self.log.matches(index, m.snapshot.last_included_term)
self.log = self.log.compact(m.snapshot) if keep else Log(m.snapshot)
self.commit_index = self.last_applied = index
self.machine = m.snapshot.machine
""",
        "forgets the state machine": """
if index > self.commit_index:
    keep = index <= self.log.last_index and self.log.matches(index, m.snapshot.last_included_term)
    self.log = self.log.compact(m.snapshot) if keep else Log(m.snapshot)
    self.commit_index = self.last_applied = index
""",
        "applies nothing": """
if index > self.commit_index:
    keep = index <= self.log.last_index and self.log.matches(index, m.snapshot.last_included_term)
    self.log = self.log.compact(m.snapshot) if keep else Log(m.snapshot)
    self.commit_index = index
    self.machine = m.snapshot.machine
""",
        "only if the log is shorter": """
if index > self.log.last_index:
    self.log = Log(m.snapshot)
    self.commit_index = self.last_applied = index
    self.machine = m.snapshot.machine
""",
    },
    "has-quorum": {
        "one pot (46)": """
everyone = self.configuration.voters | self.configuration.old
return len(everyone & set(servers)) > len(everyone) / 2
""",
        "the new half only": """
voters = self.configuration.voters
return len(voters & set(servers)) > len(voters) / 2
""",
        "half is enough": """
halves = (self.configuration.voters, self.configuration.old)
return all(len(half & set(servers)) >= len(half) / 2 for half in halves if half)
""",
        "either half": """
halves = (self.configuration.voters, self.configuration.old)
return any(len(half & set(servers)) > len(half) / 2 for half in halves if half)
""",
        "learners, too": """
halves = (self.configuration.voters, self.configuration.old)
return all(len(set(servers)) > len(half) / 2 for half in halves if half)
""",
        "an empty half never agrees": """
halves = (self.configuration.voters, self.configuration.old)
return all(len(half & set(servers)) > len(half) / 2 for half in halves)
""",
        "three are a majority": "return len(set(servers) & self.configuration.voters) >= 2",
    },
    "move-house": {
        "the old ones are still there": (
            'my_run = "raft-lab-way:1;boot:S4;boot:S5;boot:S6;reconfigure:S1:S1,S2,S3:S4,S5,S6;step:72"'
        ),
    },
    "leave-joint": {
        "whoever began it (49)": """
class Leaves(LEAVE_JOINT.base):
    volatile = {"began": 0}

    def append_configuration(self, configuration):
        self.began = self.current_term
        super().append_configuration(configuration)

    def after_commit(self):
        now = self.configuration
        if self.log.configuration_index > self.commit_index:
            return
        if now.is_joint and self.began == self.current_term:
            self.append_configuration(Configuration(now.voters, learners=now.learners))
            self.replicate()
        elif not now.is_joint and not now.is_voter(self.id):
            self.hand_over_and_go()
""",
        "only at that very entry": """
if self.commit_index == self.log.configuration_index:
    if now.is_joint:
        self.append_configuration(Configuration(now.voters, learners=now.learners))
        self.replicate()
    elif not now.is_voter(self.id):
        self.hand_over_and_go()
""",
        "before it is committed": """
if now.is_joint:
    self.append_configuration(Configuration(now.voters, learners=now.learners))
    self.replicate()
elif not now.is_voter(self.id) and self.log.configuration_index <= self.commit_index:
    self.hand_over_and_go()
""",
        "never": "pass",
        "forgets the learners": """
if self.log.configuration_index <= self.commit_index:
    if now.is_joint:
        self.append_configuration(Configuration(now.voters))
        self.replicate()
    elif not now.is_voter(self.id):
        self.hand_over_and_go()
""",
        "back to the old ones": """
if self.log.configuration_index <= self.commit_index:
    if now.is_joint:
        self.append_configuration(Configuration(now.old, learners=now.learners))
        self.replicate()
    elif not now.is_voter(self.id):
        self.hand_over_and_go()
""",
        "a removed leader stays": """
if self.log.configuration_index <= self.commit_index and now.is_joint:
    self.append_configuration(Configuration(now.voters, learners=now.learners))
    self.replicate()
""",
        "a removed leader goes too soon": """
if not now.is_voter(self.id):
    self.hand_over_and_go()
elif self.log.configuration_index <= self.commit_index and now.is_joint:
    self.append_configuration(Configuration(now.voters, learners=now.learners))
    self.replicate()
""",
    },
    "sessions": {
        "applies twice (51)": "",
        "only the very last one": """
if command.seq == known.seq:
    return known.reply
""",
        "no answer the second time": """
if command.seq <= known.seq:
    return None
""",
        "the first one never": """
if command.seq <= known.seq + 1:
    return known.reply
""",
        "notes nothing": """
class Once(APPLY_IN_SESSION.base):
    def apply_in_session(self, known, command):
        if command.seq <= known.seq:
            return known.reply
        data, reply = self.apply(self.machine.data, command.op)
        self.machine = replace(self.machine, data=data)
        return reply
""",
        "in a field that a crash takes (52)": """
class Once(APPLY_IN_SESSION.base):
    volatile = {"done": {}}

    def apply_in_session(self, known, command):
        if (command.client, command.seq) in self.done:
            return self.done[command.client, command.seq]
        data, reply = self.apply(self.machine.data, command.op)
        self.machine = self.remember(replace(self.machine, data=data), command, reply)
        self.done[command.client, command.seq] = reply
        return reply
""",
        "answers anew": """
if command.seq <= known.seq:
    return self.apply(self.machine.data, command.op)[1]
""",
    },
    "stale-read": {
        "a fresh one": 'my_run = "raft-lab-way:1;propose:S1:set+x+new;step:20;read:S1:r1:local"',
    },
    "answer-reads": {
        "at once (53)": "fresh = True",
        "without a commit of its own (54)": "fresh = self.quorum_min(self.acked_round) >= read.round",
        "without a round": "fresh = self.has_committed_in_its_term()",
        "anybody": """
fresh = self.has_committed_in_its_term() and any(self.acked_round(peer) >= read.round for peer in self.peers)
""",
        "everybody": """
fresh = self.has_committed_in_its_term() and all(self.acked_round(peer) >= read.round for peer in self.peers)
""",
        "the round after": """
fresh = self.has_committed_in_its_term() and self.quorum_min(self.acked_round) > read.round
""",
        "the round before": """
fresh = self.has_committed_in_its_term() and self.quorum_min(self.acked_round) >= read.round - 1
""",
    },
    "revisions": {
        "one for each operation": """
for op in ops:
    revision += 1
    old = keys.get(op.key)
    if isinstance(op, Put):
        created, version = (old.create_revision, old.version) if old else (revision, 0)
        keys[op.key] = KeyValue(op.key, op.value, created, revision, version + 1)
    else:
        keys.pop(op.key, None)
""",
        "one for nothing, too": """
revision += 1
for op in ops:
    old = keys.get(op.key)
    if isinstance(op, Put):
        created, version = (old.create_revision, old.version) if old else (revision, 0)
        keys[op.key] = KeyValue(op.key, op.value, created, revision, version + 1)
    else:
        keys.pop(op.key, None)
""",
        "versions from 0": """
changed = any(isinstance(op, Put) or op.key in keys for op in ops)
revision += changed
for op in ops:
    old = keys.get(op.key)
    if isinstance(op, Put):
        created, version = (old.create_revision, old.version + 1) if old else (revision, 0)
        keys[op.key] = KeyValue(op.key, op.value, created, revision, version)
    else:
        keys.pop(op.key, None)
""",
        "created anew by each put": """
changed = any(isinstance(op, Put) or op.key in keys for op in ops)
revision += changed
for op in ops:
    old = keys.get(op.key)
    if isinstance(op, Put):
        keys[op.key] = KeyValue(op.key, op.value, revision, revision, old.version + 1 if old else 1)
    else:
        keys.pop(op.key, None)
""",
    },
    "increment": {
        "reads, then puts": """
yield Put(key, str(count + 1))
return
""",
        "does not try again": """
revision = found.kvs[0].mod_revision if found.kvs else 0
yield Txn([mod_revision(key) == revision], [Put(key, str(count + 1))])
return
""",
        "never comes to an end": """
revision = found.kvs[0].mod_revision if found.kvs else 0
yield Txn([mod_revision(key) == revision], [Put(key, str(count + 1))])
""",
        "the first time is not guarded": """
if not found.kvs:
    yield Put(key, "1")
    return
done = yield Txn([mod_revision(key) == found.kvs[0].mod_revision], [Put(key, str(count + 1))])
if done.succeeded:
    return
""",
        "the version instead of the revision": """
revision = found.kvs[0].version if found.kvs else 0
done = yield Txn([mod_revision(key) == revision], [Put(key, str(count + 1))])
if done.succeeded:
    return
""",
        "not a generator": """
def increment(key):
    return Put(key, "1")
""",
    },
    "may-write": {
        "everybody": "allowed = True",
        "nobody twice": "allowed = token > (seen or 0)",
        "only the first": "allowed = seen is None or token == seen",
        "the wrong way round": "allowed = seen is None or token <= seen",
        "remembers whoever came last": """
def may_write(seen, token):
    return token >= (seen or 0), token
""",
        "remembers nothing": """
def may_write(seen, token):
    return token >= (seen or 0), None
""",
    },
    "may-take-over": {
        "by the holder's clock": """
return now > record.renew_time_us + record.lease_duration_seconds * 1_000_000
""",
        "fifteen seconds, whatever the record says": """
return not record.holder_identity or now > observed_at + 15_000_000
""",
        "waits for nobody": "return now > observed_at + record.lease_duration_seconds * 1_000_000",
        "seconds for microseconds": """
return not record.holder_identity or now > observed_at + record.lease_duration_seconds
""",
        "at once": "return True",
        "only when it was given up": "return not record.holder_identity",
        "counts from when it was acquired": """
return not record.holder_identity or now > record.acquire_time_us + record.lease_duration_seconds * 1_000_000
""",
    },
    "invariant": {
        "always true": "return True",
        "equal logs": "return len({server.log for server in world.servers.values()}) == 1",
        "one leader a term": """
terms = [server.current_term for server in world.servers.values() if server.is_leader]
return len(terms) == len(set(terms))
""",
        "terms only": """
for one, other in combinations(world.servers.values(), 2):
    for index in range(1, min(one.commit_index, other.commit_index) + 1):
        if one.log.term(index) != other.log.term(index):
            return False
return True
""",
        "the last one only": """
for one, other in combinations(world.servers.values(), 2):
    index = min(one.commit_index, other.commit_index)
    if index and one.log.entry(index) != other.log.entry(index):
        return False
return True
""",
        "what is stored, not what is committed": """
for one, other in combinations(world.servers.values(), 2):
    for index in range(1, min(one.log.last_index, other.log.last_index) + 1):
        if one.log.entry(index) != other.log.entry(index):
            return False
return True
""",
        "not a truth": "return None",
    },
    "hide-a-bug": {
        "everybody sees it": """
def on_append_entries(self, m):
    pass
""",
        "none": """
def may_vote_for(self, candidate):
    return self.voted_for is None or self.voted_for == candidate
""",
        "one that costs time only": """
def sends_at_once(self, peer):
    return False
""",
    },
}
"""By exercise, and what is wrong with it."""
