"""Log replication (section 5.3), the commit rule (5.4.2), and snapshots for those who fell behind (section 7)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from raft_lab.raft.election import Election
from raft_lab.raft.log import Command, Entry, Log, Snapshot
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    InstallSnapshotReply,
)
from raft_lab.raft.state import Applied, Follower, Leader, Progress, State
from raft_lab.raft.values import NEVER


class Replication(Election):
    """How logs come to agree, and what is committed."""

    max_entries_per_message: ClassVar[int] = 100
    compact_above: ClassVar[int | None] = None
    """Compact the log by itself as soon as it holds more applied entries than this."""

    # Sending

    def on_heartbeat_timeout(self) -> None:
        """Leaders: say so to everyone, and send again what may have been lost (5.2)."""
        self.replicate()

    def replicate(self) -> None:
        """Send every other member what it lacks, as far as the leader knows (5.3)."""
        if isinstance(self.role, Leader):
            for peer in self.peers:
                self.send_append_entries(peer)
            self.advance_commit_index()

    def replicate_new_entry(self) -> None:
        """Send what was appended just now, except to whom it may go with what follows (dissertation 10.2.2)."""
        for peer in self.peers:
            if self.sends_at_once(peer):
                self.send_append_entries(peer)
        self.advance_commit_index()

    def sends_at_once(self, peer: str) -> bool:
        """Whether a new entry goes to `peer` although those before it may be on their way."""
        return True

    def send_append_entries(self, peer: str) -> None:
        """Entries from `next_index` on, with the index and term of the entry before them (section 5.3)."""
        assert isinstance(self.role, Leader)
        prev = self.role.progress[peer].next_index - 1
        if prev < self.log.snapshot.last_included_index:
            self.send(InstallSnapshot(self.id, peer, self.current_term, self.log.snapshot, self.role.round, self.now))
            return
        entries = self.log.after(prev, self.max_entries_per_message)
        self.send(
            AppendEntries(
                self.id,
                peer,
                self.current_term,
                prev,
                self.log.term(prev),
                entries,
                self.commit_index,
                self.role.round,
                self.now,
            )
        )

    # Receiving

    def on_append_entries(self, m: AppendEntries) -> None:
        """Follow the term's leader; accept its entries if the log matches right before them (section 5.3)."""
        if m.term < self.current_term:
            self.refuse_term(m)
            return
        self.follow(m.src)
        if not self.log_matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        self.store_entries(m)
        match_index = self.known_match(m)
        self.commit_index = max(self.commit_index, min(m.leader_commit, match_index))
        self.apply_committed()
        self.acknowledge(m, True, match_index)

    def follow(self, leader: str) -> None:
        """Hear the leader of the current term: whoever it was, it is a follower now (5.2)."""
        self.role = Follower(leader, in_touch=self.is_sticky())
        self.reset_election_timer()

    def log_matches(self, prev_log_index: int, prev_log_term: int) -> bool:
        """Consistency check: the log has the preceding entry, with the same term (section 5.3)."""
        return self.log.matches(prev_log_index, prev_log_term)

    def store_entries(self, m: AppendEntries) -> None:
        """Drop entries only from the first real conflict on, then append what is new (5.3)."""
        for offset, entry in enumerate(m.entries):
            index = m.prev_log_index + 1 + offset
            if index < self.log.first_index:
                continue
            if index <= self.log.last_index:
                if not self.conflicts(index, entry):
                    continue
                self.log = self.log.truncate(index)
            self.log = self.log.append(*m.entries[offset:])
            return

    def conflicts(self, index: int, entry: Entry) -> bool:
        """Only an entry of another term contradicts what is there; a shorter request is just an old one (5.3)."""
        return self.log.term(index) != entry.term

    def known_match(self, m: AppendEntries) -> int:
        """Up to where this log is known to match the leader's: what may follow is not the leader's (5.3)."""
        return m.prev_log_index + len(m.entries)

    def refuse_term(self, m: AppendEntries) -> None:
        """Say which term it is. The round stays unnamed: it is of a reign that is over, if of the same server (6.4)."""
        self.send(AppendEntriesReply(self.id, m.src, self.current_term, success=False))

    def refuse_entries(self, m: AppendEntries) -> None:
        """Say where the leader should try instead, so that it skips a whole term at once (end of 5.3)."""
        if m.prev_log_index > self.log.last_index:
            self.acknowledge(m, False, conflict_index=self.log.last_index + 1)
        else:
            term = self.log.term(m.prev_log_index)
            first = self.log.last_index_of_term(term - 1) + 1
            self.acknowledge(m, False, conflict_index=first, conflict_term=term)

    def acknowledge(self, m: AppendEntries, success: bool, match_index: int = 0, **conflict: int) -> None:
        """Answer an AppendEntries."""
        self.send(
            AppendEntriesReply(
                self.id,
                m.src,
                self.current_term,
                success,
                match_index,
                prev_log_index=m.prev_log_index,
                round=m.round,
                sent_at=self.holds_on_from(m),
                **conflict,
            )
        )

    def holds_on_from(self, m: AppendEntries | InstallSnapshot) -> int:
        """Only who is sticky from now on gives the leader a lease, counted from when it sent the message (6.4.1)."""
        return m.sent_at if self.is_sticky() else NEVER

    # What the leader learns

    def on_append_entries_reply(self, m: AppendEntriesReply) -> None:
        """Leaders: note how far the follower's log matches; after a refusal go back and try again (5.3)."""
        known = self.hear(m)
        if known is None:
            return
        if m.success:
            self.note_match(m.src, m.match_index)
        elif m.prev_log_index == known.next_index - 1:  # else the refusal is an old one
            next_index = max(known.match_index + 1, min(self.retry_from(m), known.next_index - 1))
            self.note_progress(m.src, replace(known, next_index=next_index))
            self.send_append_entries(m.src)
        self.answer_reads()

    def hear(self, m: AppendEntriesReply | InstallSnapshotReply) -> Progress | None:
        """Note that a member of this leader's term has answered, and which round (dissertation 6.4)."""
        if not isinstance(self.role, Leader) or m.term != self.current_term or m.src not in self.role.progress:
            return None
        known = self.role.progress[m.src]
        known = replace(known, acked_round=max(known.acked_round, m.round), acked_at=max(known.acked_at, m.sent_at))
        if self.checks_quorum():
            self.role = replace(self.role, in_touch=self.role.in_touch | {m.src})
        self.note_progress(m.src, known)
        return known

    def note_match(self, peer: str, match_index: int) -> None:
        """`peer` stores what this leader stores up to `match_index`; go on from there."""
        assert isinstance(self.role, Leader)
        known = self.role.progress[peer]
        grown = match_index > known.match_index
        match_index = max(known.match_index, match_index)
        progress = replace(known, next_index=max(known.next_index, match_index + 1), match_index=match_index)
        if match_index >= progress.round_end and peer in self.configuration.learners:
            progress = replace(progress, rounds=progress.rounds + 1, round_end=self.log.last_index + 1)
        self.note_progress(peer, progress)
        self.advance_commit_index()
        if grown and isinstance(self.role, Leader) and peer in self.role.progress:
            if match_index < self.log.last_index:
                self.send_append_entries(peer)
            self.hand_over_when_ready()

    def retry_from(self, m: AppendEntriesReply) -> int:
        """Right after the last entry of the conflicting term, if the leader has that term (end of 5.3)."""
        if m.conflict_term:
            index = self.log.last_index_of_term(m.conflict_term)
            if self.log.term(index) == m.conflict_term:
                return index + 1
        return m.conflict_index

    def note_progress(self, peer: str, progress: Progress) -> None:
        """Remember what is known of another member."""
        assert isinstance(self.role, Leader)
        self.role = self.role.with_progress(peer, progress)

    # Committing

    def match_index(self, server: str) -> int:
        """How far `server`'s log is known to match this leader's; its own counts as far as it is on disk."""
        if server == self.id:
            return self.durable_index()
        known = self.role.progress.get(server) if isinstance(self.role, Leader) else None
        return known.match_index if known else 0

    def durable_index(self) -> int:
        """Up to where this log is on disk."""
        if self.writes_at_once():
            return self.log.last_index
        return State(self.id, self.current_term, self.voted_for, self.log, disk=self._on_disk).durable_index

    def advance_commit_index(self) -> None:
        """Commit what a quorum stores, if it is of the leader's own term (sections 5.3 and 5.4.2)."""
        if not isinstance(self.role, Leader):
            return
        n = self.quorum_min(self.match_index)
        if n > self.commit_index and self.may_commit(n):
            self.commit_index = n
            self.apply_committed()
            self.answer_reads()
            self.after_commit()

    def may_commit(self, index: int) -> bool:
        """Only entries of the current term are committed by counting; older ones with them (section 5.4.2)."""
        return self.log.term(index) == self.current_term

    def apply_committed(self) -> None:
        """All servers: apply committed entries to the state machine, in log order (section 5.3)."""
        while self.last_applied < self.commit_index:
            self.last_applied += 1
            value = self.log.entry(self.last_applied).value
            if isinstance(value, Command):
                reply = self.apply_command(value)
                if isinstance(self.role, Leader):
                    self.answer(Applied(self.last_applied, value, reply))
        limit = self.compact_above
        if limit is not None and self.last_applied - self.log.snapshot.last_included_index > limit:
            self.on_compact()

    def apply_command(self, command: Command) -> Any:
        """See clients.py."""

    # Compacting (section 7)

    def on_compact(self) -> None:
        """Put a snapshot of the state machine in place of the applied prefix of the log (section 7)."""
        index = self.last_applied
        if index > self.log.snapshot.last_included_index:
            configuration = self.log.configuration_at(index)
            self.log = self.log.compact(Snapshot(configuration, index, self.log.term(index), self.machine))

    def on_install_snapshot(self, m: InstallSnapshot) -> None:
        """Take the leader's snapshot, unless all of it is known already; keep what follows if it fits (Figure 13)."""
        if m.term < self.current_term:
            self.send(InstallSnapshotReply(self.id, m.src, self.current_term, match_index=0))
            return
        self.follow(m.src)
        index = m.snapshot.last_included_index
        if index > self.commit_index:
            self.log = self.log.compact(m.snapshot) if self.keeps_tail(m.snapshot) else Log(m.snapshot)
            self.commit_index = self.last_applied = index
            self.machine = m.snapshot.machine
        self.send(InstallSnapshotReply(self.id, m.src, self.current_term, index, m.round, self.holds_on_from(m)))

    def keeps_tail(self, snapshot: Snapshot) -> bool:
        """What follows the snapshot stays only if the log agrees with it where it ends (Figure 13, step 6)."""
        index = snapshot.last_included_index
        return index <= self.log.last_index and self.log.matches(index, snapshot.last_included_term)

    def on_install_snapshot_reply(self, m: InstallSnapshotReply) -> None:
        """Leaders: go on with entries from the end of the snapshot (section 7)."""
        if self.hear(m) is not None:
            self.note_match(m.src, m.match_index)
            self.answer_reads()
