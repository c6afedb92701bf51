"""A JupyterLab of its own: an empty home, a free port, no news, and an end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LESSONS = Path(__file__).parents[2] / "lessons"
_SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
}


@dataclass(frozen=True)
class Jupyter:
    """A running JupyterLab and the folder that it shows."""

    url: str
    root: Path

    def ask(self, path: str, method: str = "GET") -> Any:
        """What the server's REST API answers."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}{path}", method=method), timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def stop_kernels(self) -> None:
        """End every kernel, as between two tests."""
        for session in self.ask("/api/sessions"):
            self.ask(f"/api/sessions/{session['id']}", "DELETE")


@contextlib.contextmanager
def running_jupyter(home: Path) -> Iterator[Jupyter]:
    """Start a JupyterLab that keeps everything inside `home`, with a copy of the lessons, and stop it at the end."""
    root = home / "work"
    root.mkdir(parents=True)
    if LESSONS.is_dir():
        shutil.copytree(LESSONS, root / "lessons", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    for plugin, settings in _SETTINGS.items():
        file = home / "settings" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    port = free_port()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
        *("--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"),
        *(f"--ServerApp.root_dir={root}", "--expose-app-in-browser", "--LabApp.news_url=None"),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (home / "jupyterlab.log").open("wb") as log:
        server = subprocess.Popen(command, env=own_env(home), stdout=log, stderr=log, start_new_session=True)
        try:
            yield await_answer(f"http://127.0.0.1:{port}", root, server, home / "jupyterlab.log")
        finally:
            stop(server)


def own_env(home: Path) -> dict[str, str]:
    """Everything that Jupyter reads or writes, and nothing of this machine's own Jupyter, is below `home`."""
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return os.environ | {name: str(home / folder) for name, folder in places.items()}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_answer(url: str, root: Path, server: subprocess.Popen[bytes], log: Path) -> Jupyter:
    """The server, as soon as it answers; what it wrote to its log, if it never does."""
    jupyter = Jupyter(url, root)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            jupyter.ask("/api")
            return jupyter
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, which ends its kernels too; what is left of its process group is killed."""
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(15)
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
    server.kill()
    server.wait()
