"""One plain sentence for everything that happens, with the rule behind it and where the paper states it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from raft_lab.raft.rules import RULES, base
from raft_lab.raft.state import (
    Accepted,
    Candidate,
    Follower,
    Leader,
    PreCandidate,
    ReadDone,
    Rejected,
    State,
)
from raft_lab.sim.actions import (
    Action,
    Boot,
    CheckQuorum,
    Compact,
    Crash,
    Cut,
    Delay,
    Deliver,
    Drop,
    Duplicate,
    Heal,
    Heartbeat,
    Hold,
    Mend,
    Partition,
    Propose,
    Read,
    Reconfigure,
    Release,
    Restart,
    Silence,
    Stall,
    Swap,
    Timeout,
    TransferLeadership,
    Wait,
    WriteDisk,
)
from raft_lab.sim.world import Behaviour, Transition, World, behaviour_name


@dataclass(frozen=True, slots=True)
class Sentence:
    """What happened in words, the rule that made it happen, and the section of the Raft paper that has it."""

    text: str
    rule: str = ""
    section: str = ""

    def __str__(self) -> str:
        return self.text


def names(servers: Sequence[str]) -> str:
    """`S1`, `S1 and S2`, `S1, S2 and S3`."""
    return " and ".join([", ".join(servers[:-1]), servers[-1]] if len(servers) > 1 else servers)


def entries_text(count: int) -> str:
    """`1 entry`, `2 entries`."""
    return "1 entry" if count == 1 else f"{count} entries"


def message_text(m: Message) -> str:
    """One line about a message."""
    match m:
        case RequestVote():
            last = f"last entry {m.last_log_index} of term {m.last_log_term}" if m.last_log_index else "empty log"
            return f"RequestVote for term {m.term}: {m.src} asks {m.dst} ({last})"
        case RequestVoteReply():
            said = "grants its vote" if m.vote_granted else "refuses its vote"
            return f"RequestVote reply of term {m.term}: {m.src} {said} to {m.dst}"
        case AppendEntries():
            what = entries_text(len(m.entries)) if m.entries else "heartbeat"
            return f"AppendEntries of term {m.term}: {what} from {m.src} to {m.dst} after entry {m.prev_log_index}"
        case AppendEntriesReply():
            said = f"matches up to entry {m.match_index}" if m.success else "refuses"
            return f"AppendEntries reply of term {m.term}: {m.src} {said}"
        case PreVote():
            return f"Pre-vote for term {m.term}: {m.src} asks {m.dst} whether it would get its vote"
        case PreVoteReply():
            return f"Pre-vote reply of term {m.term}: {m.src} would {'' if m.vote_granted else 'not '}vote for {m.dst}"
        case InstallSnapshot():
            upto = m.snapshot.last_included_index
            return f"InstallSnapshot of term {m.term}: {m.src} sends {m.dst} its snapshot up to entry {upto}"
        case InstallSnapshotReply():
            return f"InstallSnapshot reply of term {m.term}: {m.src} matches up to entry {m.match_index}"
        case TimeoutNow():
            return f"TimeoutNow of term {m.term}: {m.src} asks {m.dst} to start an election at once"


def opening(world: World) -> Sentence:
    """How things stand where a run begins."""
    servers = list(world.servers.values())
    count = f"{len(servers)} servers" if len(servers) > 1 else "1 server"
    if not any(state.current_term for state in servers):
        return Sentence(f"{count}, ready to start.")
    leaders = [f"{s.id} leads term {s.current_term}" for s in servers if s.is_leader and s.id not in world.crashed]
    committed = world.ghosts.committed.last_index
    told = names(leaders) if leaders else f"nobody leads, and the latest term is {max(s.current_term for s in servers)}"
    done = f"; committed so far: {entries_text(committed)}" if committed else ""
    return Sentence(f"{count}: {told}{done}.")


def narrate(before: World, action: Action, done: Transition) -> Sentence:
    """Tell what `action` did to `before`."""
    match action:
        case Deliver(message):
            return _delivered(before, message, done)
        case Timeout(name):
            return _timed_out(before.servers[name], done.world.servers[name])
        case Heartbeat(name):
            return Sentence(
                f"{name}, leader of term {before.servers[name].current_term}, lets everyone know that it leads.",
                "A leader sends AppendEntries at regular intervals, so that no election timer runs out.",
                "§5.2",
            )
        case Propose():
            return _proposed(before, action, done)
        case Crash(name):
            if before.servers[name].disk is not None:
                return Sentence(
                    f"{name} crashes in the middle of writing: what was not on its disk yet is lost.",
                    "Term, vote and log must be on disk before a server answers.",
                    "Figure 2",
                )
            if lost := _lost(before.servers[name], done.world.servers[name]):
                verb = "was" if len(lost) == 1 else "were"
                return Sentence(
                    f"{name} crashes. {names(lost).capitalize()} {verb} not on disk, and what it knew of that is lost.",
                    "Current term, vote and log are persistent: written to disk before a server answers.",
                    "Figure 2",
                )
            return Sentence(
                f"{name} crashes. Its term, its vote and its log are on disk; all else is forgotten.",
                "Current term, vote and log are persistent: written to disk before a server answers.",
                "Figure 2",
            )
        case Restart(name):
            state = done.world.servers[name]
            return Sentence(
                f"{name} restarts as a follower: term {state.current_term}, "
                f"{_vote(state)}, {entries_text(len(state.log))} in its log.",
                "Servers start as followers; what is committed they learn anew from a leader.",
                "§5.2",
            )
        case Drop(m):
            why = ""
            if m.dst not in before.servers:
                why = f" There is no server {m.dst}."
            elif m.dst in before.crashed:
                why = f" {m.dst} is down."
            elif (m.src, m.dst) in before.cuts:
                why = f" The link from {m.src} to {m.dst} is cut."
            return Sentence(
                f"{_short(m)} is lost.{why}",
                "Messages may be lost, delayed, reordered or repeated; Raft sends again what it needs.",
                "§2, §5.5",
            )
        case Duplicate(m):
            return Sentence(
                f"The network makes a second copy of {_short(m)}.",
                "Raft's messages may arrive twice: each of them does no more the second time.",
                "§5.5",
            )
        case Delay(m, us):
            return Sentence(
                f"{_short(m)} is delayed by {us / 1000:g} ms.",
                "Messages may take any time, and overtake one another.",
                "§2",
            )
        case Hold(m):
            return Sentence(f"{_short(m)} is held back until you release it.", "Messages may take any time.", "§2")
        case Release(m):
            return Sentence(f"{_short(m)} travels on.", "Messages may take any time.", "§2")
        case Cut(src, dst):
            return Sentence(
                f"The link from {src} to {dst} is cut; {dst} still reaches {src}."
                if (dst, src) not in before.cuts
                else f"Now {src} and {dst} do not reach each other at all.",
                "A network may fail in one direction only.",
                "§2",
            )
        case Mend(src, dst):
            return Sentence(f"The link from {src} to {dst} works again.")
        case Partition(groups):
            sides = names(["{" + ", ".join(sorted(group)) + "}" for group in groups])
            quorum = [group for group in groups if _can_decide(before, group)]
            who = f"Only {{{', '.join(sorted(quorum[0]))}}} has a majority." if quorum else "No side has a majority."
            return Sentence(
                f"The network falls apart into {sides}. {who}",
                "Raft goes on as long as a majority of the servers can talk to each other.",
                "§2",
            )
        case Heal():
            return Sentence("All links work again.")
        case Silence(name):
            return Sentence(
                f"{name} has heard nothing from a leader for the shortest election timeout: it may vote again.",
                "Within the shortest election timeout of hearing from a leader, requests for votes are ignored.",
                "§6",
            )
        case CheckQuorum(name):
            return _checked_quorum(before.servers[name], done.world.servers[name])
        case Read():
            return _read(before, action, done)
        case Reconfigure():
            return _reconfigured(action, done)
        case TransferLeadership(name, to):
            if isinstance(done.reply, Rejected):
                return Sentence(
                    f"{name} is asked to hand over to {to}, but {done.reply.reason}.", "", "dissertation 3.10"
                )
            ready = any(isinstance(m, TimeoutNow) for m in done.sent)
            how = f"{to}'s log is complete, so it may start at once" if ready else f"it first completes {to}'s log"
            return Sentence(
                f"{name} is to hand over to {to}: {how}.",
                "A leader hands over by completing the other's log and telling it to start an election at once.",
                "dissertation 3.10",
            )
        case Compact(name):
            base = done.world.servers[name].log.snapshot
            return Sentence(
                f"{name} puts a snapshot in place of all entries up to {base.last_included_index}, "
                f"the last of which is of term {base.last_included_term}.",
                "What is applied may give way to the machine's state, with the last index, term and configuration.",
                "§7",
            )
        case WriteDisk(name):
            waited = len(before.servers[name].waiting)
            sent = f" {waited} message{'s' if waited != 1 else ''} that waited for it may go now." if waited else ""
            return Sentence(
                f"{name}'s writes are on its disk.{sent}",
                "Term, vote and log must be on disk before a server answers.",
                "Figure 2",
            )
        case Boot(name):
            return Sentence(f"{name} starts with an empty disk. It belongs to no configuration yet.", "", "§6")
        case Wait(us):
            return Sentence(f"{us / 1000:.1f} ms pass in which nothing happens.")
        case Stall(us):
            return Sentence(f"For {us / 1000:.1f} ms nothing happens: whatever was due comes late.")
        case Swap(behaviour):
            return _swapped(before.behaviour, behaviour)
    return Sentence(str(action))


def _swapped(old: Behaviour, new: Behaviour) -> Sentence:
    """Other handlers, or the same with one rule switched."""
    said = []
    for rule in RULES if base(old) is base(new) else ():
        was, is_on = rule.holds(old), rule.holds(new)
        if was != is_on:
            loss = f" Without it {rule.protects} may break." if was and rule.protects else ""
            said.append((f"The rule “{rule.name}” is {'on' if is_on else 'off'} from now on.{loss}", rule))
    if len(said) == 1:
        return Sentence(said[0][0], said[0][1].statement, said[0][1].section)
    if said:
        return Sentence(" ".join(text for text, _ in said))
    return Sentence(f"From now on every server runs {behaviour_name(new)}.")


def _can_decide(world: World, group: frozenset[str]) -> bool:
    return any(world.servers[name].configuration.has_quorum(group) for name in sorted(group))


def _short(m: Message) -> str:
    match m:
        case RequestVote():
            what = "vote request"
        case RequestVoteReply():
            what = "vote" if m.vote_granted else "refusal to vote"
        case AppendEntries():
            what = "append request" if m.entries else "heartbeat"
        case AppendEntriesReply():
            what = "answer" if m.success else "refusal"
        case PreVote():
            what = "pre-vote request"
        case PreVoteReply():
            what = "pre-vote" if m.vote_granted else "refusal of a pre-vote"
        case InstallSnapshot():
            what = "snapshot"
        case InstallSnapshotReply():
            what = "answer about the snapshot"
        case TimeoutNow():
            what = "request to take over"
    return f"{m.src}'s {what} to {m.dst}"


def _vote(state: State) -> str:
    return f"its vote given to {state.voted_for}" if state.voted_for else "no vote given"


def _lost(before: State, after: State) -> list[str]:
    """What a crash has taken that must outlive one."""
    parts = {"current_term": "its term", "voted_for": "its vote", "log": "its log"}
    return [words for field, words in parts.items() if getattr(before, field) != getattr(after, field)]


def _newer_term(before: State, after: State) -> str:
    """How it took a newer term, if it did: the beginning of a sentence about what it did then."""
    if after.current_term == before.current_term:
        return ""
    was = {
        Leader: "steps down as leader",
        Candidate: "gives up its election",
        PreCandidate: "gives up its election",
    }.get(type(before.role), "adopts it")
    return f"{after.id} sees term {after.current_term}, newer than its own {before.current_term}, and {was}. "


def _timed_out(before: State, after: State) -> Sentence:
    if after.is_leader:
        return Sentence(
            f"{after.id}'s election timer runs out; its own vote is a majority, so it leads term {after.current_term}.",
            "A candidate that has votes from a majority becomes leader.",
            "§5.2",
        )
    if isinstance(after.role, PreCandidate):
        return Sentence(
            f"{after.id} has not heard from a leader in time. Before it starts a term, it asks who would vote for it.",
            "Before it starts a term, a server asks whether it could win; nobody's term or vote changes.",
            "dissertation 9.6",
        )
    if not isinstance(after.role, Candidate) or after.current_term == before.current_term:
        return Sentence(f"{after.id}'s election timer runs out, and it does nothing about it.")
    if isinstance(before.role, Candidate) and isinstance(after.role, Candidate):
        begin = (
            f"{after.id} has not won term {before.current_term} in time and tries again in term {after.current_term}"
        )
    elif before.role == Follower(None) and before.current_term == 0:
        begin = f"{after.id} has heard of no leader and starts an election for term {after.current_term}"
    else:
        begin = f"{after.id} has not heard from a leader in time and starts an election for term {after.current_term}"
    return Sentence(
        f"{begin}: it votes for itself and asks everyone else for a vote.",
        "A follower that hears nothing until its election timeout becomes a candidate in the next term.",
        "§5.2",
    )


def _in_short(op: str) -> str:
    """A command with its long values cut short: where it goes and what it is must stay in sight."""
    return re.sub(r"'([^']{24})[^']{24,}'", r"'\1…'", op)


def _proposed(before: World, action: Propose, done: Transition) -> Sentence:
    name, op = action.server, _in_short(str(action.op))
    if isinstance(done.reply, Accepted):
        alone = done.world.servers[name].commit_index >= done.reply.index
        return Sentence(
            f'A client asks {name} for "{op}": it becomes entry {done.reply.index} of term {done.reply.term} '
            f"in the leader's log, {'and is committed at once' if alone else 'not committed yet'}.",
            "The leader appends the command to its log and sends it to the others.",
            "§5.3",
        )
    if before.servers[name].is_leader and isinstance(done.reply, Rejected):
        return Sentence(
            f'A client asks {name} for "{op}", but it hands over to {done.reply.leader_id} now. Nothing was appended.',
            "A leader that hands over takes no more commands.",
            "dissertation 3.10",
        )
    leader = before.servers[name].leader_id
    hint = f"it points to {leader}" if leader else "it knows of no leader"
    return Sentence(
        f'A client asks {name} for "{op}", but {name} does not lead: {hint}. Nothing was appended.',
        "Clients talk to the leader; any other server turns them away, with the leader's name if it knows it.",
        "§8",
    )


def _checked_quorum(old: State, new: State) -> Sentence:
    rule = "A leader that has not heard from a quorum for an election timeout steps down."
    if isinstance(old.role, Leader) and old.role.transferee is not None:
        return Sentence(
            f"{new.id} has waited long enough for {old.role.transferee} to take over and serves clients again.",
            "A transfer that takes longer than an election timeout is given up.",
            "dissertation 3.10",
        )
    if new.is_leader:
        return Sentence(f"{new.id} has led for another election timeout and goes on.", rule, "dissertation 6.2")
    return Sentence(
        f"{new.id} has not heard from a quorum for an election timeout: it no longer leads term {old.current_term}.",
        rule,
        "dissertation 6.2",
    )


def _in_a_few_words(data: object) -> str:
    """What a state machine of keys and values holds, as "x = 1, y = 2"; '' for others, and if it is much."""
    words = ", ".join(f"{key} = {value}" for key, value in data.items()) if isinstance(data, Mapping) else ""
    return words if len(words) <= 40 else ""


def _read(before: World, action: Read, done: Transition) -> Sentence:
    name = action.server
    if isinstance(done.reply, Rejected):
        return Sentence(f"A client wants to read from {name}, but {done.reply.reason}.", "", "§8")
    answered = next((answer for answer in done.answers if isinstance(answer, ReadDone)), None)
    if action.how == "local":
        has = _in_a_few_words(answered.data) if answered else ""
        return Sentence(
            f"{name} answers a read at once with what it has{has and f', {has}'}, which may be stale.",
            "A local read asks nobody, so it promises nothing.",
            "dissertation 6.4",
        )
    if action.how == "lease" and answered:
        return Sentence(
            f"{name} answers a read at once: by its own clock its lease still holds.",
            "A leader that has heard from a quorum lately may trust that there is no other, if clocks do.",
            "dissertation 6.4.1",
        )
    if answered:
        alone = before.servers[name].configuration.has_quorum({name})
        why = ": it is its own quorum" if alone else ", and has asked nobody whether it still leads"
        return Sentence(f"{name} answers a read at once{why}.", "", "dissertation 6.4")
    fresh = (
        ""
        if before.servers[name].log.term(before.servers[name].commit_index) == before.servers[name].current_term
        else (" It also has to commit an entry of its own term first.")
    )
    return Sentence(
        f"A client reads from {name}, which first asks a quorum whether it still leads.{fresh}",
        "Before it answers a read, a leader makes sure that it has not been replaced (ReadIndex).",
        "§8, dissertation 6.4",
    )


def _reconfigured(action: Reconfigure, done: Transition) -> Sentence:
    name = action.server
    if isinstance(done.reply, Rejected):
        return Sentence(f"{name} is asked for other members, but {done.reply.reason}. Nothing was appended.", "", "§6")
    new = done.world.servers[name].configuration
    if new.is_joint:
        return Sentence(
            f"{name} appends a joint configuration: from now on it takes a majority of {new}.",
            "While two configurations are joined, every decision needs a majority of the old and one of the new.",
            "§6",
        )
    return Sentence(
        f"{name} appends the configuration {new}, which counts from now on.",
        "A server uses the latest configuration in its log, committed or not.",
        "§6",
    )


def _pre_vote_requested(m: PreVote, old: State, done: Transition) -> Sentence:
    rule = "Before it starts a term, a server asks whether it could win; nobody's term or vote changes."
    granted = any(isinstance(sent, PreVoteReply) and sent.vote_granted for sent in done.sent)
    if granted:
        return Sentence(f"{m.dst} would vote for {m.src} in term {m.term}, and says so.", rule, "dissertation 9.6")
    if m.term <= old.current_term:
        why = f"it is in term {old.current_term} itself"
    elif (m.last_log_term, m.last_log_index) < (old.log.last_term, old.log.last_index):
        why = "the other's log is not up-to-date"
    else:
        why = "it has a leader"
    return Sentence(f"{m.dst} would not vote for {m.src} in term {m.term}: {why}.", rule, "dissertation 9.6")


def _pre_vote_answered(m: PreVoteReply, old: State, new: State) -> Sentence:
    if seen := _newer_term(old, new):
        return Sentence(
            f"An answer from {m.src} arrives. {seen}".rstrip(), "Whoever sees a higher term adopts it.", "§5.1"
        )
    would = f"{m.src} would vote for {m.dst}" if m.vote_granted else f"{m.src} would not vote for {m.dst}"
    if isinstance(old.role, PreCandidate) and not isinstance(new.role, PreCandidate):
        return Sentence(
            f"{would}: a quorum would. So {m.dst} starts an election for term {new.current_term}.",
            "A pre-candidate with grants from a quorum becomes a candidate.",
            "dissertation 9.6",
        )
    return Sentence(f"{would}.", "A pre-candidate with grants from a quorum becomes a candidate.", "dissertation 9.6")


def _snapshot_arrived(m: InstallSnapshot, old: State, new: State) -> Sentence:
    upto = m.snapshot.last_included_index
    if m.term < old.current_term:
        return Sentence(
            f"{m.dst} is in term {old.current_term} and refuses {m.src}'s snapshot of term {m.term}.", "", "§5.1"
        )
    if new.log == old.log and old.log.last_index < upto:
        return Sentence(
            f"{_newer_term(old, new)}{m.dst} does not take {m.src}'s snapshot up to entry {upto}, which it needs.",
            "A follower that needs entries which the leader has compacted gets the snapshot.",
            "§7",
        )
    if new.log == old.log:
        return Sentence(
            f"{_newer_term(old, new)}{m.dst} knows all up to entry {upto} already and needs no snapshot.",
            "A snapshot never takes a server back.",
            "§7",
        )
    kept = f" and keeps the {entries_text(len(new.log))} after it" if len(new.log) else " in place of its whole log"
    return Sentence(
        f"{_newer_term(old, new)}{m.dst} takes {m.src}'s snapshot up to entry {upto} of term "
        f"{m.snapshot.last_included_term}{kept}.",
        "A follower that needs entries which the leader has compacted gets the snapshot; a tail stays if it fits.",
        "§7",
    )


def _snapshot_answered(m: InstallSnapshotReply, old: State, new: State) -> Sentence:
    if seen := _newer_term(old, new):
        return Sentence(
            f"An answer from {m.src} arrives. {seen}".rstrip(), "Whoever sees a higher term adopts it.", "§5.1"
        )
    if not old.is_leader or m.term < old.current_term:
        return Sentence(f"{m.src}'s answer comes too late; {m.dst} ignores it.", "Old answers do not count.", "§5.1")
    return Sentence(f"{m.dst} learns that {m.src} has everything up to entry {m.match_index}.", "", "§7")


def _told_to_take_over(m: TimeoutNow, old: State, new: State) -> Sentence:
    rule = "Who is told to take over starts an election at once, and is listened to even where a leader is alive."
    if new.current_term > max(old.current_term, m.term):
        won = ", and wins it alone" if new.is_leader else ""
        return Sentence(
            f"{m.src} asks {m.dst} to take over: it starts an election for term {new.current_term}{won}.",
            rule,
            "dissertation 3.10",
        )
    return Sentence(f"{m.dst} does not take over: it is in term {new.current_term}.", rule, "dissertation 3.10")


def _delivered(before: World, message: Message, done: Transition) -> Sentence:
    old, new = before.servers[message.dst], done.world.servers[message.dst]
    if old is new and not done.sent and isinstance(message, RequestVote):
        why = "leads" if old.is_leader else "has heard from a leader just now"
        return Sentence(
            f"{message.dst} {why} and does not even listen to {message.src}.",
            "Within the shortest election timeout of hearing from a leader, requests for votes are ignored.",
            "§6",
        )
    match message:
        case RequestVote():
            return _vote_requested(message, old, new, done)
        case RequestVoteReply():
            return _vote_answered(message, old, new)
        case AppendEntries():
            return _entries_arrived(message, old, new, done)
        case AppendEntriesReply():
            return _entries_answered(message, old, new)
        case PreVote():
            return _pre_vote_requested(message, old, done)
        case PreVoteReply():
            return _pre_vote_answered(message, old, new)
        case InstallSnapshot():
            return _snapshot_arrived(message, old, new)
        case InstallSnapshotReply():
            return _snapshot_answered(message, old, new)
        case TimeoutNow():
            return _told_to_take_over(message, old, new)


def _said(old: State, new: State, done: Transition) -> tuple[Message, ...]:
    """What a server has answered, also if the answer waits for its disk."""
    return (*done.sent, *new.waiting[len(old.waiting) :])


def _vote_requested(m: RequestVote, old: State, new: State, done: Transition) -> Sentence:
    granted = any(isinstance(said, RequestVoteReply) and said.vote_granted for said in _said(old, new, done))
    seen = _newer_term(old, new)
    if granted:
        again = " again" if old.voted_for == m.src and old.current_term == m.term else ""
        return Sentence(
            f"{seen}{m.dst} gives its vote of term {m.term} to {m.src}{again}.",
            "A server votes once in a term, for the first who asks and whose log is at least as up-to-date as its own.",
            "§5.2, §5.4.1",
        )
    if m.term < old.current_term:
        return Sentence(
            f"{m.dst} refuses {m.src}: the request is of term {m.term}, and {m.dst} is in term {old.current_term}.",
            "A request with an old term is refused; the answer carries the newer term.",
            "§5.1",
        )
    if new.voted_for not in (None, m.src):
        whom = "itself" if new.voted_for == m.dst else new.voted_for
        return Sentence(
            f"{seen}{m.dst} refuses {m.src}: in term {m.term} it has voted for {whom} already.",
            "A server votes at most once in a term.",
            "§5.2",
        )
    if (m.last_log_term, m.last_log_index) < (old.log.last_term, old.log.last_index):
        mine = f"entry {old.log.last_index} of term {old.log.last_term}"
        theirs = f"entry {m.last_log_index} of term {m.last_log_term}" if m.last_log_index else "nothing"
        return Sentence(
            f"{seen}{m.dst} refuses {m.src}, whose log ends with {theirs}; its own ends with {mine}, "
            f"so {m.src} is not up-to-date.",
            "Election restriction: the later last term is more up-to-date; with equal terms, the longer log.",
            "§5.4.1",
        )
    return Sentence(f"{seen}{m.dst} does not vote for {m.src} in term {m.term}.", "", "§5.2")


def _vote_answered(m: RequestVoteReply, old: State, new: State) -> Sentence:
    if seen := _newer_term(old, new):
        return Sentence(
            f"An answer from {m.src} arrives. {seen}".rstrip(),
            "Whoever sees a higher term adopts it and becomes a follower.",
            "§5.1",
        )
    if m.term < old.current_term and new == old:
        return Sentence(
            f"{m.src}'s answer is of the old term {m.term}; {m.dst} ignores it.", "Old answers do not count.", "§5.1"
        )
    said = f"{m.src}'s vote reaches {m.dst}" if m.vote_granted else f"{m.dst} learns that {m.src} refuses"
    if m.term < old.current_term:
        said = f"{m.src}'s answer is of the old term {m.term}, and {m.dst} takes it for one of term {old.current_term}"
    if new.is_leader and new.role != old.role:
        return Sentence(
            f"{said}{_by_what(m, old)} {m.dst} becomes leader of term {new.current_term}, appends a no-op and sends "
            "it to all.",
            "A candidate that has votes from a majority becomes leader.",
            "§5.2",
        )
    if isinstance(new.role, Candidate):
        counts = [
            f"{len(new.role.votes & half)} of the {len(half) // 2 + 1} votes it needs"
            for half in (new.configuration.voters, new.configuration.old)
            if half
        ]
        joint = " in the new configuration, and in the old one " if len(counts) > 1 else ""
        return Sentence(f"{said}: {joint.join(counts)}.", "Votes from a majority of the servers win.", "§5.2")
    return Sentence(f"{said}, but {m.dst} is no longer a candidate.", "Only candidates count votes.", "§5.2")


def _by_what(m: RequestVoteReply, old: State) -> str:
    """Whether the votes that a new leader has are a majority: the middle of a sentence."""
    if old.is_leader:
        return f". It leads already, and begins anew: {m.dst} has forgotten what it knew of the others."
    votes = old.role.votes if isinstance(old.role, Candidate) else frozenset[str]()
    if m.vote_granted and m.term == old.current_term:
        votes |= {m.src}
    if old.configuration.has_quorum(votes):
        return ": a majority."
    if len(votes) == 1:
        return f". It has {'its own' if old.id in votes else 'one'} vote, which is no majority, and yet"
    return f". It has the votes of {names(sorted(votes)) or 'nobody'}, which are no majority, and yet"


def _entries_arrived(m: AppendEntries, old: State, new: State, done: Transition) -> Sentence:
    seen = _newer_term(old, new)
    if m.term < old.current_term and new == old:
        return Sentence(
            f"{m.dst} is in term {old.current_term} and refuses {m.src}, whose term {m.term} is over.",
            "A request with an old term is refused; the answer carries the newer term.",
            "§5.1",
        )
    if m.term < old.current_term:
        seen = f"{m.src}'s term {m.term} is over, and {m.dst}, in term {old.current_term}, listens to it all the same. "
    if any(isinstance(said, AppendEntriesReply) and not said.success for said in _said(old, new, done)):
        if old.log.matches(m.prev_log_index, m.prev_log_term):
            return Sentence(
                f"{seen}{m.dst} refuses what {m.src} sends after entry {m.prev_log_index}, though its log fits there.",
                "Consistency check: entries are accepted only if the log matches right before them.",
                "§5.3",
            )
        has = (
            f"its log ends at {old.log.last_index}"
            if m.prev_log_index > old.log.last_index
            else f"its entry {m.prev_log_index} is of another term"
        )
        return Sentence(
            f"{seen}{m.dst} cannot place what {m.src} sends after entry {m.prev_log_index} of term "
            f"{m.prev_log_term}: {has}. It refuses.",
            "Consistency check: entries are accepted only if the log matches right before them.",
            "§5.3",
        )
    told = ""
    if isinstance(old.role, Candidate) and not seen:
        told = f" {m.dst} gives up its own candidacy."
    if new.log is not old.log:
        kept = _common(old, new)
        gone = old.log.last_index - kept
        replaced = f", replacing {entries_text(gone)} that conflicted" if gone else ""
        text = f"{m.dst} stores {entries_text(new.log.last_index - kept)} from {m.src}{replaced}"
        rule, section = "Entries are appended where the log matches right before them.", "§5.3"
        if gone:
            rule = "An entry that conflicts is deleted with all that follow it; new ones are appended."
    elif m.entries:
        text = f"{m.dst} has these entries from {m.src} already"
        rule, section = "Nothing is deleted unless it conflicts: the request may be an old or repeated one.", "§5.3"
    else:
        text = f"{m.dst} hears {m.src}'s heartbeat and starts its election timer anew"
        rule, section = "A follower stays one as long as it hears from a leader.", "§5.2"
    committed = ""
    if new.commit_index > old.commit_index:
        verb = "learns that" if new.commit_index <= m.leader_commit else "believes, though nobody has said so, that"
        committed = f"; it {verb} all up to {new.commit_index} is committed"
        if not m.entries:
            rule, section = "Followers learn what is committed from the leader's next message.", "§5.3"
    return Sentence(f"{seen}{text}{committed}.{told}", rule, section)


def _common(old: State, new: State) -> int:
    """The last index at which both logs still agree."""
    index = min(old.log.last_index, new.log.last_index)
    while index >= new.log.first_index and not new.log.same_prefix(old.log, index):
        index -= 1
    return index


def _entries_answered(m: AppendEntriesReply, old: State, new: State) -> Sentence:
    if seen := _newer_term(old, new):
        return Sentence(
            f"An answer from {m.src} arrives. {seen}".rstrip(),
            "Whoever sees a higher term adopts it and becomes a follower.",
            "§5.1",
        )
    if (not old.is_leader or m.term < old.current_term) and new == old:
        return Sentence(
            f"{m.src}'s answer of term {m.term} comes too late; {m.dst} ignores it.",
            "Old answers do not count.",
            "§5.1",
        )
    if not old.is_leader or m.term < old.current_term:
        return Sentence(
            f"{m.src}'s answer of term {m.term} comes too late, and {m.dst} acts on it all the same.",
            "Old answers do not count.",
            "§5.1",
        )
    if not m.success:
        if old.role == new.role:
            return Sentence(
                f"{m.dst} has dealt with this refusal by {m.src} before.", "Old answers do not count.", "§5.3"
            )
        assert isinstance(new.role, Leader)
        back = new.role.progress[m.src].next_index
        return Sentence(
            f"{m.src} refused, so {m.dst} goes back and tries again from entry {back}.",
            "After a refusal the leader lowers nextIndex and sends again.",
            "§5.3",
        )
    if new.commit_index > old.commit_index:
        which = (
            f"entry {new.commit_index}"
            if new.commit_index == old.commit_index + 1
            else f"entries {old.commit_index + 1} to {new.commit_index}"
        )
        verb = "is" if new.commit_index == old.commit_index + 1 else "are"
        return Sentence(
            f"{m.src} has stored all up to {m.match_index}. {_by_whom(m, old, new, which, verb)}",
            "An entry of the leader's own term is committed once a majority stores it, and with it all before.",
            "§5.3, §5.4.2",
        )
    held = [name for name in new.configuration.members if _match(new, name) >= m.match_index]
    if m.match_index > new.commit_index and new.configuration.has_quorum(held):
        return Sentence(
            f"{m.src} has stored all up to {m.match_index}, and so has a majority; but that entry is of term "
            f"{new.log.term(m.match_index)}, so {m.dst} may not commit it by counting.",
            "Only entries of the leader's current term are committed by counting replicas.",
            "§5.4.2",
        )
    return Sentence(
        f"{m.dst} learns that {m.src}'s log matches its own up to entry {m.match_index}.",
        "The leader keeps matchIndex for every follower.",
        "§5.3",
    )


def _by_whom(m: AppendEntriesReply, old: State, new: State, which: str, verb: str) -> str:
    """Whether what a leader commits may be committed: a sentence."""
    commit = new.commit_index
    upto = {name: max(_match(old, name), m.match_index * (name == m.src)) for name in old.configuration.members}
    if not old.configuration.has_quorum([name for name, index in upto.items() if index >= commit]):
        return f"{m.dst} takes {which} for committed, though no majority stores {'it' if verb == 'is' else 'them'}."
    if commit <= old.log.last_index and old.log.term(commit) != old.current_term:
        last = "it" if verb == "is" else "the last of them"
        return f"Now a majority stores {which}; {m.dst} commits by counting, though {last} is of an older term."
    return f"Now a majority stores {which}, which {verb} committed."


def _match(state: State, name: str) -> int:
    if name == state.id:
        return state.log.last_index
    return state.role.progress[name].match_index if isinstance(state.role, Leader) else 0
