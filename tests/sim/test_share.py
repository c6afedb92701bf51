"""A run as one line of text: what goes in comes out, and what is damaged says how."""

from __future__ import annotations

import random

import pytest

from raft_lab import Cluster, Server, Timing, TraceError


class Mine(Server):
    """Somebody's handlers."""


def busy() -> Cluster:
    cluster = Cluster(5, seed=7, timing=Timing(loss=0.1), logs={"S1": [(1, "set x; 1")]})
    cluster.run_until(leader=True)
    cluster.propose("set x;:|, 1")
    cluster.step(3)
    cluster.hold(cluster.messages[0])
    cluster.delay(cluster.messages[1], ms=30)
    cluster.partition({"S1", "S2"})
    cluster.step(20)
    cluster.switch("pre-vote", on=True)
    cluster.read("S1", how="local")
    cluster.crash("S3")
    cluster.heal()
    return cluster


def test_a_shared_run_leads_where_it_led():
    cluster = busy()
    again = Cluster.from_share(cluster.share())
    assert (again.world, again.schedule, again.code()) == (cluster.world, cluster.schedule, cluster.code())


def test_a_share_string_can_be_read_by_people():
    cluster = Cluster(3, seed=4)
    cluster.timeout("S2")
    cluster.deliver("S2", "S1")
    cluster.step(12)
    cluster.propose("set x 1", "S2")
    start, end = cluster.share().split(";end=")
    assert start == "raft-lab:1;3;seed=4;timeout:S2;deliver:S2>S1;step:12;propose:S2:set+x+1"
    assert len(end) == 6


def test_a_share_string_may_be_written_by_hand_and_broken_over_lines():
    cluster = Cluster.from_share("raft-lab:1; 3; seed=4;\n timeout:S2;\n crash:S1")
    assert (cluster["S2"].current_term, sorted(cluster.world.crashed)) == (1, ["S1"])


@pytest.mark.parametrize("seed", range(4))
def test_random_runs_survive_being_shared(seed):
    cluster = Cluster(4, seed=seed)
    chooser = random.Random(seed)
    for _ in range(60):
        cluster.perform(chooser.choice(cluster.enabled()))
        cluster.step(2) if cluster.schedule.next(cluster.world) else cluster.wait(5)
    again = Cluster.from_share(cluster.share())
    assert (again.world, again.schedule) == (cluster.world, cluster.schedule)


def test_handlers_of_ones_own_travel_by_name():
    cluster = Cluster(3, seed=1)
    cluster.swap(Mine, without=["election restriction"])
    cluster.step(5)
    again = Cluster.from_share(cluster.share(), Mine)
    assert again.modified == "handlers of Mine, without election restriction"
    with pytest.raises(TraceError, match=r"needs the handlers of Mine: give that class"):
        Cluster.from_share(cluster.share())


def test_a_situation_set_up_by_hand_is_for_a_file():
    cluster = Cluster.at(busy().world, seed=1)
    with pytest.raises(TraceError, match=r"save it as a file instead"):
        cluster.share()


DAMAGED = {
    "nothing": ("", "does not begin with raft-lab:"),
    "another text": ("hello;5;seed=7", "does not begin with raft-lab:"),
    "a later version": ("raft-lab:2;5", "reads up to 1: upgrade raft_lab"),
    "cut off at once": ("raft-lab:1", "was it cut short?"),
    "a seed in letters": ("raft-lab:1;5;seed=x", "seed is 'x', which is not a number"),
    "an odd that is none": ("raft-lab:1;5;loss=2", "loss is a probability"),
    "an unknown setting": ("raft-lab:1;5;speed=2", "nothing is set by 'speed'"),
    "too many servers": ("raft-lab:1;99", "1 to 25 servers"),
    "an unknown action": ("raft-lab:1;5;fly:S1", "no action 'fly:S1'"),
    "an action without its server": ("raft-lab:1;5;crash", "'crash' should say server"),
    "a server that is not there": ("raft-lab:1;5;crash:S9", "its action 1, 'crash:S9': there is no server 'S9'"),
    "a message that is not there": ("raft-lab:1;5;deliver:S1>S2", "no message 'S1>S2' is in flight at step 0"),
    "what cannot be done": ("raft-lab:1;5;restart:S1", "S1 is running; only a crashed server restarts"),
    "an unknown rule": ("raft-lab:1;5;swap:without~gravity", "there is no rule 'gravity'"),
    "steps without end": ("raft-lab:1;5;step:999999999", "more than 100000 steps"),
    "a changed character": ("raft-lab:1;5;seed=7;step:5;end=123456", "leads elsewhere than when it was shared"),
    "no text at all": (5, "a share string is text"),
}


@pytest.mark.parametrize(("text", "why"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_share_string_says_in_one_line_what_is_wrong(text, why):
    with pytest.raises(TraceError) as caught:
        Cluster.from_share(text)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_shortened_share_string_is_read_or_refused_and_never_fails_otherwise():
    text = busy().share().split(";end=")[0]
    read = 0
    for length in range(len(text)):
        try:
            Cluster.from_share(text[:length])
        except TraceError:
            continue
        read += 1
    assert 20 < read < len(text)
