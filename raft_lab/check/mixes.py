"""What a random run is made of: which kinds of actions happen how often, under which rules, on how many servers.

A `Mix` is a family of runs; each run draws a `Weather` from it, which leaves some of the faults out and makes others
rare or frequent (swarm testing: a uniform mixture of everything hides the mistakes that need quiet).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raft_lab.raft.rules import RULES
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.schedule import Timing, draw

USUAL: Mapping[str, float] = FrozenMap(
    deliver=14.0,
    timeout=0.8,
    heartbeat=1.2,
    propose=1.5,
    read=0.5,
    drop=1.0,
    duplicate=0.7,
    crash=0.35,
    restart=0.6,
    cut=0.3,
    partition=0.15,
    heal=0.5,
    write=4.0,
    silence=0.5,
    check=0.5,
)
"""How often each kind of action is tried, in relation to the others."""

_LEFT_OUT = FrozenMap(
    drop=(0, 0.3, 1, 1), duplicate=(0, 0.3, 1, 1), crash=(0, 0.3, 1, 1), cut=(0, 0.3, 1, 1), partition=(0, 0.3, 1, 1),
    compact=(0, 0.5, 1, 2), transfer=(0, 0.5, 1, 2), boot=(0, 1, 1, 2), learner=(0, 1, 1, 2), joint=(0, 1, 1, 2),
    single=(0, 1, 1, 2), session=(0, 0.5, 1, 2), read=(0, 0.5, 1, 2),
    timeout=(0.3, 1, 1, 3), heartbeat=(0.5, 1, 1, 2), propose=(0.5, 1, 1, 2), deliver=(0.5, 1, 1, 3),
)  # fmt: skip
"""By how much a run changes how often something happens."""

_HAPPENS = (
    "leader elected",
    "leader deposed",
    "committed",
    "conflict truncated",
    "read answered",
    "crash",
)


@dataclass(frozen=True, slots=True)
class Mix:
    """A family of random runs.

    Attributes:
        name: what people call it.
        weights: how often each kind of action is tried, where it differs from what is usual.
        rules: optional rules that are on in every run.
        options: optional rules that are on in three runs of ten.
        sizes: with how many servers a run may start.
        staged: how many runs of a hundred start somewhere in a scenario instead.
        clocks: whether time passes, so that leases can be relied on: timers keep their time, clocks drift.
        must: what has to happen in a campaign of some size; else it proves little.
    """

    name: str
    weights: Mapping[str, float] = field(default_factory=FrozenMap)
    rules: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    sizes: tuple[int, ...] = (1, 3, 3, 3, 4, 5)
    staged: int = 0
    clocks: bool = False
    must: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Weather:
    """What one run is like.

    Attributes:
        mix: of which family it is.
        servers: how many there are at the start.
        rules: the optional rules that are on.
        weights: how often each kind of action is tried.
        reordering: how often a message overtakes others.
        timing: clocks and their speeds, if time passes in this run.
    """

    mix: str
    servers: int
    rules: tuple[str, ...]
    weights: Mapping[str, float]
    reordering: float
    timing: Timing | None

    @classmethod
    def drawn(cls, mix: Mix, *key: object) -> Weather:
        """The weather of the run that `key` names."""

        def one_of(purpose: str, choices: Any) -> Any:
            return choices[draw(*key, "weather", purpose) % len(choices)]

        weights = {**USUAL, **mix.weights}
        for kind, weight in weights.items():
            weights[kind] = weight * one_of(kind, _LEFT_OUT.get(kind, (1,)))
        servers = one_of("servers", mix.sizes)
        options = tuple(rule for rule in mix.options if one_of(f"rule {rule}", range(10)) < 3)
        timing = None
        if mix.clocks:
            names = [f"S{number}" for number in range(1, servers + 1)]
            timing = Timing(speeds=FrozenMap({name: one_of(f"clock {name}", (0.95, 1, 1, 1.05)) for name in names}))
        reordering = one_of("reordering", (0.0, 0.1, 0.6))
        return cls(mix.name, servers, mix.rules + options, FrozenMap(weights), reordering, timing)


SWARM = Mix(
    "swarm",
    weights=FrozenMap(
        session=1.0, compact=0.4, transfer=0.15, boot=0.1, learner=0.5, joint=0.4, single=0.3, timeout=1.2, silence=1.5
    ),
    options=tuple(rule.name for rule in RULES if rule.optional),
    sizes=(1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7),
    staged=25,
    must=(
        *_HAPPENS,
        "election repeated",
        "candidate conceded",
        "candidate ignored",
        "vote refused by log",
        "pre-vote won",
        "older entry committed with a newer one",
        "majority of an older entry not committed",
        "refused by log",
        "refused by term",
        "joint configuration entered",
        "joint configuration left",
        "single change",
        "learner promoted",
        "configuration rolled back",
        "snapshot installed",
        "handed over",
        "duplicate answered",
        "read waited",
        "crash that lost a write",
        "restart",
        "drop",
        "duplicate",
        "cut",
        "partition",
        "heal",
    ),
)
"""Everything, a little of it in each run."""

LEASES = Mix(
    "leases",
    weights=FrozenMap(
        lease=4.0, stall=1.0, transfer=0.15, heartbeat=2.5, timeout=4.0, silence=6.0, read=0.2, crash=0.25,
        partition=0.6, heal=0.3,
    ),
    rules=("leader stickiness",),
    options=("pre-vote", "check-quorum", "slow disk"),
    sizes=(3, 3, 5),
    clocks=True,
    must=(*_HAPPENS, "lease read answered at once", "lease read that waited", "handed over", "stall"),
)  # fmt: skip
"""Reads by lease, where time passes and clocks drift as far as they may."""

MIXES: Mapping[str, Mix] = {
    mix.name: mix
    for mix in (
        SWARM,
        LEASES,
        Mix(
            "plain",
            weights=FrozenMap(
                timeout=1.4, session=0.7, compact=0.4, transfer=0.15, boot=0.1, learner=0.5, joint=0.4, single=0.3
            ),
            sizes=(3, 3, 3, 4, 5, 5, 7),
            must=(
                *_HAPPENS,
                "election repeated",
                "candidate conceded",
                "vote refused by log",
                "older entry committed with a newer one",
                "refused by log",
                "refused by term",
                "read refused",
                "joint configuration entered",
                "joint configuration left",
                "single change",
                "snapshot installed",
                "handed over",
                "duplicate answered",
                "restart",
                "drop",
                "duplicate",
                "cut",
                "partition",
                "heal",
            ),
        ),
        Mix(
            "small messages",
            weights=FrozenMap(propose=3.0, compact=0.8, crash=0.5),
            rules=("one entry a message",),
            must=(
                *_HAPPENS,
                "majority of an older entry not committed",
                "snapshot installed",
                "snapshot ignored",
                "compact",
            ),
        ),
        Mix(
            "slow disk",
            weights=FrozenMap(write=1.6, crash=0.9, restart=1.4, compact=0.4),
            rules=("slow disk",),
            must=(
                *_HAPPENS,
                "write_disk",
                "crash that lost a write",
                "vote that was lost",
                "compact",
                "answer that waited",
            ),
        ),
        Mix(
            "undisturbed",
            weights=FrozenMap(silence=2.0, check=1.0, transfer=0.4, timeout=1.5),
            rules=("pre-vote", "leader stickiness", "check-quorum"),
            must=(
                *_HAPPENS,
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
        Mix(
            "members",
            weights=FrozenMap(
                boot=0.3, learner=1.2, joint=1.0, single=0.8, compact=0.5, transfer=0.2, heartbeat=2.0, partition=0.3,
                timeout=1.6, heal=0.8,
            ),
            must=(
                *_HAPPENS,
                "boot",
                "learner added",
                "learner promoted",
                "joint configuration entered",
                "joint configuration left",
                "single change",
                "configuration rolled back",
                "change refused",
                "leader left",
                "snapshot installed",
            ),
        ),
        Mix(
            "clients",
            weights=FrozenMap(session=3.0, read=3.0, compact=0.6, heartbeat=2.0),
            rules=("check-quorum",),
            must=(
                *_HAPPENS,
                "session opened",
                "duplicate answered",
                "command of no session",
                "snapshot installed",
                "read waited",
            ),
        ),
        Mix(
            "everything",
            weights=FrozenMap(
                boot=0.2, learner=0.8, joint=0.7, single=0.5, compact=0.5, transfer=0.3, session=2.5, silence=4.0,
                check=0.3, timeout=3.0, heartbeat=2.0, write=20.0, deliver=40.0, drop=0.6,
            ),
            rules=("pre-vote", "leader stickiness", "check-quorum", "slow disk", "one entry a message"),
            must=(
                *_HAPPENS,
                "write_disk",
                "crash that lost a write",
                "pre-vote won",
                "candidate ignored",
                "no quorum: stepped down",
                "handed over",
                "joint configuration entered",
                "joint configuration left",
                "learner promoted",
                "snapshot installed",
                "duplicate answered",
            ),
        ),
    )
}  # fmt: skip
"""The families of runs by name."""
