"""The puzzles of the lessons."""

from __future__ import annotations

from collections.abc import Callable

from raft_lab.course.puzzles import Milestone, Puzzle, Run
from raft_lab.raft.log import Command
from raft_lab.raft.messages import InstallSnapshot
from raft_lab.raft.state import ReadDone
from raft_lab.sim import stages
from raft_lab.sim.actions import Deliver
from raft_lab.sim.world import World


def _ever(is_so: Callable[[World], bool]) -> Callable[[Run], bool]:
    return lambda run: any(is_so(step.world) for step in run)


def _leaders(world: World) -> list[str]:
    return [name for name, state in world.servers.items() if state.is_leader and name not in world.crashed]


def _holders(world: World, index: int, term: int) -> set[str]:
    """Who stores the entry with this index and term."""
    logs = ((name, state.log) for name, state in world.servers.items())
    return {name for name, log in logs if log.first_index <= index <= log.last_index and log.term(index) == term}


# --- Lesson 01 ---------------------------------------------------------------------------------------

TWO_LEADERS = Puzzle(
    task="S1 leads. Bring it about that a second server believes that it leads, too.",
    begin=stages.led,
    milestones=(Milestone("Two running servers lead, in different terms.", _ever(lambda w: len(_leaders(w)) > 1)),),
    budget=8,
    hint="The old leader must not hear of the new term, and the new one needs three votes.",
)

# --- Lesson 02 ---------------------------------------------------------------------------------------


def _committed_while_down(run: Run) -> bool:
    down_since = [step.world.ghosts.committed.last_index for step in run if len(step.world.crashed) >= 2]
    return bool(down_since) and run[-1].world.ghosts.committed.last_index > down_since[0]


COMMIT_WITH_TWO_DOWN = Puzzle(
    task="Crash two of the five servers. Then have a new command committed.",
    begin=stages.led,
    milestones=(
        Milestone("Two servers are down.", _ever(lambda w: len(w.crashed) >= 2)),
        Milestone("An entry is committed that was not when they went down.", _committed_while_down),
    ),
    budget=8,
    hint="The leader and two followers are enough.",
)


def _on_majority(world: World) -> bool:
    return len(_holders(world, 2, 2)) >= 3


def _overwritten(run: Run) -> bool:
    holders: set[str] = set()
    for step in run:
        holders |= _holders(step.world, 2, 2) if _on_majority(step.world) else set()
        logs = (step.world.servers[name].log for name in sorted(holders))
        if any(log.last_index >= 2 and log.term(2) != 2 for log in logs):
            return True
    return False


def _new_leader_lacks_it(run: Run) -> bool:
    since = next((n for n, step in enumerate(run) if _on_majority(step.world)), len(run))
    return any(
        step.world.servers[name].log.last_index >= 2 and step.world.servers[name].log.term(2) != 2
        for step in run[since:]
        for name in _leaders(step.world)
    )


FIGURE_8 = Puzzle(
    task="Get entry 2 of term 2 stored on a majority. Then have it overwritten.",
    begin=stages.figure_8,
    milestones=(
        Milestone("Entry 2 of term 2 is on three servers.", _ever(_on_majority)),
        Milestone("After that, a server leads that holds another entry 2.", _new_leader_lacks_it),
        Milestone("A server that stored it holds another entry 2 now.", _overwritten),
    ),
    budget=20,
    hint="S1 helps S3 to the entry, and crashes before its entry 3 gets there. Then S5 comes back: who votes for it?",
)

# --- Lesson 03 ---------------------------------------------------------------------------------------


def _snapshot_arrived(run: Run) -> bool:
    return any(isinstance(step.action, Deliver) and isinstance(step.action.message, InstallSnapshot) for step in run)


LEFT_BEHIND = Puzzle(
    task="Bring S3 so far behind that entries cannot help it any more: it must get a snapshot.",
    begin=lambda: stages.led(3),
    milestones=(
        Milestone("The leader has compacted its log.", _ever(lambda w: w.servers["S1"].log.first_index > 1)),
        Milestone("A snapshot arrives at S3.", _snapshot_arrived),
        Milestone(
            "S3 holds everything that is committed.",
            lambda run: (
                _snapshot_arrived(run)
                and run[-1].world.servers["S3"].commit_index == run[-1].world.ghosts.committed.last_index
            ),
        ),
    ),
    budget=10,
    hint="While S3 is away, the others commit something and the leader compacts it. Then S3 comes back.",
)

# --- Lesson 04 ---------------------------------------------------------------------------------------

_NEW_HOUSE = frozenset({"S4", "S5", "S6"})


def _moved(world: World) -> bool:
    committed = world.ghosts.committed
    now = committed.configuration_at(committed.last_index)
    return now.voters == _NEW_HOUSE and not now.is_joint


def _goes_on_alone(run: Run) -> bool:
    world = run[-1].world
    alone = next(
        (s.world.ghosts.committed for s in run if _moved(s.world) and s.world.crashed >= {"S1", "S2", "S3"}), None
    )
    if alone is None or world.ghosts.committed.last_index <= alone.last_index:
        return False
    return any(isinstance(entry.value, Command) for entry in world.ghosts.committed.after(alone.last_index))


MOVE_HOUSE = Puzzle(
    task="Move the cluster from S1, S2, S3 to S4, S5, S6. Then switch the old servers off: x must still be there.",
    begin=stages.before_the_move,
    milestones=(
        Milestone(
            "S4, S5 and S6 are learners.", _ever(lambda w: w.ghosts.committed.configuration.learners >= _NEW_HOUSE)
        ),
        Milestone("The configuration S4, S5, S6 is committed.", _ever(_moved)),
        Milestone("S1, S2 and S3 are down, and a new command is committed without them.", _goes_on_alone),
        Milestone(
            "x is still 1.",
            lambda run: run[-1].world.ghosts.machine(run[-1].world.ghosts.committed.last_index).data.get("x") == "1",
        ),
    ),
    budget=12,
    hint="Learners first, and let the clock run until they have caught up. Then one change of the voters. "
    "reconfigure(learners=…), reconfigure(voters=…), or click the leader.",
)

# --- Lesson 05 ---------------------------------------------------------------------------------------


def _new_value_committed(run: Run) -> bool:
    ghosts = run[-1].world.ghosts
    return ghosts.machine(ghosts.committed.last_index).data.get("x") not in (None, "old")


def _stale_answer(run: Run) -> bool:
    for end, step in enumerate(run, start=1):
        reads = [answer for answer in step.transition.answers if isinstance(answer, ReadDone)]
        if any(read.data.get("x") == "old" for read in reads) and _new_value_committed(run[: end - 1]):
            return True
    return False


STALE_READ = Puzzle(
    task="x is old. Have another value of x committed, and after that get a client the answer “old”.",
    begin=stages.x_is_old,
    milestones=(
        Milestone("Another value of x is committed.", _new_value_committed),
        Milestone("After that, a read is answered with the old one.", _stale_answer),
    ),
    budget=20,
    hint="Cut the leader off, let the others elect a new one, and ask the old one for what it has (a local read).",
)
