"""The tools that read the code: they are part of the tests, so that one command tells everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LESSONS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "lessons").glob("*.ipynb"))
TOOLS = {
    "lint": ["ruff", "check", "raft_lab", "tests", "lessons"],
    "format": ["ruff", "format", "--check", "raft_lab", "tests", "lessons"],
    "types": ["mypy"],
    "notebooks without outputs": ["nbstripout", "--verify", "--keep-id", *LESSONS],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_no_tool_has_a_complaint(tool: str) -> None:
    done = subprocess.run([sys.executable, "-m", *TOOLS[tool]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
