"""What messages are called in the picture: in a word or two beside a dot, and in a line of a list."""

from __future__ import annotations

from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    InstallSnapshotReply,
    Message,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)


def label(m: Message) -> str:
    """What stands beside a message in flight: a word or two."""
    match m:
        case RequestVote():
            return "vote?"
        case RequestVoteReply():
            return "yes" if m.vote_granted else "no"
        case AppendEntries():
            first, last = m.prev_log_index + 1, m.prev_log_index + len(m.entries)
            return "beat" if not m.entries else f"append {first}" if first == last else f"append {first}–{last}"
        case AppendEntriesReply():
            return f"ok {m.match_index}" if m.success else "no"
        case PreVote():
            return "would you?"
        case PreVoteReply():
            return "yes" if m.vote_granted else "no"
        case InstallSnapshot():
            return f"snapshot {m.snapshot.last_included_index}"
        case InstallSnapshotReply():
            return f"ok {m.match_index}"
        case TimeoutNow():
            return "take over"


def row(m: Message) -> str:
    """What stands beside `S1 → S2` in a list of messages."""
    match m:
        case RequestVote():
            log = f"log ends with {m.last_log_index} of term {m.last_log_term}" if m.last_log_index else "empty log"
            return f"vote? term {m.term}, {log}"
        case RequestVoteReply():
            return f"{'yes' if m.vote_granted else 'no'}, term {m.term}"
        case AppendEntries():
            return f"{label(m) if m.entries else 'heartbeat'}, term {m.term}, committed {m.leader_commit}"
        case AppendEntriesReply():
            return f"matches up to {m.match_index}, term {m.term}" if m.success else f"refused, term {m.term}"
        case PreVote():
            return f"pre-vote? for term {m.term}"
        case PreVoteReply():
            return f"pre-vote {'yes' if m.vote_granted else 'no'}, term {m.term}"
        case InstallSnapshot():
            return f"snapshot up to {m.snapshot.last_included_index}, term {m.term}"
        case InstallSnapshotReply():
            return f"matches up to {m.match_index}, term {m.term}"
        case TimeoutNow():
            return f"take over, term {m.term}"
