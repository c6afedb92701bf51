"""What a kubeconfig says: where the API server is, who one is there, and whom to trust."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft_lab.raft.errors import RaftLabError

Section = Mapping[str, Any]
NOT_UNDERSTOOD = {
    "cluster": ("proxy-url", "tls-server-name"),
    "user": ("exec", "auth-provider", "username", "as"),
}
"""Fields that change whom one talks to or as whom, and that nobody here heeds."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to come to an API server.

    Attributes:
        url: where it is.
        token: to be sent with every request, or "".
        tls: whom to trust, and with which certificate to come; None where it is plain HTTP.
    """

    url: str
    token: str
    tls: ssl.SSLContext | None


def read(kubeconfig: str | Path) -> Access:
    """The server of a kubeconfig's current context.

    Raises:
        OSError: the file cannot be read.
        RaftLabError: what it holds is not understood.
    """
    path = Path(kubeconfig).expanduser()
    config = _config(path)
    context = _named(config, "contexts", "context", config.get("current-context"), path)
    cluster = _named(config, "clusters", "cluster", context.get("cluster"), path)
    user = _named(config, "users", "user", context["user"], path) if context.get("user") else {}
    for one, found in (("cluster", cluster), ("user", user)):
        if strange := [field for field in NOT_UNDERSTOOD[one] if found.get(field) is not None]:
            raise RaftLabError(f"{path}: {strange[0]} is not understood here; run `kubectl proxy` and use its address")
    token = str(user.get("token") or "")
    if not token and user.get("tokenFile"):
        file = _file(user, "tokenFile", path, path.parent)
        token = file.read_text(encoding="utf-8").strip() if file else ""
    return Access(str(cluster.get("server")), token, _tls(cluster, user, path))


def _config(path: Path) -> Section:
    text = path.read_text(encoding="utf-8")
    try:
        found = json.loads(text)
    except ValueError:
        found = _yaml(text, path)
    if not isinstance(found, dict):
        raise RaftLabError(f"{path} is no kubeconfig")
    return found


def _yaml(text: str, path: Path) -> Any:
    try:
        import yaml
    except ImportError:
        raise RaftLabError(f'{path} is YAML: pip install "raft_lab[serve]", or run `kubectl proxy`') from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RaftLabError(f"{path} is no kubeconfig: {error}"[:300]) from None


def _named(config: Section, many: str, one: str, name: Any, path: Path) -> Section:
    for entry in config.get(many) or ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(one), dict):
            found: Section = entry[one]
            return found
    raise RaftLabError(f"{path}: there is no {one} {name!r} in it")


def _tls(cluster: Section, user: Section, path: Path) -> ssl.SSLContext | None:
    if not str(cluster.get("server")).startswith("https://"):
        return None
    with tempfile.TemporaryDirectory() as safe:  # Python reads a key from a file only
        authority = _file(cluster, "certificate-authority", path, Path(safe))
        mine, key = (_file(user, part, path, Path(safe)) for part in ("client-certificate", "client-key"))
        try:
            tls = ssl.create_default_context(cafile=authority)  # of this authority alone; None: of all known ones
        except ssl.SSLError as error:
            raise RaftLabError(f"{path}: its certificate-authority is no certificate in PEM: {error}") from None
        try:
            if mine is not None:
                tls.load_cert_chain(mine, key)
        except ssl.SSLError as error:
            why = "its client-key is not that of its client-certificate, or one of them is not in PEM"
            raise RaftLabError(f"{path}: {why}: {error}") from None
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def _file(section: Section, part: str, path: Path, safe: Path) -> Path | None:
    """A file with this part, which stands in the kubeconfig itself or is named there."""
    if inline := section.get(f"{part}-data"):
        try:
            pem = base64.b64decode("".join(str(inline).split()), validate=True)  # over several lines, too, as in Go
        except ValueError:
            raise RaftLabError(f"{path}: {part}-data is not base64") from None
        (safe / part).write_bytes(pem)
        return safe / part
    if not section.get(part):
        return None
    file: Path = path.parent / section[part]
    if not file.is_file():
        raise RaftLabError(f"{path}: its {part} should be in {file}, and there is no such file")
    return file
