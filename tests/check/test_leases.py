"""Reads by lease, in time: with clocks that are right and voters that are sticky they are as fresh as any (6.4.1)."""

import random
from collections import Counter

import pytest

from raft_lab import ActionRefused, Candidate, Cluster, TimeoutNow, Timing
from raft_lab.raft.state import Follower, ReadDone

RUNS = 60


def served(cluster: Cluster) -> bool:
    return any(isinstance(answer, ReadDone) for answer in cluster.now.transition.answers)


# --- Runs by chance ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, RUNS, 20))
def test_no_lease_read_is_stale_whatever_else_happens(first):
    seen = Counter()
    for seed in range(first, first + 20):
        rng = random.Random(f"lease {seed}")
        rules = ["leader stickiness", *(rule for rule in ("pre-vote", "check-quorum") if rng.random() < 0.5)]
        timing = Timing(loss=rng.choice((0, 0.1)), duplication=0.05)
        cluster = Cluster(rng.choice((3, 3, 5)), seed=seed, rules=rules, timing=timing)
        cluster.run_until(leader=True)
        for number in range(100):
            cluster.step(rng.randint(1, 6))
            try:
                meanwhile(cluster, rng, number, seen)
            except ActionRefused:
                seen["not possible"] += 1
        assert cluster.violations == [], f"seed {seed}"
        seen["terms"] += max(state.current_term for state in cluster.world.servers.values())
    missing = [what for what in ("read at once", "read later", "restart", "handing over") if not seen[what]]
    assert not missing, seen
    assert seen["terms"] > 60, "the leaders change"


def meanwhile(cluster: Cluster, rng: random.Random, number: int, seen: Counter) -> None:
    names, dice = cluster.servers, rng.random()
    anyone = rng.choice(names)
    if dice < 0.25:
        cluster.propose(f"set x {number}")
    elif dice < 0.6:
        for name in names:
            if cluster[name].is_leader and name not in cluster.world.crashed:
                cluster.read(name, how="lease")
                seen["read at once" if served(cluster) else "read later"] += 1
    elif dice < 0.68:
        cluster.partition(set(rng.sample(names, len(names) // 2)))
    elif dice < 0.76:
        cluster.heal()
    elif dice < 0.84 and len(cluster.world.crashed) < len(names) // 2:
        cluster.crash(anyone)
    elif dice < 0.92 and cluster.world.crashed:
        cluster.restart(rng.choice(sorted(cluster.world.crashed)))
        seen["restart"] += 1
    elif dice < 0.96:
        cluster.transfer_leadership(anyone)
        seen["handing over"] += 1
    elif cluster.messages:
        (cluster.hold if rng.random() < 0.5 else cluster.release)(rng.choice(cluster.messages))


# --- Where it is close -------------------------------------------------------------------------------------------


def steady() -> Cluster:
    """S1 leads three sticky servers, which have all heard from it just now."""
    cluster = Cluster(3, seed=2, rules=["leader stickiness"])
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.propose("set x old")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return cluster


def take_over(cluster: Cluster, candidate: str, voter: str) -> None:
    """`candidate`, which has asked for votes, leads if `voter` votes for it, and then changes x; S1 hears nothing."""
    cluster.partition({"S1"})
    cluster.deliver(candidate, voter, "RequestVote")
    try:
        cluster.deliver(voter, candidate, "RequestVoteReply")
    except ActionRefused:
        return
    assert cluster[candidate].is_leader
    cluster.propose("set x new", candidate)
    for _ in range(6):
        for message in [m for m in cluster.messages if "S1" not in (m.src, m.dst)]:
            if message in cluster.world.network:
                cluster.deliver(message)


def cut_off_until_it_campaigns(cluster: Cluster) -> None:
    """S3 hears nothing any more, while S1 and S2 hear each other."""
    cluster.cut("S1", "S3")
    cluster.cut("S3", "S1")
    cluster.run_until(lambda c: isinstance(c["S3"].role, Candidate))
    assert isinstance(cluster["S2"].role, Follower)
    assert cluster["S2"].role.in_touch


def test_a_lease_is_served_and_who_gave_it_does_not_vote():
    cluster = steady()
    cut_off_until_it_campaigns(cluster)
    take_over(cluster, "S3", "S2")
    assert not cluster["S3"].is_leader
    cluster.read("S1", how="lease")
    assert served(cluster)
    assert cluster.violations == []


def test_a_lease_outlives_the_crash_of_who_gave_it():
    """A server that restarts cannot know whom it has heard from a moment ago: it must not vote at once."""
    cluster = steady()
    cut_off_until_it_campaigns(cluster)
    cluster.crash("S2")
    cluster.restart("S2")
    take_over(cluster, "S3", "S2")
    cluster.read("S1", how="lease")
    assert cluster.violations == []


def test_a_lease_is_worth_nothing_any_more_once_someone_was_told_to_take_over():
    """The transfer is given up, but what was sent is still on its way, and stickiness does not hold it back."""
    cluster = steady()
    cluster.transfer_leadership("S2")
    told = next(m for m in cluster.messages if isinstance(m, TimeoutNow))
    cluster.hold(told)
    cluster.run(400)
    assert cluster["S1"].is_leader
    assert cluster["S1"].role.transferee is None
    cluster.deliver(told)
    take_over(cluster, "S2", "S3")
    assert cluster["S2"].is_leader
    cluster.read("S1", how="lease")
    assert not served(cluster)
    assert cluster.violations == []


def test_who_was_not_sticky_when_it_answered_has_lent_nothing():
    """The rule is switched on while the cluster runs: what was acknowledged before binds nobody."""
    cluster = Cluster(3, seed=2)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.propose("set x old")
    cluster.deliver_all()
    cluster.switch("leader stickiness", on=True)
    cluster.timeout("S2")
    take_over(cluster, "S2", "S3")
    assert cluster["S2"].is_leader
    cluster.read("S1", how="lease")
    assert not served(cluster)
    assert cluster.violations == []


def test_a_lease_that_is_longer_than_an_election_timeout_is_refused():
    """Else S1 would still trust a lease of 135 ms when the others, after 15, have elected another leader."""
    cluster = Cluster(3, seed=2, rules=["leader stickiness"], timing=Timing(election_timeout_us=(15_000, 30_000)))
    cluster.timeout("S1")
    cluster.deliver_all()
    with pytest.raises(ActionRefused, match=r"a lease of 135 ms is worth nothing where an election may .* after 15 ms"):
        cluster.read("S1", how="lease")
    cluster.read("S1")
