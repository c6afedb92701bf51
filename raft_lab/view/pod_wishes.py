"""What a browser may ask of pods that elect a leader, and of the servers below them."""

from __future__ import annotations

from typing import Any

from raft_lab.kube.electors import Electors
from raft_lab.sim.errors import ActionRefused

LONGEST_S = 600
"""One click lets at most so much time go by."""
PATIENCE_S = 120
"""So long a click waits for another leader."""


def perform(electors: Electors, wish: Any) -> str:
    """Do what somebody has clicked; answers with the line of Python that does the same.

    Raises:
        ActionRefused: it makes no sense now, or is nothing that can be asked for.
    """
    match wish:
        case {"do": "run", "seconds": int(seconds) | float(seconds)} if 0 < seconds <= LONGEST_S:
            electors.run(seconds)
            return f"electors.run({seconds:g})"
        case {"do": "until_leader"}:
            return _until_leader(electors)
        case {"do": "pause", "pod": str(pod), "seconds": int(seconds) | float(seconds)} if 0 < seconds <= LONGEST_S:
            electors.pause(pod, seconds)
            return f'electors.pause("{pod}", {seconds:g})'
        case {"do": ("resume" | "crash" | "restart" | "cut" | "mend") as verb, "pod": str(pod)}:
            getattr(electors, verb)(pod)
            return f'electors.{verb}("{pod}")'
        case {"do": "clock", "pod": str(pod), "speed": int(speed) | float(speed)} if 0.01 <= speed <= 100:
            electors.set_clock(pod, speed=speed)
            return f'electors.set_clock("{pod}", speed={speed:g})'
        case {"do": "crash_server"}:
            leader = electors.cluster.leader
            if leader is None:
                raise ActionRefused("none of the servers leads now, so there is no leader to crash")
            electors.cluster.crash(leader)
            return f'electors.cluster.crash("{leader}")'
        case {"do": "restart_servers"}:
            down = sorted(electors.cluster.world.crashed)
            for server in down:
                electors.cluster.restart(server)
            return "; ".join(f'electors.cluster.restart("{server}")' for server in down)
    raise ActionRefused(f"nobody can ask for that with a click: {wish!r}"[:300])


def _until_leader(electors: Electors) -> str:
    before, end = electors.leader, electors.now_us + PATIENCE_S * 1_000_000
    electors.run_until(lambda e: e.now_us >= end or e.leader not in (None, before))
    if electors.leader in (None, before):
        stays = f"{before} leads all the time" if before else "nobody leads"
        raise ActionRefused(f"In {PATIENCE_S} s the leader has not changed: {stays}.")
    return f"electors.run_until(lambda e: e.leader not in (None, {before!r}))"
