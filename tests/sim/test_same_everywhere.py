"""Same seed, same run, byte for byte: on every Python, whatever the order of sets in memory."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("a_run.py")


def pythons() -> list[str]:
    """Every Python from 3.11 on that this machine has, each version once."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += [Path("/usr/bin"), *Path.home().glob(".pyenv/versions/*/bin")]
    found = {}
    for folder in folders:
        for path in sorted(folder.glob("python3.*")) if folder.is_dir() and folder.name != "shims" else []:
            version = re.fullmatch(r"python3\.(\d+)", path.name)
            if version and int(version[1]) >= 11 and os.access(path, os.X_OK):
                found.setdefault(path.resolve(), str(path))
    return sorted(found.values())


@cache
def run(python: str, hash_seed: str, seed: int) -> bytes:
    environment = {"PYTHONPATH": str(REPO), "PYTHONHASHSEED": hash_seed, "PATH": os.environ.get("PATH", "")}
    done = subprocess.run([python, str(SCRIPT), str(seed)], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout) > 10_000
    return done.stdout


@pytest.mark.parametrize("hash_seed", ["1", "12345"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_sets_in_memory_leaves_no_trace_in_a_run(seed, hash_seed):
    assert run(sys.executable, hash_seed, seed) == run(sys.executable, "0", seed)


@pytest.mark.parametrize("python", pythons())
def test_another_python_takes_the_same_run(python):
    assert run(python, "7", 1) == run(sys.executable, "0", 1)


def test_another_seed_takes_another_run():
    assert run(sys.executable, "0", 1) != run(sys.executable, "0", 2)
