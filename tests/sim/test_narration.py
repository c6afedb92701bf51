"""Whatever happens is told in a plain sentence."""

import re
from dataclasses import replace

import pytest

from raft_lab import Candidate, Cluster, Leader, Server
from raft_lab.check.mixes import MIXES
from raft_lab.check.walk import Walk
from raft_lab.sim.actions import Hold, Release, Swap, enabled
from raft_lab.sim.narrator import message_text, narrate

PLACE = r"(§[\d.]+|Figure \d+|dissertation [\d.]+)"


def well_said(text: str) -> None:
    assert text.strip() == text
    assert text[-1] in ".!?"
    assert "None" not in text
    assert not re.search(r"[<>\[\]_]|  |\.\.|frozenset|Follower\(|object at", text), text


@pytest.mark.parametrize("seed", range(30))
def test_every_action_of_a_long_run_is_told(seed):
    walk = Walk(f"told {seed}")
    for before, action, done in walk.steps(300):
        sentence = narrate(before, action, done)
        well_said(sentence.text)
        assert sentence.text[0].isupper()
        if sentence.rule:
            well_said(sentence.rule)
        if sentence.section:
            assert re.fullmatch(rf"{PLACE}(, {PLACE})*", sentence.section)


@pytest.mark.parametrize("seed", range(5))
def test_every_action_that_is_possible_can_be_told(seed):
    walk = Walk(f"possible {seed}")
    for _ in walk.steps(150):
        pass
    world = walk.world
    for action in [*enabled(world), Swap(Server), *(kind(m) for m in world.network for kind in (Hold, Release))]:
        well_said(narrate(world, action, action.perform(world)).text)


def test_every_message_can_be_told():
    walk = Walk("messages", mix=MIXES["plain"])
    told = set()
    for _ in walk.steps(400):
        told |= {(type(m).__name__, message_text(m)) for m in walk.world.network}
    assert {"RequestVote", "RequestVoteReply", "AppendEntries", "AppendEntriesReply"} <= {kind for kind, _ in told}
    assert all(text.startswith(kind.removesuffix("Reply")) and "None" not in text for kind, text in told)


def tell(*calls, servers=3, **options) -> str:
    cluster = Cluster(servers, **options)
    for call in calls:
        call(cluster)
    return str(cluster.now.sentence)


def elect(cluster):
    cluster.timeout("S1")
    cluster.deliver_all()


STORIES = {
    "S1 answers a read at once with what it has, x = 1, which may be stale": [
        elect,
        lambda c: c.propose("set x 1"),
        lambda c: c.deliver_all(),
        lambda c: c.read("S1", how="local"),
    ],
    "S1 has heard of no leader and starts an election for term 1": [lambda c: c.timeout("S1")],
    "S1 has not won term 1 in time and tries again in term 2": [lambda c: c.timeout("S1"), lambda c: c.timeout("S1")],
    "S2 has not heard from a leader in time and starts an election for term 2": [elect, lambda c: c.timeout("S2")],
    "S2 gives its vote of term 1 to S1": [lambda c: c.timeout("S1"), lambda c: c.deliver("S1", "S2")],
    "S2 gives its vote of term 1 to S1 again": [
        lambda c: c.timeout("S1"),
        lambda c: c.duplicate("S1", "S2"),
        lambda c: c.deliver("S1", "S2"),
        lambda c: c.deliver("S1", "S2"),
    ],
    "S2 refuses S1: in term 1 it has voted for itself already": [
        lambda c: c.timeout("S1"),
        lambda c: c.timeout("S2"),
        lambda c: c.deliver("S1", "S2"),
    ],
    "S2 refuses S1: the request is of term 1, and S2 is in term 2": [
        lambda c: c.timeout("S1"),
        lambda c: c.timeout("S2"),
        lambda c: c.timeout("S2"),
        lambda c: c.deliver("S1", "S2"),
    ],
    "a majority. S1 becomes leader of term 1, appends a no-op": [
        lambda c: c.timeout("S1"),
        lambda c: c.deliver("S1", "S2"),
        lambda c: c.deliver("S2", "S1"),
    ],
    "S3's vote reaches S1, but S1 is no longer a candidate": [
        lambda c: c.timeout("S1"),
        lambda c: c.deliver("S1", "S2"),
        lambda c: c.deliver("S1", "S3"),
        lambda c: c.deliver("S2", "S1"),
        lambda c: c.deliver("S3", "S1"),
    ],
    "S2 stores 1 entry from S1": [elect, lambda c: c.propose("set x 1"), lambda c: c.deliver("S1", "S2")],
    "Now a majority stores entry 2, which is committed": [
        elect,
        lambda c: c.propose("set x 1"),
        lambda c: c.deliver("S1", "S2"),
        lambda c: c.deliver("S2", "S1"),
    ],
    "it learns that all up to 1 is committed": [elect, lambda c: c.heartbeat("S1"), lambda c: c.deliver("S1", "S2")],
    'A client asks S1 for "set x 1": it becomes entry 2 of term 1': [elect, lambda c: c.propose("set x 1")],
    "S2 does not lead: it points to S1": [elect, lambda c: c.propose("set x 1", "S2")],
    "does not lead: it knows of no leader": [lambda c: c.propose("set x 1", "S2")],
    "S1 crashes. Its term, its vote and its log are on disk": [lambda c: c.crash("S1")],
    "S1 restarts as a follower: term 1, its vote given to S1, 1 entry": [
        elect,
        lambda c: c.crash("S1"),
        lambda c: c.restart("S1"),
    ],
    "S1 restarts as a follower: term 0, no vote given, 0 entries": [lambda c: c.crash("S1"), lambda c: c.restart("S1")],
    "S1's vote request to S2 is lost.": [lambda c: c.timeout("S1"), lambda c: c.drop("S1", "S2")],
    "is lost. S2 is down.": [lambda c: c.timeout("S1"), lambda c: c.crash("S2"), lambda c: c.drop("S1", "S2")],
    "is lost. The link from S1 to S2 is cut.": [
        lambda c: c.timeout("S1"),
        lambda c: c.cut("S1", "S2"),
        lambda c: c.drop("S1", "S2"),
    ],
    "S2 still reaches S1": [lambda c: c.cut("S1", "S2")],
    "Now S2 and S1 do not reach each other at all": [lambda c: c.cut("S1", "S2"), lambda c: c.cut("S2", "S1")],
    "falls apart into {S1} and {S2, S3}. Only {S2, S3} has a majority.": [lambda c: c.partition({"S1"})],
    "No side has a majority.": [lambda c: c.partition({"S1"}, {"S2"}, {"S3"})],
    "ms pass in which nothing happens": [lambda c: c.run(1)],
    "S1 sees term 2, newer than its own 1, and steps down as leader": [
        elect,
        lambda c: c.timeout("S2"),
        lambda c: c.deliver("S2", "S1"),
    ],
}


@pytest.mark.parametrize("sentence", STORIES)
def test_it_is_told_what_happened_and_to_whom(sentence):
    assert sentence.lower() in tell(*STORIES[sentence]).lower()


LONG = {"S1": [(1, "a"), (1, "b"), (1, "c")], "S2": [(1, "a"), (2, "no-op")], "S3": [(1, "a")]}


def test_a_vote_refused_for_a_log_says_how_both_logs_end():
    text = tell(lambda c: c.timeout("S1"), lambda c: c.deliver("S1", "S2"), logs=LONG)
    assert "whose log ends with entry 3 of term 1; its own ends with entry 2 of term 2" in text


def test_a_failed_consistency_check_says_why_and_the_retry_from_where():
    def lead(c):
        c.timeout("S2")
        c.deliver("S2", "S3")
        c.deliver("S3", "S2")
        c.deliver("S2", "S1", "AppendEntries")

    assert "its entry 2 is of another term. It refuses." in tell(lead, logs=LONG)
    assert "tries again from entry 2" in tell(lead, lambda c: c.deliver("S1", "S2", "AppendEntriesReply"), logs=LONG)
    healed = tell(
        lead,
        lambda c: c.deliver("S1", "S2", "AppendEntriesReply"),
        lambda c: c.deliver(
            max((m for m in c.messages if m.dst == "S1" and hasattr(m, "entries")), key=lambda m: len(m.entries))
        ),
        logs=LONG,
    )
    assert "S1 stores 2 entries from S2, replacing 2 entries that conflicted" in healed


def test_an_engine_that_does_nothing_is_not_told_as_if_it_did():
    class Idle(Server):
        def on_election_timeout(self):
            pass

        def on_request_vote(self, m):
            pass

    assert "does nothing" in tell(lambda c: c.timeout("S1"), server=Idle)
    asked = tell(lambda c: c.timeout("S1"), lambda c: c.swap(Idle), lambda c: c.deliver("S1", "S2"))
    assert "does not vote for S1" in asked


def test_the_beginning_is_told_too():
    assert str(Cluster(3).now) == "step 0: 3 servers, ready to start."
    assert "All links work again." in tell(lambda c: c.cut("S1", "S2"), lambda c: c.heal())


# --- Servers that do not do what Raft does ------------------------------------------------------------


class CountsAnything(Server):
    """Every answer is a vote, whatever it says and of whatever term it is."""

    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate):
            self.become_leader()


class CommitsWhatItHas(Server):
    """What one follower has stored is committed."""

    def advance_commit_index(self):
        if isinstance(self.role, Leader) and self.log.last_index > self.commit_index:
            self.commit_index = self.log.last_index
            self.apply_committed()


class ForgetsItsVote(Server):
    @classmethod
    def crashed(cls, state):
        return replace(Server.crashed.__func__(cls, state), voted_for=None)


def test_a_vote_that_does_not_count_is_told_as_what_it_is():
    told = tell(
        lambda c: c.timeout("S1"),
        lambda c: c.deliver("S1", "S3"),
        lambda c: c.timeout("S1"),
        lambda c: c.deliver("S3", "S1"),
        server=CountsAnything,
    )
    assert told.startswith("S3's answer is of the old term 1, and S1 takes it for one of term 2.")
    assert "its own vote, which is no majority, and yet S1 becomes leader of term 2" in told


def test_what_no_majority_stores_is_not_told_as_stored_by_one():
    cluster = Cluster(5, seed=1)
    cluster.run_until(leader=True)
    leader, other = cluster.leader, next(n for n in cluster.servers if n != cluster.leader)
    for message in cluster.messages:
        cluster.drop(message)
    cluster.propose("set x 1", leader)
    cluster.swap(CommitsWhatItHas)
    cluster.deliver(leader, other)
    cluster.deliver(other, leader)
    assert "for committed, though no majority stores" in str(cluster.now.sentence)


def test_what_a_crash_takes_is_told():
    told = tell(lambda c: c.timeout("S1"), lambda c: c.crash("S1"), server=ForgetsItsVote)
    assert told == "S1 crashes. Its vote was not on disk, and what it knew of that is lost."
