"""What a process gives up before code that a stranger wrote runs in it. Linux holds most of it, other systems some.

None of this is Python's word: audit hooks and tricks with builtins can be got around by Python code. Here the
kernel refuses. The one audit hook that there is only makes the refusals readable.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MEMORY = 1 << 30
"""Bytes of memory that an answer may take, besides those of the interpreter."""
PROCESSOR_S = 300
"""Seconds of processor time in all, a safety net: what is counted first is instructions."""
NOBODY = 65534
"""Whom root becomes: for root the kernel sets no limit to the number of processes."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_SIGKILL = 9


def confine(keep: int) -> list[str]:
    """Give up everything but the descriptor `keep`, for good.

    Returns:
        What could be given up here, in words.
    """
    _close_all_but(keep)
    held = []
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc is not None:
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    held += _limits(keep)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if libc is not None and libc.unshare(_CLONE_NEWNET if root else _CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        held.append("network")
    if root:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    if os.geteuid() != 0 and resource is not None:
        held.append("processes")
    if libc is not None:
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)  # changing who one is clears it
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        version = _landlock(libc)
        if version:
            held.append("files")
        if _no_signals(libc) or version >= 6:
            held.append("signals")
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _NoMore]
    sys.addaudithook(_explain)
    return held


def _close_all_but(keep: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.closerange(3, keep)
    os.closerange(keep + 1, 65536)


def _limits(keep: int) -> list[str]:
    if resource is None:
        return []
    taken = 0
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        taken = int(file.read().split()[0]) * resource.getpagesize()
    limits = {
        "RLIMIT_AS": taken + MEMORY,
        "RLIMIT_CPU": PROCESSOR_S,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_NOFILE": keep + 2,
    }
    held = []
    for name, limit in limits.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (limit, limit))
            held.append(name)
    return [word for word, name in (("memory", "RLIMIT_AS"), ("time", "RLIMIT_CPU")) if name in held]


def _landlock(libc: Any) -> int:
    """No file may be opened, no TCP port taken or called (Linux 5.13 and later; see landlock(7)).

    Returns:
        By which version of it; 0 if by none.
    """
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return 0
    files = (1 << (13 if version == 1 else 14 if version == 2 else 15 if version < 5 else 16)) - 1
    attributes = [files]
    if version >= 4:
        attributes.append(0b11)  # bind and connect
    if version >= 6:
        attributes.append(0b11)  # abstract sockets and signals
    packed = struct.pack(f"={len(attributes)}Q", *attributes)
    rules = libc.syscall(_LANDLOCK_CREATE_RULESET, packed, ctypes.c_size_t(len(packed)), 0)
    if rules < 0:
        return 0
    done = libc.syscall(_LANDLOCK_RESTRICT_SELF, rules, 0)
    os.close(rules)
    return int(version) if done == 0 else 0


_SIGNALLING = {
    "x86_64": (0xC000003E, (62, 129, 200, 234, 297, 310, 311, 424)),
    "aarch64": (0xC00000B7, (129, 130, 131, 138, 240, 270, 271, 424)),
}
"""By machine: AUDIT_ARCH, and the numbers of kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo,
process_vm_readv, process_vm_writev and pidfd_send_signal."""


def _no_signals(libc: Any) -> bool:
    """No signal may be sent to any process, be it of the same user (see seccomp(2)); Landlock has that since 6.12."""
    architecture, refused = _SIGNALLING.get(os.uname().machine, (0, ()))
    if not refused or sys.maxsize < 2**32:
        return False
    load, equal, at_least, done = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
    left = len(refused)  # a jump says how many instructions it leaves out
    program = [
        (load, 0, 0, 4),  # seccomp_data.arch
        (equal, 0, left + 3, architecture),
        (load, 0, 0, 0),  # seccomp_data.nr
        (at_least, left + 1, 0, 0x4000_0000),  # numbers of the x32 ABI
        *((equal, left - place, 0, number) for place, number in enumerate(refused)),
        (done, 0, 0, 0x7FFF_0000),  # SECCOMP_RET_ALLOW
        (done, 0, 0, 0x0005_0001),  # SECCOMP_RET_ERRNO, EPERM
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in program)
    held = ctypes.create_string_buffer(code, len(code))
    filtering = struct.pack("@HP", len(program), ctypes.addressof(held))
    return int(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(filtering), 0, 0)) == 0


# --- Sentences ---------------------------------------------------------------------------------------

_REFUSED = {
    "open": "open files",
    "os.listdir": "look into folders",
    "os.scandir": "look into folders",
    "os.remove": "delete files",
    "os.rename": "rename files",
    "os.mkdir": "make folders",
    "os.system": "start programs",
    "os.exec": "start programs",
    "os.posix_spawn": "start programs",
    "os.fork": "start processes",
    "os.forkpty": "start processes",
    "os.kill": "send signals",
    "os.killpg": "send signals",
    "subprocess.Popen": "start programs",
    "socket.__new__": "use the network",
    "socket.connect": "use the network",
    "socket.bind": "use the network",
    "socket.getaddrinfo": "use the network",
    "_thread.start_new_thread": "start threads",
    "ctypes.dlopen": "load libraries",
}


class _NoMore:
    """Says of a module that is not loaded what an answer has; for it could not be read any more."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        raise ModuleNotFoundError(
            f"an answer has raft_lab and the usual modules of the standard library, but not {name}", name=name
        )


def _explain(event: str, _: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        raise PermissionError(f"an answer may not {_REFUSED[event]}: here is nothing but self and the message")
