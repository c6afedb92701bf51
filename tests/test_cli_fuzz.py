"""`raft-lab fuzz`: what it prints, what it writes, and its exit code."""

import pytest

from raft_lab import Cluster, Server, cli
from raft_lab.check.loading import load_server

MINE = """
from raft_lab import Server

class Mine(Server):
    def may_vote_for(self, candidate):
        return True

other = 3
"""


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE, encoding="utf-8")
    return f"{file}:Mine"


def test_nothing_goes_wrong_with_raft(capsys):
    assert cli.main(["fuzz", "--seeds", "3", "--actions", "60"]) == 0
    assert "3 runs" in capsys.readouterr().out


def test_a_finding_is_a_line_with_the_command_that_repeats_it_and_a_small_run(capsys):
    assert cli.main(["fuzz", "--seeds", "5", "--findings", "2", "--without", "one vote per term"]) == 1
    first, second, *story = capsys.readouterr().out.splitlines()
    assert first.endswith("Again: raft-lab fuzz --seed 0 --actions 400 --without 'one vote per term'")
    assert second.startswith("seed ")
    assert "This is a run of which no single action can be left out" in story[1]
    assert cli.main(["fuzz", "--seed", "0", "--actions", "400", "--without", "one vote per term"]) == 1
    again = capsys.readouterr().out.splitlines()
    assert again[0] == first
    assert "1 runs" in "".join(again)


def test_a_file_of_ones_own_runs_on_two_workers_and_the_run_is_saved(mine, tmp_path, capsys):
    saved = tmp_path / "run.json"
    words = ["fuzz", "--seeds", "12", "--server", mine, "--workers", "2", "--save", str(saved)]
    assert cli.main(words) == 1
    assert "Votes Stay" in capsys.readouterr().out
    cluster = Cluster.load(saved, load_server(mine))
    assert cluster.violations[0][1].invariant == "Votes Stay"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--server", "nowhere:Mine"], "nowhere cannot be imported (ModuleNotFoundError"),
        (["--server", "nowhere.py:Mine"], "nowhere.py cannot be imported (FileNotFoundError"),
        (["--server", "Mine"], "a server is named as module:Class or file.py:Class, not 'Mine'"),
        (["--server", "raft_lab:Cluster"], "raft_lab has no subclass of Server called Cluster"),
        (["--without", "luck"], "there is no rule 'luck'"),
        (["--seeds", "0"], "--seeds and --workers are numbers from 1 on"),
        (["--actions", "-1"], "actions must be a whole number from 0 on"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_in_one_line(words, sentence, capsys):
    assert cli.main(["fuzz", *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith("raft-lab: ")
    assert sentence in said
    assert said.count("\n") == 1


def test_a_server_is_found_by_its_place():
    assert load_server("raft_lab:Server") is Server
