"""Lesson 04's exercises: what a quorum is while the members change, and how a change comes to its end."""

from __future__ import annotations

from itertools import combinations

from raft_lab.check.differences import Difference
from raft_lab.check.explore import Bounds
from raft_lab.check.standing import FIVE, FOUR, JOINT, LISTENED_TO, THREE, standing
from raft_lab.course.exercises import Exercise, Goal
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.membership import Configuration
from raft_lab.raft.server import Server
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage
from raft_lab.sim.world import World


def _two_elections(server: type[Server]) -> Cluster:
    """In the middle of a change, on either side of a wall, S2 and S4 want to lead term 2."""
    cluster = stages.half_joint(server)
    cluster.timeout("S2")
    cluster.timeout("S4")
    return cluster


_CONFIGURATIONS = (
    Configuration(THREE.voters),
    FOUR,
    FIVE,
    LISTENED_TO,
    JOINT,
    Configuration(frozenset({"S2", "S3"}), THREE.voters),
    Configuration(frozenset({"S1", "S2", "S3", "S4"}), frozenset({"S1", "S2"}), frozenset({"S5"})),
)


class Quorum(Exercise):
    """Say what a quorum is: besides all else, of every set of servers."""

    def compared(self, answer: type[Server]) -> Difference | None:
        """The smallest set of servers of which the answer is another one, or what any exercise finds."""
        tried = 0
        for configuration in _CONFIGURATIONS:
            server = answer(standing(1, configuration=configuration))
            for size in range(len(configuration.members) + 1):
                for agreed in combinations(configuration.members, size):
                    tried += 1
                    right, found = configuration.has_quorum(agreed), _asked(server, frozenset(agreed))
                    if bool(found) != right:
                        names = ", ".join(agreed) or "nobody"
                        scene = f"The configuration is {configuration}, S1 is asked, and {names} agree."
                        said = {True: "are", False: "are not"}
                        return Difference(
                            scene,
                            f"These {said[right]} a quorum;",
                            f"yours says that they {said[not right]}.",
                            "A majority of the voters; in a joint configuration, one of each half (§6).",
                            "quorum",
                            tried=tried,
                        )
        return super().compared(answer)


def _asked(server: Server, agreed: frozenset[str]) -> bool:
    try:
        return server.has_quorum(agreed)
    except HandlerError:
        raise
    except Exception as error:
        raise HandlerError(f"{type(server).__name__} failed on S1: {type(error).__name__}: {error}") from error


HAS_QUORUM = Quorum(
    ("has_quorum",),
    ("RequestVoteReply",),
    ((_two_elections, Bounds(term=2, messages=14, states=3_000)),),
    source="§6",
)


# --- Leaving the joint configuration -----------------------------------------------------------------


def _leader_lost(server: type[Server]) -> Cluster:
    """C_old,new is on S1 and S2 and not committed; S1, who led, has crashed and come back."""
    cluster = stages.led(3)
    cluster.reconfigure(voters={"S1", "S2"}, server="S1")
    Stage(cluster).deliver("S1", "S2", "AppendEntries").lose_all()
    cluster.crash("S1")
    cluster.restart("S1")
    cluster.swap(server)
    return cluster


def _just_begun(server: type[Server]) -> Cluster:
    """S1 leads and has just written C_old,new, in which it is not among the new ones; S4 is to listen on."""
    cluster = stages.led(3)
    cluster.reconfigure(learners={"S4"}, server="S1")
    cluster.deliver_all()
    cluster.reconfigure(voters={"S2", "S3"}, learners={"S4"}, server="S1")
    Stage(cluster).lose_to("S4")
    cluster.swap(server)
    return cluster


def _something_before_it(server: type[Server]) -> Cluster:
    """S1 has written a command and, after it, C_old,new; the command alone is on its way to S2."""
    cluster = stages.led(3)
    cluster.propose("set x 1", "S1")
    cluster.drop("S1", "S3")
    cluster.reconfigure(voters={"S1", "S2"}, server="S1")
    for message in cluster.messages[1:]:
        cluster.drop(message)
    cluster.swap(server)
    return cluster


def _is_over(world: World) -> bool:
    """C_new, alone, is committed."""
    committed = world.ghosts.committed
    return bool(committed.configuration_index) and not committed.configuration.is_joint


LEAVE_JOINT = Exercise(
    ("after_commit",),
    ("AppendEntriesReply",),
    (
        (_just_begun, Bounds(term=1, messages=8, states=2_000)),
        (_something_before_it, Bounds(term=1, heartbeats=1, states=1_000)),
        (_leader_lost, Bounds(term=3, log=5, messages=8, states=4_000)),
    ),
    source="§6",
    goals=(
        Goal("the old servers are never let go", _just_begun, _is_over),
        Goal(
            "after a change of leaders, the joint configuration is never left: the new leader commits it together "
            "with its own first entry, which stands behind it, and whoever leads then must append the new "
            "configuration (§6)",
            _leader_lost,
            _is_over,
        ),
    ),
)
