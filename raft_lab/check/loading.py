"""A class of servers by where it is written: for commands, and for the workers of a process pool."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module, util
from pathlib import Path

from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.server import Server


def load_server(place: str) -> type[Server]:
    """The class that is written at `place`: "module:Class" or "file.py:Class".

    The module or file is imported, so its code runs: name only what you would run yourself.

    Raises:
        RaftLabError: there is no such module, file or class, or it is no subclass of `Server`.
    """
    where, colon, name = place.rpartition(":")
    if not colon or not where or not name:
        raise RaftLabError(f"a server is named as module:Class or file.py:Class, not {place!r}")
    try:
        module = _file(Path(where)) if where.endswith(".py") else import_module(where)
    except (Exception, SystemExit) as error:
        raise RaftLabError(f"{where} cannot be imported ({type(error).__name__}: {error})") from error
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, Server)):
        raise RaftLabError(f"{where} has no subclass of Server called {name}")
    return found


def prepare_worker(places: Sequence[str]) -> None:
    """Import in a worker what it will be given, and leave Ctrl-C to the process that waits for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for place in places:
        load_server(place)


def _file(path: Path) -> object:
    """The file as a module, under a name by which it is found again when a class of it is pickled."""
    name = f"raft_lab_file_{path.stem}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(path.resolve()):
        return sys.modules[name]
    spec = util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
