"""The command `raft-lab`: what it says, what it copies, and how it opens JupyterLab."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import raft_lab
from raft_lab import Cluster, cli

ROOT = Path(__file__).parents[1]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The JupyterLabs that would have been opened, in an empty current directory, by an ordinary user."""
    commands: list[list[str]] = []
    monkeypatch.setattr(cli, "_become", lambda command: commands.append(command) or 0)
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.chdir(tmp_path)
    return commands


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """raft_lab as a wheel installs it: the lessons are inside of the package."""
    package = tmp_path / "site-packages" / "raft_lab"
    (package / "_lessons" / "images").mkdir(parents=True)
    (package / "_lessons" / "00-start.ipynb").write_text("start", encoding="utf-8")
    (package / "_lessons" / "images" / "lab.png").write_bytes(b"lab")
    monkeypatch.setattr(cli, "_PACKAGE", package)
    return package


def test_a_checkout_opens_its_own_lessons_in_place(opened: list[list[str]]) -> None:
    assert cli.main(["lessons"]) == 0
    assert opened == [[sys.executable, "-m", "jupyterlab", str(ROOT / "lessons")]]
    assert list(Path.cwd().iterdir()) == []


def test_an_installed_package_copies_the_lessons_here_and_opens_them(opened: list[list[str]], installed: Path) -> None:
    assert cli.main(["lessons"]) == 0
    assert opened == [[sys.executable, "-m", "jupyterlab", "lessons"]]
    assert Path("lessons/00-start.ipynb").read_text(encoding="utf-8") == "start"
    assert Path("lessons/images/lab.png").read_bytes() == b"lab"


def test_what_a_learner_wrote_is_kept(
    opened: list[list[str]], installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    Path("mine/00-start.ipynb").write_text("my own work", encoding="utf-8")

    assert cli.main(["lessons", "mine"]) == 0

    assert Path("mine/00-start.ipynb").read_text(encoding="utf-8") == "my own work"
    assert Path("mine/images/lab.png").is_file()
    assert "Kept as they were: 00-start.ipynb." in capsys.readouterr().out


def test_options_and_everything_after_two_dashes_reach_jupyterlab(opened: list[list[str]]) -> None:
    assert cli.main(["lessons", "--no-browser", "--port", "9999", "--", "--ip=0.0.0.0", "--debug"]) == 0
    assert opened[0][4:] == ["--no-browser", "--port=9999", "--ip=0.0.0.0", "--debug"]


def test_root_is_allowed_and_told_so(
    opened: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    assert cli.main(["lessons"]) == 0
    assert opened[0][4:] == ["--allow-root"]
    assert capsys.readouterr().out.count("\n") == 1


def test_a_destination_that_is_a_file_is_refused_in_one_line(
    opened: list[list[str]], installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("lessons").touch()
    assert cli.main(["lessons"]) == 1
    assert capsys.readouterr().err == "raft-lab: lessons is a file; name a folder for the lessons\n"
    assert opened == []


def test_without_jupyterlab_it_says_how_to_get_it_and_copies_nothing(
    opened: list[list[str]], installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.main(["lessons"]) == 1
    assert capsys.readouterr().err == (
        "raft-lab: JupyterLab is not installed here; get it with: python -m pip install jupyterlab\n"
    )
    assert not Path("lessons").exists()


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"raft-lab {raft_lab.__version__}\n"


# --- check-history -----------------------------------------------------------------------------------------------

JEPSEN = """\
{:type :invoke, :f :write, :value 1, :process 0}
{:type :ok, :f :write, :value 1, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value SEEN, :process 1}
"""


@pytest.mark.parametrize(
    ("seen", "code", "said"), [("1", 0, "Linearizable:"), ("2", 1, "it could only have returned 1")]
)
def test_a_history_of_jepsen_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seen: str, code: int, said: str
) -> None:
    (tmp_path / "history.edn").write_text(JEPSEN.replace("SEEN", seen), encoding="utf-8")
    picture = tmp_path / "history.html"
    assert cli.main(["check-history", str(tmp_path / "history.edn"), "--picture", str(picture)]) == code
    assert said in capsys.readouterr().out
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_a_history_that_cannot_be_judged_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "history.edn").write_text("{:type :invoke}", encoding="utf-8")
    assert cli.main(["check-history", str(tmp_path / "history.edn")]) == 1
    assert "history.edn cannot be read: line 1: the field :f is missing" in capsys.readouterr().err
    assert cli.main(["check-history", str(tmp_path / "nothing"), "--budget", "0"]) == 1
    assert "--budget is a number of steps" in capsys.readouterr().err


def test_a_saved_run_becomes_a_page_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(3, seed=1)
    cluster.step(5)
    cluster.save(tmp_path / "run.json")
    assert cli.main(["export", str(tmp_path / "run.json"), "--title", "Five steps"]) == 0
    assert capsys.readouterr().out == f"The page is {tmp_path / 'run.html'}.\n"
    assert "<title>Five steps</title>" in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_a_damaged_run_is_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    assert cli.main(["export", str(tmp_path / "run.json")]) == 1
    assert "is not whole JSON" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
