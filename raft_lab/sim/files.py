"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from os import PathLike
from pathlib import Path

from raft_lab.sim.errors import TraceError


def write_whole(path: str | PathLike[str], text: str) -> Path:
    """Write `text` to `path`, or leave what was there as it was. Answers with the path.

    Raises:
        TraceError: it cannot be written there.
    """
    target = Path(path)
    try:
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise TraceError(f"{target} cannot be written: {error.strerror} ({target.parent})") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(draft).chmod(0o666 & ~mask)
        Path(draft).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(draft).unlink()
        raise
    return target
