"""Lesson 02's exercises: what a follower does with an AppendEntries, and what a leader commits."""

from __future__ import annotations

from raft_lab.check.explore import Bounds
from raft_lab.course.exercises import SITUATIONS, Exercise, Verdict
from raft_lab.course.printing import prints_little
from raft_lab.raft.messages import AppendEntries, AppendEntriesReply
from raft_lab.raft.rules import with_rules
from raft_lab.raft.server import Server
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage


def _conflict(server: type[Server]) -> Cluster:
    """S2 holds entries of term 2 that the leader of term 4 does not."""
    cluster = stages.log_conflict()
    cluster.swap(server)
    return cluster


def _repeated(server: type[Server]) -> Cluster:
    """A request with one entry is on its way twice, when the leader has a second entry to send."""
    cluster = Cluster(3, seed=1)
    Stage(cluster).elect("S1", "S2")
    cluster.drop("S1", "S3", "RequestVote")
    cluster.drop("S1", "S3")
    first = cluster.messages[0]
    cluster.duplicate(first)
    Stage(cluster).ask("S1", "S2")
    cluster.propose("set x 1", "S1")
    cluster.drop("S1", "S3")
    cluster.swap(server)
    return cluster


APPEND_ENTRIES = Exercise(
    ("on_append_entries", "store_entries", "log_matches", "conflicts", "known_match"),
    ("AppendEntries",),
    (
        (_conflict, Bounds(term=4, states=3_000)),
        (lambda server: Cluster(3, server=server), Bounds(term=1, commands=1, messages=4, states=3_000)),
        (_repeated, Bounds(term=1, states=3_000)),
    ),
)


# --- The commit rule ---------------------------------------------------------------------------------


def _figure_8(server: type[Server]) -> Cluster:
    """Figure 8 among three: S1 leads term 4, and S2 is about to get its entry of term 2."""
    cluster = stages.figure_8_of_three()
    cluster.swap(with_rules(server, "one entry a message"))
    return cluster


def _two_commands(server: type[Server]) -> Cluster:
    """S1 leads five servers; its two commands are on their way to S2, and the first of them to S3."""
    cluster = stages.two_commands_on_their_way()
    cluster.swap(server)
    return cluster


ADVANCE_COMMIT_INDEX = Exercise(
    ("advance_commit_index", "may_commit"),
    ("AppendEntriesReply", "HeartbeatTimeout", "ClientRequest"),
    (
        (_figure_8, Bounds(term=5, states=4_000)),
        (_two_commands, Bounds(term=1, states=2_000)),
        (lambda server: Cluster(3, server=server), Bounds(term=1, commands=1, states=3_000)),
    ),
    source="Figure 2, rules for leaders,",
)


# --- Going back --------------------------------------------------------------------------------------

_PAIRS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((1, 2), (1,)),
    ((1, 1, 1, 3), (1, 2, 2, 2)),
    ((1, 1, 3, 3, 3, 3), (1, 1, 2, 2, 2, 2)),
    ((1, 1, 1, 1, 4), (1, 1, 2, 2, 3, 3)),
    ((1, 4, 4, 4, 4, 4), (1, 1, 1, 1)),
    ((1, 1, 1, 4, 4, 5, 5, 6, 6, 6), (1, 1, 1, 4, 4, 4, 4)),
    ((1, 1, 1, 4, 4, 5, 5, 6, 6, 6), (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3)),
    ((1,) * 20 + (4,), (1,) * 8),
    ((1,) * 4 + (2,) * 4 + (3,) * 4 + (4,) * 4 + (5,) * 4 + (9,), (1,) * 4 + (2,) * 4 + (3,) * 4 + (4,) * 4 + (6,) * 3),
    ((1,) * 20 + (4,), (1,) * 4 + (2,) * 8 + (3,) * 8),
)
"""Terms of the leader's log and of a follower's, some from the paper's Figure 7."""


def _led_by(server: type[Server], leader: tuple[int, ...], follower: tuple[int, ...]) -> Cluster:
    """S1 leads with S3's vote; its first AppendEntries is on its way to S2."""
    logs = {name: [(term, f"{term}.{n}") for n, term in enumerate(terms)] for name, terms in
            (("S1", leader), ("S2", follower), ("S3", leader[:1]))}  # fmt: skip
    cluster = Cluster(3, logs=logs)
    Stage(cluster).elect("S1", "S3")
    Stage(cluster).lose_to("S3")
    cluster.drop("S1", "S2", "RequestVote")
    cluster.swap(server)
    return cluster


class BackUp(Exercise):
    """Go back to where two logs agree, by whole terms (end of section 5.3)."""

    @prints_little
    def check(self, answer: type[Server], *, seed: int = 0) -> Verdict:
        """Say whether `answer` is right as any exercise's is, and goes back fast enough; `seed` chooses the walks."""
        verdict = super().check(answer, seed=seed)
        if not verdict.passed:
            return verdict
        for number, (leader, follower) in enumerate(_PAIRS, start=1):
            if slow := _slow(_led_by(answer, leader, follower), leader, follower):
                terms = " ".join(map(str, leader)), " ".join(map(str, follower))
                logs = "The leader's log has terms {}, the follower's {}.".format(*terms)
                return Verdict(False, slow, looked=logs, layer=SITUATIONS, states=number)
        return verdict


def _slow(cluster: Cluster, leader: tuple[int, ...], follower: tuple[int, ...]) -> str:
    """What is too slow or too much in bringing S2's log up to date, or ''."""
    ends = min(len(leader), len(follower))
    common = next((n for n in range(ends) if leader[n] != follower[n]), ends)
    enough = len(set(follower[common:])) + 1 + (len(follower) < len(leader))
    refusals, prev = 0, -1
    while prev < 0:
        request = next((m for m in cluster.messages if isinstance(m, AppendEntries) and m.dst == "S2"), None)
        if request is None or refusals > len(leader):
            return "With your methods S2 never gets what it lacks."
        cluster.deliver(request)
        reply = next(m for m in cluster.messages if isinstance(m, AppendEntriesReply) and m.src == "S2")
        if reply.success:
            prev = request.prev_log_index
        else:
            refusals += 1
            cluster.deliver(reply)
    if refusals > enough:
        return f"It works, but S2 refuses {refusals} times before something fits. {enough} are enough (end of §5.3)."
    again, term = common - prev, follower[:common].count(follower[common - 1]) if common else 0
    if again > term:
        return (
            f"It works, but the leader sends {again} entries that S2 has already. Going back by one term at a time, "
            f"it would be at most {term} (end of §5.3)."
        )
    return ""


BACK_UP = BackUp(
    ("refuse_entries", "retry_from"),
    ("AppendEntries", "AppendEntriesReply"),
    (
        (_conflict, Bounds(term=4, states=3_000)),
        (lambda server: Cluster(3, server=server), Bounds(term=1, commands=1, messages=4, states=2_000)),
    ),
    source="the end of §5.3",
)
