"""What a browser may ask of pods that elect a leader, and of the servers below them."""

from __future__ import annotations

from typing import Any

from raft_lab.kube.elector import SECOND, LeaderElector
from raft_lab.kube.electors import Electors
from raft_lab.kube.pods import RUNNING
from raft_lab.kube.sidecar import SidecarElector
from raft_lab.sim.errors import ActionRefused

LONGEST_S = 600
"""One click lets at most so much time go by."""
PATIENCE_S = 60
"""So long a click waits for another leader, in the cluster's time."""


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
        case {"do": "pause", "seconds": int(seconds) | float(seconds)}:
            raise ActionRefused(
                f'a pause cannot last {seconds:g} s: write a number above 0 and up to {LONGEST_S} beside "pause for"'
            )
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
    before, end = electors.leader, electors.now_us + PATIENCE_S * SECOND
    if why := _nobody_will_follow(electors, before):
        raise ActionRefused(why)
    electors.run_until(lambda e: e.now_us >= end or e.leader not in (None, before), 2 * PATIENCE_S)
    if electors.leader in (None, before):
        stays = f"{before} still leads" if electors.leader else "nobody leads"
        raise ActionRefused(f"{PATIENCE_S} s have gone by, and {stays}. Crash, pause or cut a pod that hinders it.")
    return f"electors.run_until(lambda e: e.leader not in (None, {before!r}))"


def _nobody_will_follow(electors: Electors, leader: str | None) -> str:
    """Why waiting for another leader is in vain; "" if somebody may come."""
    world = electors.cluster.world
    if 2 * len(world.crashed) >= len(world.servers):
        down = ", ".join(sorted(world.crashed))
        return f"{down} are crashed: without a majority nothing is written, so nobody can take the lease. Restart them."
    if leader is None:
        return ""
    pods = electors.pods.values()
    pod, record = electors[leader], electors.lease
    is_reached = pod.state == RUNNING and not pod.cuts and electors.now_us >= electors.wires.fails_until_us
    is_calm = all(other.clock.speed == 1 for other in pods) and not world.cuts
    holds = record is not None and record.holder_identity == pod.identity and pod.believes
    by_the_book = all(type(other.elector) in (LeaderElector, SidecarElector) for other in pods)
    if is_reached and is_calm and holds and by_the_book:
        return f"{leader} leads and renews its lease, so nobody follows it. Crash, pause or cut {leader} first."
    return ""
