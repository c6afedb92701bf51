"""What leaves this repository: the wheel, the Binder image, and the README's first command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from browser.jupyter import await_answer, free_port, own_env, stop

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.xdist_group("packaging")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed here."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh_venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and nothing else."""
    place = tmp_path_factory.mktemp("fresh") / "venv"
    run(sys.executable, "-m", "venv", str(place))
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    run(str(programs / "python"), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel))
    return programs


def test_the_wheel_holds_everything_that_is_not_python(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    static = {path.name for path in (ROOT / "raft_lab" / "view" / "static").iterdir() if path.is_file()}
    lessons = {path.name for path in (ROOT / "lessons").glob("*.ipynb")}
    assert {"lab.js", "lab.css"} <= static
    assert {f"raft_lab/view/static/{name}" for name in static} <= inside
    assert {f"raft_lab/_lessons/{name}" for name in lessons} <= inside
    assert "raft_lab/py.typed" in inside


def test_a_fresh_installation_runs_a_cluster_without_any_other_package(fresh_venv: Path, tmp_path: Path) -> None:
    code = "from raft_lab import Cluster; c = Cluster(3, seed=1); c.run_until(leader=True); print(c.leader)"
    assert run(str(fresh_venv / "python"), "-c", code, cwd=tmp_path).strip() in {"S1", "S2", "S3"}


def test_a_fresh_installation_without_jupyterlab_says_so_in_one_line(fresh_venv: Path, tmp_path: Path) -> None:
    command = [str(fresh_venv / "raft-lab"), "lessons"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("raft-lab: JupyterLab is not installed here")
    assert done.stderr.count("\n") == 1


def test_the_command_opens_jupyterlab_on_the_lessons(tmp_path: Path) -> None:
    port = free_port()
    program = "import sys; from raft_lab.cli import main; sys.exit(main())"
    options = ["lessons", "--no-browser", f"--port={port}", "--", "--IdentityProvider.token="]
    log = tmp_path / "log"
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-c", program, *options],
            env=own_env(tmp_path),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        jupyter = await_answer(f"http://127.0.0.1:{port}", ROOT / "lessons", server, log)
        assert {"00-start-here.ipynb"} <= {entry["name"] for entry in jupyter.ask("/api/contents")["content"]}
    finally:
        stop(server)


def test_the_readme_has_the_commands_that_are_tested() -> None:
    first, tests = (command_after(marker) for marker in ("<!-- first command -->", "<!-- tests -->"))
    assert first.endswith("/raft-lab lessons")
    assert tests.endswith("-m pytest")
    assert PROJECT["scripts"] == {"raft-lab": "raft_lab.cli:main"}


def test_binder_pins_what_the_project_asks_for() -> None:
    lines = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    asked = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["serve"]
    wanted = {r.name: r for r in map(Requirement, asked) if r.name != "jupyterlab"}
    assert wanted.keys() <= pins.keys()
    assert [name for name, requirement in wanted.items() if pins[name] not in requirement.specifier] == []


def test_binder_has_a_python_that_the_project_runs_on() -> None:
    version = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def command_after(marker: str) -> str:
    """The command in the first fenced block after a marker in the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(re.escape(marker) + r"\s*```sh\n(.*?)\n```", text, flags=re.DOTALL)
    assert found, f"README.md has no command after {marker}"
    return found[1]


def run(*command: str, cwd: Path = ROOT) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
