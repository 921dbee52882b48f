"""The memory of this machine, and how much of it is free."""

from __future__ import annotations

import ctypes
import re
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Memory; None where the system does not tell.

    Attributes:
        total_mib: All of it, or what a container allows, MiB.
        available_mib: What a new program can have without swapping, MiB.
    """

    total_mib: int | None
    available_mib: int | None


class _WindowsStatus(ctypes.Structure):
    """Windows' MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "available", "a", "b", "c", "d", "e")),
    )


def read_memory(root: Path = Path("/")) -> Memory:
    """Read how much memory there is.

    Args:
        root: Where Linux's files are looked for.
    """
    if sys.platform == "win32":
        status = _WindowsStatus(length=ctypes.sizeof(_WindowsStatus))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return Memory(status.total >> 20, status.available >> 20)
    total, available = (_of_linux(root, name) for name in ("MemTotal", "MemAvailable"))
    limit = _limit(root)
    if total is None or limit is None or limit >= total:
        return Memory(total, available)
    return Memory(limit, None if available is None else min(available, limit))


def _of_linux(root: Path, name: str) -> int | None:
    try:
        information = (root / "proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s*(\d+) kB", information, re.MULTILINE)
    return int(found[1]) >> 10 if found else None


def _limit(root: Path) -> int | None:
    try:
        return int((root / "sys/fs/cgroup/memory.max").read_text(encoding="ascii")) >> 20
    except (OSError, ValueError):
        return None
