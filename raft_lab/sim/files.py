"""Files that are read whole, and that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from os import PathLike
from pathlib import Path

from raft_lab.sim.errors import TraceError

LARGEST = 64 * 2**20
"""Larger files are refused, in bytes."""


class Unreadable(Exception):
    """Why a file cannot be read, in words."""


def read_whole(path: str | PathLike[str]) -> str:
    """The text in a file.

    Raises:
        FileNotFoundError: there is none.
        Unreadable: it is not there to be read, or holds no text.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if file.is_dir():
            raise Unreadable("it is a folder")
        if not file.is_file():
            raise Unreadable("it is no ordinary file")  # whoever reads from a pipe may wait forever
        if size > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST // 2**20} MiB")
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError:
        raise Unreadable("it is not text in UTF-8") from None
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    except ValueError as error:
        raise Unreadable(str(error)) from None


def write_whole(path: str | PathLike[str], text: str) -> Path:
    """Write `text` to `path`, or leave what was there as it was. Answers with the path.

    What a link points to is written, and the link stays; a file that may be read only by its owner stays so.

    Raises:
        TraceError: it cannot be written there.
    """
    target = Path(os.path.realpath(path))
    draft = None
    try:
        if target.is_dir():
            raise TraceError(f"{path} cannot be written: it is a folder; name a file in it")
        if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
            raise TraceError(
                f"{path} cannot be written: there is something that may not be replaced; name another file"
            )
        mode = target.stat().st_mode & 0o777 if target.exists() else None
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(0o666 & ~_mask() if mode is None else mode)
        Path(draft).replace(target)
        draft = None
    except (OSError, UnicodeEncodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise TraceError(f"{path} cannot be written: {why} ({target.parent})"[:600]) from None
    finally:
        if draft is not None:
            with contextlib.suppress(OSError):
                Path(draft).unlink()
    return Path(path)


def refuse_unwritable(path: str | PathLike[str], folder: bool = False) -> None:
    """Say now, before hours of work, that a file, or a folder with its files, could not be written.

    Raises:
        TraceError: it could not be.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir() and not folder:
        raise TraceError(f"{path} cannot be written: it is a folder; name a file in it")
    there = next(place for place in (target, *target.parents) if place.exists())
    if not there.is_dir() and (folder or there != target):
        raise TraceError(f"{path} cannot be written: {there} is a file; name another place")
    if not os.access(there, os.W_OK):
        raise TraceError(f"{path} cannot be written: you may not write to {there}; name another place")


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
