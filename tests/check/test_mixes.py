"""Long random runs for each mix of features, with a count of what happened: where nothing happens, nothing is proved.

Each run of a mix leaves some of its faults out (swarm testing), has 250 actions and ends with a cluster that is healed
and driven in time, until it leads and commits again. `pytest tests/check/test_mixes.py -rP` shows the counts.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from check.test_random_runs import goes_on
from raft_lab import Candidate, Cluster, InstallSnapshot, Leader, PreVoteReply, RequestVote, Server, with_rules
from raft_lab.check.invariants import broken_by, broken_in
from raft_lab.raft.clients import EXPIRED
from raft_lab.raft.state import Applied, ReadDone
from raft_lab.sim import actions as act
from raft_lab.sim.world import Transition, World
from sim.walks import healed

ACTIONS = 250
RUNS = 200
CHUNKS = 2
FAULTS = ("drop", "duplicate", "crash", "cut", "partition", "timeout")
USUAL = {
    "deliver": 14.0,
    "timeout": 0.8,
    "heartbeat": 1.2,
    "propose": 1.5,
    "drop": 1.0,
    "duplicate": 0.7,
    "crash": 0.35,
    "restart": 0.6,
    "cut": 0.3,
    "partition": 0.15,
    "heal": 0.5,
    "write": 4.0,
    "silence": 0.5,
    "check": 0.5,
    "read": 0.5,
}


@dataclass(frozen=True)
class Mix:
    """Which rules are on, what happens how often beyond what is usual, and what must have happened at least once."""

    rules: tuple[str, ...]
    weights: dict[str, float] = field(default_factory=dict)
    must: tuple[str, ...] = ()


ALWAYS = ("leader elected", "committed", "conflict truncated", "read answered", "crash", "leader deposed")
MIXES = {
    "plain": Mix((), {"timeout": 1.4}, ("read refused",)),
    "small messages": Mix(
        ("one entry a message",),
        {"propose": 3, "compact": 0.8, "crash": 0.5},
        ("majority of an older entry not committed", "snapshot installed", "snapshot ignored", "compacted"),
    ),
    "slow disk": Mix(
        ("slow disk",),
        {"write": 1.6, "crash": 0.9, "restart": 1.4, "compact": 0.4},
        ("disk written", "crash that lost a write", "vote that was lost", "compacted", "answer that waited"),
    ),
    "undisturbed": Mix(
        ("pre-vote", "leader stickiness", "check-quorum"),
        {"silence": 2, "check": 1, "transfer": 0.4, "timeout": 1.5},
        (
            "pre-vote granted",
            "pre-vote refused",
            "pre-vote won",
            "candidate ignored",
            "no quorum: stepped down",
            "quorum: stayed",
            "handed over",
            "transfer given up",
        ),
    ),
    "members": Mix(
        (),
        {
            "boot": 0.3, "learner": 1.2, "joint": 1.0, "single": 0.8, "compact": 0.5, "transfer": 0.2, "heartbeat": 2,
            "partition": 0.3, "timeout": 1.6, "heal": 0.8,
        },
        (
            "booted",
            "learner added",
            "learner promoted",
            "joint entered",
            "joint left",
            "single change",
            "configuration rolled back",
            "change refused",
            "leader left",
            "snapshot installed",
        ),
    ),
    "clients": Mix(
        ("check-quorum",),
        {"session": 3, "read": 3, "compact": 0.6, "heartbeat": 2},
        ("session opened", "duplicate answered", "command of no session", "snapshot installed", "read waited"),
    ),
    "everything": Mix(
        ("pre-vote", "leader stickiness", "check-quorum", "slow disk", "one entry a message"),
        {
            "boot": 0.2, "learner": 0.8, "joint": 0.7, "single": 0.5, "compact": 0.5, "transfer": 0.3, "session": 2.5,
            "silence": 4, "check": 0.3, "timeout": 3, "heartbeat": 2, "write": 20, "deliver": 40, "drop": 0.6,
        },
        (
            "disk written", "crash that lost a write", "pre-vote won", "candidate ignored", "no quorum: stepped down",
            "handed over", "joint entered", "joint left", "learner promoted", "snapshot installed",
            "duplicate answered",
        ),
    ),
}  # fmt: skip


class Run:
    """One random run of a mix."""

    def __init__(self, name: str, seed: int) -> None:
        self.mix = MIXES[name]
        self.rng = random.Random(f"{name} {seed}")
        self.weights = USUAL | self.mix.weights
        for fault in FAULTS:
            if self.rng.random() < 0.4:
                self.weights[fault] *= self.rng.choice((0.0, 0.3))
        self.shuffled = self.rng.choice((0.0, 0.1, 0.6))
        server = with_rules(Server, *self.mix.rules)
        self.world = Cluster(self.rng.choice((1, 3, 3, 3, 4, 5)), server=server).world
        self.count = 0

    def choose(self) -> act.Action | None:
        """What happens next, or None if the dice fell on what is not possible now."""
        rng, world = self.rng, self.world
        names = tuple(world.servers)
        leaders = [s.id for s in world.servers.values() if s.is_leader and s.id not in world.crashed]
        anyone = rng.choice(names)
        leader = rng.choice(leaders) if leaders else anyone
        self.count += 1
        (kind,) = rng.choices(tuple(self.weights), tuple(self.weights.values()))
        if kind in ("deliver", "drop", "duplicate"):
            ready = [m for m in world.network if world.blocked(m) is None or kind != "deliver"]
            if not ready or (kind == "duplicate" and len(world.network) > 40):
                return None
            message = rng.choice(ready) if kind != "deliver" or rng.random() < self.shuffled else ready[0]
            return {"deliver": act.Deliver, "drop": act.Drop, "duplicate": act.Duplicate}[kind](message)
        match kind:
            case "timeout":
                return act.Timeout(anyone)
            case "heartbeat":
                return act.Heartbeat(leader) if len(world.network) < 40 else None
            case "propose":
                return act.Propose(leader, f"add x {self.count % 10}")
            case "session":
                client = rng.choice(("alice", "bob", "carol"))
                seq = self.count // 60 if client != "carol" else 1 + self.count // 60
                return act.Propose(leader, f"add {client} {seq}", client, seq)
            case "read":
                where = leader if rng.random() < 0.8 else anyone
                return act.Read(where, f"r{self.count}", "read-index" if rng.random() < 0.8 else "local")
            case "crash":
                return act.Crash(anyone)
            case "restart":
                return act.Restart(anyone)
            case "cut" if len(names) > 1:
                return act.Cut(*rng.sample(names, 2))
            case "partition" if len(names) > 1:
                side = frozenset(rng.sample(names, rng.randint(1, len(names) - 1)))
                return act.Partition((side, frozenset(names) - side))
            case "heal":
                return act.Heal()
            case "write":
                writing = [name for name in names if world.servers[name].disk is not None]
                return act.WriteDisk(rng.choice(writing)) if writing else None
            case "silence":
                return act.Silence(anyone)
            case "check":
                return act.CheckQuorum(leader)
            case "transfer":
                return act.TransferLeadership(leader, anyone)
            case "compact":
                return act.Compact(leader if rng.random() < 0.6 else anyone)
            case "boot" if len(names) < 7:
                return act.Boot(f"S{len(names) + 1}")
            case "learner" | "joint" | "single":
                return self.change(kind, leader)
        return None

    def change(self, kind: str, leader: str) -> act.Action | None:
        """Another configuration to ask `leader` for."""
        rng, now = self.rng, self.world.servers[leader].configuration
        strangers = sorted(set(self.world.servers) - now.voters - now.old - now.learners)
        ready = sorted(now.voters | now.learners)
        if kind == "learner":
            if not strangers:
                return None
            return act.Reconfigure(leader, now.voters, now.learners | {rng.choice(strangers)})
        if kind == "single":
            voters = now.voters ^ {rng.choice(ready + strangers)}
            return act.Reconfigure(leader, voters, now.learners - voters, single=True) if voters else None
        voters = frozenset(rng.sample(ready, rng.randint(1, len(ready))))
        return act.Reconfigure(leader, voters, (now.learners | now.voters) - voters)

    def go(self, seen: Counter[str]) -> None:
        """Take the run to its end; no action may break anything."""
        while self.count < ACTIONS * 50 and seen["actions"] < ACTIONS:
            action = self.choose()
            if action is None or action.refusal(self.world) is not None:
                continue
            before, done = self.world, action.perform(self.world)
            broken = broken_by(before, action, done)
            assert not broken, f"action {seen['actions']}, {action}: {broken[0]}"
            self.world = done.world
            seen["actions"] += 1
            look(before, action, done, seen)
        broken = broken_in(self.world)
        assert not broken, f"at the end: {broken[0]}"


def look(before: World, action: act.Action, done: Transition, seen: Counter[str]) -> None:
    """Count what has happened."""
    if isinstance(action, act.Boot):
        seen["booted"] += 1
    if not action.actor or action.actor not in before.servers:
        return
    old, new = before.servers[action.actor], done.world.servers[action.actor]
    seen["leader elected"] += new.is_leader and not old.is_leader
    seen["leader deposed"] += old.is_leader and not new.is_leader and new.current_term > old.current_term
    seen["committed"] += new.is_leader and new.commit_index > old.commit_index
    seen["compacted"] += isinstance(action, act.Compact)
    for answer in done.answers:
        seen["read answered"] += isinstance(answer, ReadDone)
        if isinstance(answer, Applied) and answer.command.client:
            known = old.machine.sessions.get(answer.command.client)
            seen["session opened"] += answer.command.seq == 0
            seen["command of no session"] += answer.reply == EXPIRED
            seen["duplicate answered"] += known is not None and 0 < answer.command.seq <= known.seq
    if new.log.last_index < old.log.last_index or not new.log.same_prefix(old.log, old.log.last_index):
        seen["conflict truncated"] += not isinstance(action, act.Crash)
        seen["configuration rolled back"] += (
            not isinstance(action, act.Crash) and new.log.configuration_index < old.log.configuration_index
        )
    match action:
        case act.Read():
            seen["read refused"] += done.reply is not None
            seen["read waited"] += isinstance(new.role, Leader) and any(r.id == action.id for r in new.role.reads)
        case act.Crash():
            seen["crash"] += 1
            seen["crash that lost a write"] += old.disk is not None
            seen["vote that was lost"] += old.disk is not None and old.current_term > new.current_term
        case act.WriteDisk():
            seen["disk written"] += 1
            seen["answer that waited"] += bool(done.sent)
        case act.CheckQuorum():
            seen["no quorum: stepped down" if not new.is_leader else "quorum: stayed"] += 1
            seen["transfer given up"] += old.role.transferee is not None and new.is_leader
        case act.Reconfigure():
            appended = new.log.last_index > old.log.last_index
            seen["change refused"] += not appended
            if appended:
                was, now = old.configuration, new.configuration
                seen["learner added"] += bool(now.learners - was.learners - was.voters)
                seen["learner promoted"] += bool(was.learners & now.voters)
                seen["joint entered"] += now.is_joint
                seen["single change"] += action.single
        case act.Deliver(m):
            seen["joint left"] += new.is_leader and old.configuration.is_joint and not new.configuration.is_joint
            seen["leader left"] += old.is_leader and not new.is_leader and new.current_term == old.current_term
            seen["handed over"] += type(m).__name__ == "TimeoutNow" and isinstance(new.role, Candidate)
            seen["pre-vote won"] += type(m) is PreVoteReply and isinstance(new.role, Candidate) and new is not old
            seen["candidate ignored"] += type(m) is RequestVote and new is old and not done.sent
            for reply in done.sent:
                if type(reply) is PreVoteReply:
                    seen["pre-vote granted" if reply.vote_granted else "pre-vote refused"] += 1
            if type(m) is InstallSnapshot:
                seen["snapshot installed" if new.log.snapshot is not old.log.snapshot else "snapshot ignored"] += 1
            if new.is_leader and old.is_leader and new.commit_index == old.commit_index:
                stored = new.configuration.quorum_min(
                    lambda name: new.durable_index if name == new.id else new.role.progress[name].match_index
                )
                seen["majority of an older entry not committed"] += stored > new.commit_index


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", MIXES)
def test_no_invariant_breaks_in_any_mix_and_once_healed_the_cluster_goes_on(name, chunk):
    total = Counter()
    for seed in range(chunk * RUNS // CHUNKS, (chunk + 1) * RUNS // CHUNKS):
        run, seen = Run(name, seed), Counter()
        try:
            run.go(seen)
            goes_on(Cluster.at(healed(run.world), seed=seed))
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {error}") from error
        assert seen["actions"] == ACTIONS, f"{name}, seed {seed}: nothing is left to do after {seen['actions']} actions"
        total += seen
    print(name, chunk, dict(sorted(total.items())))
    missing = [what for what in ALWAYS + MIXES[name].must if not total[what]]
    assert not missing, (missing, total)
