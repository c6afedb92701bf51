"""Sweeps and charts: what they show is what happened, and every point can be run again."""

from __future__ import annotations

import pytest

from raft_lab import Cluster, UnknownName
from raft_lab.course import elections_by_spread, sweep, until_committed, until_led_again
from raft_lab.sim import stages
from raft_lab.sim.schedule import Timing
from raft_lab.view.charts import commit_latency


def test_without_randomness_nobody_is_ever_elected() -> None:
    spreads = elections_by_spread([0, 150], trials=5)

    assert list(spreads.summary["came about"]) == ["0 of 5", "5 of 5"]


def test_every_point_of_a_sweep_can_be_run_again() -> None:
    spreads = elections_by_spread([20, 150], trials=3)

    for trial in spreads.trials:
        cluster = spreads.run(trial.setting, trial.seed)
        assert cluster.schedule.now_us / 1000 == trial.value
        assert cluster.leader is not None
        assert max(cluster[name].current_term for name in cluster.servers) == trial.term


def test_the_figure_has_a_line_a_setting_whose_points_say_how_to_run_them() -> None:
    spreads = elections_by_spread([20, 150], trials=3)

    line = spreads.figure.data[0]

    assert [line.name for line in spreads.figure.data] == ["150 to 170 ms", "150 to 300 ms"]
    assert line.y[-1] == 100
    assert {code for _, code in line.customdata} == {f"sweep.run('150 to 170 ms', seed={n}).lab()" for n in range(3)}


def test_a_setting_that_was_not_tried_cannot_be_run_again() -> None:
    with pytest.raises(UnknownName, match="there are '150 to 300 ms'"):
        elections_by_spread([150], trials=1).run("fast", 0)
    with pytest.raises(ValueError, match="at least one setting"):
        sweep({})


def test_a_slow_network_makes_commits_slow_in_proportion() -> None:
    settings = {name: Timing(latency_us=(ms * 1000, ms * 1000)) for name, ms in (("fast", 5), ("slow", 15))}

    table = sweep(settings, until_committed, trials=2).table

    assert dict(table.groupby("setting").value.median()) == {"fast": 10.0, "slow": 30.0}


def test_a_leader_that_crashes_is_replaced_after_at_least_the_shortest_timeout_less_a_heartbeat() -> None:
    trials = sweep({"usual": Timing()}, until_led_again, trials=3).trials

    assert all(trial.value is not None and trial.value > 85 for trial in trials)


def test_commit_latency_tells_committed_commands_from_open_ones() -> None:
    cluster = stages.led(3)
    cluster.propose("set x 1")
    cluster.run_until(committed="set x 1")
    took = cluster.schedule.now_us / 1000
    cluster.partition({"S1"})
    cluster.propose("set x 2", "S1")
    cluster.run(20)

    committed, still_open = commit_latency(cluster).data

    assert (list(committed.y), list(still_open.y)) == ([took], [20.0])
    assert [op for _, op in still_open.customdata] == ["set x 2"]


def test_tables_hold_what_the_lab_shows() -> None:
    cluster = Cluster(3, logs={"S1": [(1, "set x 1")]})
    cluster.timeout("S1")
    cluster.back()
    cluster.crash("S2")

    assert list(cluster.tables.ledger.loc["S1"]) == ["set x 1 (term 1)"]
    assert cluster.tables.branches.here.to_dict() == {1: False, 2: True}
    assert cluster.tables.agenda.query("possible and action == 'restart'").code.to_list() == ["cluster.restart('S2')"]
    assert "S2 is crashed" in cluster.tables.agenda.query("action == 'timeout' and server == 'S2'").reason.iloc[0]
    assert cluster.tables.violations.empty
    assert cluster.tables.snapshots.entries_left.to_dict() == {"S1": 1, "S2": 0, "S3": 0}


def test_charts_have_no_ground_of_their_own_so_that_they_suit_dark_pages_too() -> None:
    cluster = stages.led(3)
    figures = [cluster.timeline(), commit_latency(cluster), elections_by_spread([150], trials=1).figure]

    assert {figure.layout.paper_bgcolor for figure in figures} == {"rgba(0,0,0,0)"}
    assert {figure.layout.plot_bgcolor for figure in figures} == {"rgba(0,0,0,0)"}
