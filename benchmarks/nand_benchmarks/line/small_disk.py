"""A file system of a few megabytes over one folder, which only the station sees."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from nand_benchmarks.line.station_process import Surroundings

_WAYS = (("--mount",), ("--map-root-user", "--mount"))
"""As root, and as anybody where the kernel lets people have name spaces of their own."""


class SmallDisk:
    """A name space of mounts, held by a process, in which a folder is a small file system in memory.

    Args:
        folder: The folder.
        megabytes: How much goes into it.

    Raises:
        OSError: There is no program for it here, or it may not be done.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        state = folder / "state"
        state.mkdir(parents=True, exist_ok=True)
        mounting = f'mount -t tmpfs -o size={megabytes}m none "$0" && echo mounted && exec sleep 86400'
        failures = []
        for way in _WAYS:
            command = (shutil.which("unshare") or "unshare", *way, "sh", "-c", mounting, str(state))
            holder = subprocess.Popen(  # noqa: S603 - a constant command
                command, stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            if holder.stdout is not None and holder.stdout.readline().strip() == "mounted":
                self._holder, self._has_own_users = holder, "--map-root-user" in way
                return
            failures.append((holder.communicate(timeout=5)[1] or "").strip())
        raise OSError("; ".join(failures))

    def surroundings(self) -> Surroundings:
        """What a station runs in that sees the small disk."""
        users = ("--user", "--preserve-credentials") if self._has_own_users else ()
        prefix = ("nsenter", "--target", str(self._holder.pid), *users, "--mount", f"--wd={os.getcwd()}")  # noqa: PTH109
        return Surroundings(prefix=prefix, root=Path(f"/proc/{self._holder.pid}/root"))

    def close(self) -> None:
        """Let go of it; it goes with its last process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._holder.pid, signal.SIGKILL)
        self._holder.wait(5)
