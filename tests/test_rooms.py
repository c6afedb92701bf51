"""The rooms of the house: each imports only from rooms below it, and nothing heavy comes in before it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "raft_lab"
FLOORS = {"raft": 0, "sim": 1, "check": 2, "kv": 2, "kube": 3, "view": 4, "course": 4, "serve": 5, "cli": 6}
MODULES = sorted(HOUSE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """'raft_lab.sim.world' is in the room 'sim'; the package itself is in none."""
    return module.split(".")[1] if module.count(".") else ""


def imports(path: Path, only_at_import_time: bool = False) -> set[str]:
    """Everything that a module imports, as full names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = [f for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef))]
    late += [i for i in ast.walk(tree) if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.unparse(i.test)]
    lazy = {id(node) for part in late for node in ast.walk(part)}
    found = set()
    for node in ast.walk(tree):
        if only_at_import_time and id(node) in lazy:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {node.module, *(n for n in names if n in NAMES)}
    return found


NAMES = {name_of(path) for path in MODULES}
BY_NAME = {name_of(path): path for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_only_from_rooms_below_it(path):
    """When it is first used, a room may also call on another of its own floor; never on one above."""
    mine = room_of(name_of(path))
    at_once = imports(path, only_at_import_time=True)
    for imported in imports(path):
        if imported.split(".")[0] != "raft_lab" or not mine or imported == "raft_lab":
            continue
        theirs = room_of(imported)
        below = FLOORS[theirs] < FLOORS[mine] or (imported not in at_once and FLOORS[theirs] == FLOORS[mine])
        assert theirs == mine or below, f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(name_of(p)) in ("raft", "sim", "check")], ids=name_of)
def test_the_lower_rooms_need_nothing_but_the_standard_library_and_a_progress_bar_when_it_is_shown(path):
    for imported in imports(path):
        first = imported.split(".")[0]
        progress_bar = first == "tqdm" and imported not in imports(path, only_at_import_time=True)
        assert first == "raft_lab" or first in sys.stdlib_module_names or progress_bar, (
            f"{name_of(path)} imports {imported}"
        )


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(name_of(p)) == "raft"], ids=name_of)
def test_the_engine_has_no_clock_no_chance_and_no_outside(path):
    assert not imports(path) & {
        "time",
        "datetime",
        "random",
        "secrets",
        "os",
        "io",
        "socket",
        "threading",
        "asyncio",
        "pathlib",
    }


def test_no_module_imports_itself_by_way_of_others():
    needs = {name: {i for i in imports(path, True) if i in NAMES and i != name} for name, path in BY_NAME.items()}
    needs = {name: needed - {"raft_lab"} for name, needed in needs.items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for needed in sorted(needs[name]):
                visit(needed, (*way, name))
            done.add(name)

    for name in sorted(needs):
        visit(name, ())


def test_importing_raft_lab_brings_in_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import raft_lab; raft_lab.Cluster(3).run_until(leader=True)"],
        capture_output=True,
        text=True,
        cwd=HOUSE.parent,
    )
    assert done.returncode == 0, done.stderr
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "raft_lab.sim.cluster" in loaded
    heavy = (
        "pandas",
        "numpy",
        "plotly",
        "ipywidgets",
        "anywidget",
        "jupyterlab",
        "IPython",
        "traitlets",
        "tqdm",
        "raft_lab.view",
    )
    assert not {name for name in loaded if name.startswith(heavy)}
