"""One plain sentence for everything that happens, with the rule behind it and where the paper states it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raft_lab.raft.messages import AppendEntries, AppendEntriesReply, Message, RequestVote, RequestVoteReply
from raft_lab.raft.state import Accepted, Candidate, Follower, Leader, State
from raft_lab.sim.actions import (
    Action,
    Crash,
    Cut,
    Deliver,
    Drop,
    Duplicate,
    Heal,
    Heartbeat,
    Hold,
    Mend,
    Partition,
    Propose,
    Release,
    Restart,
    Swap,
    Timeout,
    Wait,
)
from raft_lab.sim.world import Transition, World, behaviour_name


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
            if m.dst in before.crashed:
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
        case Wait(us):
            return Sentence(f"{us / 1000:.1f} ms pass in which nothing happens.")
        case Swap(behaviour):
            return Sentence(f"From now on every server runs {behaviour_name(behaviour)}.")
    return Sentence(str(action))


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
    return f"{m.src}'s {what} to {m.dst}"


def _vote(state: State) -> str:
    return f"its vote given to {state.voted_for}" if state.voted_for else "no vote given"


def _newer_term(before: State, after: State) -> str:
    if after.current_term == before.current_term:
        return ""
    was = {Leader: "steps down as leader", Candidate: "gives up its election"}.get(type(before.role), "adopts it")
    return f" It sees term {after.current_term}, newer than its own {before.current_term}, and {was}."


def _timed_out(before: State, after: State) -> Sentence:
    if after.is_leader:
        return Sentence(
            f"{after.id}'s election timer runs out; its own vote is a majority, so it leads term {after.current_term}.",
            "A candidate that has votes from a majority becomes leader.",
            "§5.2",
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


def _proposed(before: World, action: Propose, done: Transition) -> Sentence:
    name, op = action.server, action.op
    if isinstance(done.reply, Accepted):
        return Sentence(
            f'A client asks {name} for "{op}": it becomes entry {done.reply.index} of term {done.reply.term} '
            "in the leader's log, not committed yet.",
            "The leader appends the command to its log and sends it to the others.",
            "§5.3",
        )
    leader = before.servers[name].leader_id
    hint = f"it points to {leader}" if leader else "it knows of no leader"
    return Sentence(
        f'A client asks {name} for "{op}", but {name} does not lead: {hint}. Nothing was appended.',
        "Clients talk to the leader; any other server turns them away, with the leader's name if it knows it.",
        "§8",
    )


def _delivered(before: World, message: Message, done: Transition) -> Sentence:
    old, new = before.servers[message.dst], done.world.servers[message.dst]
    match message:
        case RequestVote():
            return _vote_requested(message, old, new, done)
        case RequestVoteReply():
            return _vote_answered(message, old, new)
        case AppendEntries():
            return _entries_arrived(message, old, new, done)
        case AppendEntriesReply():
            return _entries_answered(message, old, new)


def _vote_requested(m: RequestVote, old: State, new: State, done: Transition) -> Sentence:
    granted = any(isinstance(sent, RequestVoteReply) and sent.vote_granted for sent in done.sent)
    seen = _newer_term(old, new)
    if granted:
        again = " again" if old.voted_for == m.src and old.current_term == m.term else ""
        return Sentence(
            f"{m.dst} gives its vote of term {m.term} to {m.src}{again}.{seen}",
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
            f"{m.dst} refuses {m.src}: in term {m.term} it has voted for {whom} already.{seen}",
            "A server votes at most once in a term.",
            "§5.2",
        )
    if (m.last_log_term, m.last_log_index) < (old.log.last_term, old.log.last_index):
        mine = f"entry {old.log.last_index} of term {old.log.last_term}"
        theirs = f"entry {m.last_log_index} of term {m.last_log_term}" if m.last_log_index else "nothing"
        return Sentence(
            f"{m.dst} refuses {m.src}, whose log ends with {theirs}; its own ends with {mine}, "
            f"so {m.src} is not up-to-date.{seen}",
            "Election restriction: the later last term is more up-to-date; with equal terms, the longer log.",
            "§5.4.1",
        )
    return Sentence(f"{m.dst} does not vote for {m.src} in term {m.term}.{seen}", "", "§5.2")


def _vote_answered(m: RequestVoteReply, old: State, new: State) -> Sentence:
    if seen := _newer_term(old, new):
        return Sentence(
            f"{m.dst} hears from {m.src}.{seen}",
            "Whoever sees a higher term adopts it and becomes a follower.",
            "§5.1",
        )
    if m.term < old.current_term:
        return Sentence(
            f"{m.src}'s answer is of the old term {m.term}; {m.dst} ignores it.", "Old answers do not count.", "§5.1"
        )
    said = f"{m.src}'s vote reaches {m.dst}" if m.vote_granted else f"{m.dst} learns that {m.src} refuses"
    if new.is_leader and not old.is_leader:
        return Sentence(
            f"{said}: a majority. {m.dst} becomes leader of term {m.term}, appends a no-op and sends it to all.",
            "A candidate that has votes from a majority becomes leader.",
            "§5.2",
        )
    if isinstance(new.role, Candidate):
        have = len(new.role.votes)
        need = len(new.configuration.voters) // 2 + 1
        return Sentence(
            f"{said}: {have} of the {need} votes it needs.", "Votes from a majority of the servers win.", "§5.2"
        )
    return Sentence(f"{said}, but {m.dst} is no longer a candidate.", "Only candidates count votes.", "§5.2")


def _entries_arrived(m: AppendEntries, old: State, new: State, done: Transition) -> Sentence:
    seen = _newer_term(old, new)
    if m.term < old.current_term:
        return Sentence(
            f"{m.dst} is in term {old.current_term} and refuses {m.src}, whose term {m.term} is over.",
            "A request with an old term is refused; the answer carries the newer term.",
            "§5.1",
        )
    if any(isinstance(sent, AppendEntriesReply) and not sent.success for sent in done.sent):
        has = (
            f"its log ends at {old.log.last_index}"
            if m.prev_log_index > old.log.last_index
            else f"its entry {m.prev_log_index} is of another term"
        )
        return Sentence(
            f"{m.dst} cannot place what {m.src} sends after entry {m.prev_log_index} of term {m.prev_log_term}: "
            f"{has}. It refuses.{seen}",
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
        rule, section = "An entry that conflicts is deleted with all that follow it; new ones are appended.", "§5.3"
    elif m.entries:
        text = f"{m.dst} has these entries from {m.src} already"
        rule, section = "Nothing is deleted unless it conflicts: the request may be an old or repeated one.", "§5.3"
    else:
        text = f"{m.dst} hears {m.src}'s heartbeat and starts its election timer anew"
        rule, section = "A follower stays one as long as it hears from a leader.", "§5.2"
    committed = ""
    if new.commit_index > old.commit_index:
        committed = f"; it learns that all up to {new.commit_index} is committed"
        if not m.entries:
            rule, section = "Followers learn what is committed from the leader's next message.", "§5.3"
    return Sentence(f"{text}{committed}.{told}{seen}", rule, section)


def _common(old: State, new: State) -> int:
    """The last index at which both logs still agree."""
    index = min(old.log.last_index, new.log.last_index)
    while index >= new.log.first_index and not new.log.same_prefix(old.log, index):
        index -= 1
    return index


def _entries_answered(m: AppendEntriesReply, old: State, new: State) -> Sentence:
    if seen := _newer_term(old, new):
        return Sentence(
            f"{m.dst} hears from {m.src}.{seen}",
            "Whoever sees a higher term adopts it and becomes a follower.",
            "§5.1",
        )
    if not old.is_leader or m.term < old.current_term:
        return Sentence(
            f"{m.src}'s answer of term {m.term} comes too late; {m.dst} ignores it.",
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
            f"{m.src} has stored all up to {m.match_index}. Now a majority stores {which}, which {verb} committed.",
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


def _match(state: State, name: str) -> int:
    if name == state.id:
        return state.log.last_index
    return state.role.progress[name].match_index if isinstance(state.role, Leader) else 0
