"""What an action made happen, in the field's words. A campaign counts it: where nothing happens, nothing is proved."""

from __future__ import annotations

from collections.abc import Iterator

from raft_lab.raft.clients import EXPIRED
from raft_lab.raft.log import Log
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    Message,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from raft_lab.raft.state import Applied, Candidate, Leader, PreCandidate, ReadDone, State
from raft_lab.sim import actions as act
from raft_lab.sim.actions import Action
from raft_lab.sim.world import Transition, World


def behaviour(before: World, action: Action, done: Transition) -> Iterator[str]:
    """What happened when `action` took `before` to `done.world`; some of it has several names."""
    yield action.verb
    name = action.actor
    if not name or name not in before.servers:
        return
    old, new = before.servers[name], done.world.servers[name]
    if new is not old:
        yield from _moved(old, new)
    for answer in done.answers:
        if isinstance(answer, ReadDone):
            yield "read answered"
        elif isinstance(answer, Applied) and answer.command.client:
            yield from _applied(answer, old)
    match action:
        case act.Deliver(message):
            yield from _delivered(message, old, new, done)
        case act.Timeout() if isinstance(old.role, Candidate):
            yield "election repeated"
        case act.Read(how=how):
            yield from _asked_to_read(how, action.id, new, done)
        case act.Crash() if old.disk is not None:
            yield "crash that lost a write"
            if old.current_term > new.current_term:
                yield "vote that was lost"
        case act.WriteDisk() if done.sent:
            yield "answer that waited"
        case act.CheckQuorum():
            yield "quorum: stayed" if new.is_leader else "no quorum: stepped down"
            if isinstance(old.role, Leader) and old.role.transferee is not None and new.is_leader:
                yield "transfer given up"
        case act.Reconfigure():
            yield from _reconfigured(action, old, new)


def _moved(old: State, new: State) -> Iterator[str]:
    """What became of a server."""
    if new.is_leader and not old.is_leader:
        yield "leader elected"
    if old.is_leader and not new.is_leader:
        yield "leader deposed" if new.current_term > old.current_term else "leader left"
    if new.is_leader and new.commit_index > old.commit_index:
        yield "committed"
        if new.log.term(old.commit_index + 1) < new.current_term:
            yield "older entry committed with a newer one"
    if old.log is not new.log and old.log.snapshot is new.log.snapshot and _lost(old.log, new.log):
        if old.disk is None:
            yield "conflict truncated"
        if new.log.configuration_index < old.log.configuration_index:
            yield "configuration rolled back"
    if old.is_leader and old.configuration.is_joint and not new.configuration.is_joint:
        yield "joint configuration left"


def _lost(old: Log, new: Log) -> bool:
    """Whether entries of the old log are not in the new one."""
    return new.last_index < old.last_index or not new.same_prefix(old, old.last_index)


def _delivered(m: Message, old: State, new: State, done: Transition) -> Iterator[str]:
    """What a message did."""
    match m:
        case RequestVote():
            if new is old and not done.sent:
                yield "candidate ignored"
            for reply in done.sent:
                behind = (m.last_log_term, m.last_log_index) < (old.log.last_term, old.log.last_index)
                if isinstance(reply, RequestVoteReply) and not reply.vote_granted and m.term > old.current_term:
                    yield "vote refused by log" if behind else "vote refused"
        case PreVoteReply() if isinstance(old.role, PreCandidate) and isinstance(new.role, Candidate):
            yield "pre-vote won"
        case TimeoutNow() if isinstance(new.role, Candidate | Leader) and new is not old:
            yield "handed over"
        case InstallSnapshot():
            yield "snapshot ignored" if new.log.snapshot is old.log.snapshot else "snapshot installed"
        case AppendEntries():
            if isinstance(old.role, Candidate) and old.current_term == m.term:
                yield "candidate conceded"
            for reply in done.sent:
                if isinstance(reply, AppendEntriesReply) and not reply.success:
                    yield "refused by log" if m.term >= old.current_term else "refused by term"
        case AppendEntriesReply() if new.is_leader and new.commit_index == old.commit_index and m.success:
            if _stored(new) > new.commit_index:
                yield "majority of an older entry not committed"
    for reply in done.sent:
        if isinstance(reply, PreVoteReply):
            yield "pre-vote granted" if reply.vote_granted else "pre-vote refused"


def _stored(leader: State) -> int:
    """Up to where a quorum stores the leader's log, as far as the leader knows."""
    assert isinstance(leader.role, Leader)
    progress = leader.role.progress

    def match_index(server: str) -> int:
        if server == leader.id:
            return leader.durable_index
        return progress[server].match_index if server in progress else 0

    return leader.configuration.quorum_min(match_index)


def _applied(answer: Applied, old: State) -> Iterator[str]:
    """What a command of a session came to."""
    known = old.machine.sessions.get(answer.command.client)
    if answer.command.seq == 0:
        yield "session opened"
    elif answer.reply == EXPIRED:
        yield "command of no session"
    elif known is not None and answer.command.seq <= known.seq:
        yield "duplicate answered"


def _asked_to_read(how: str, id: str, new: State, done: Transition) -> Iterator[str]:
    """What a server did when it was asked."""
    if done.reply is not None:
        yield "read refused"
    elif isinstance(new.role, Leader) and any(read.id == id for read in new.role.reads):
        yield "lease read that waited" if how == "lease" else "read waited"
    elif how == "lease":
        yield "lease read answered at once"


def _reconfigured(action: act.Reconfigure, old: State, new: State) -> Iterator[str]:
    """What an administrator's wish came to."""
    if new.log.last_index <= old.log.last_index:
        yield "change refused"
        return
    was, now = old.configuration, new.log.configuration_at(old.log.last_index + 1)
    if now.learners - was.learners - was.voters:
        yield "learner added"
    if was.learners & now.voters:
        yield "learner promoted"
    if now.is_joint:
        yield "joint configuration entered"
    elif action.single:
        yield "single change"
