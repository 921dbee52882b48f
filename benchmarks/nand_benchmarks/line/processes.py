"""Processes of the line that are started, killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_BENCHMARKS = Path(__file__).resolve().parents[2]
_LOOK_S = 0.02


class Process:
    """A command that can be started again and again, its output in a file.

    Args:
        command: What is started.
        log: Where its output goes, one start after the other.
        environment: Variables beside this process's.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command, self._log = tuple(command), log
        self._environment = {**os.environ, "PYTHONPATH": str(_BENCHMARKS), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its identity.

        Raises:
            RuntimeError: It was not started.
        """
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, in a process group of its own."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - commands of the benchmark
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                start_new_session=True,
            )  # fmt: skip

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, by SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def stop(self, timeout_s: float = 5.0) -> float:
        """End it by SIGTERM, and by SIGKILL when it does not listen; the seconds that it took."""
        began = time.monotonic()
        if self._process is not None:
            self.send(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return time.monotonic() - began

    def output(self) -> str:
        """What it said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.is_file() else ""


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """The command of a module of this package."""
    return (sys.executable, "-m", f"nand_benchmarks.line.{name}", *arguments)


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for_port(port: int, timeout_s: float = 15.0) -> None:
    """Wait until somebody listens at a port of loopback.

    Raises:
        TimeoutError: Nobody does in time.
    """
    until = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > until:
            raise TimeoutError(f"nobody listens at port {port}")
        time.sleep(_LOOK_S)


def descendants(pid: int) -> dict[int, str]:
    """The processes below a process, each with its command line."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            # The command in brackets may hold anything; what comes after the last one does not.
            parents[int(entry.name)] = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            commands[int(entry.name)] = command.decode("utf-8", "replace").strip()
    found: dict[int, str] = {}
    below = {pid}
    while below:
        below = {child for child, parent in parents.items() if parent in below} - set(found)
        found |= {child: commands.get(child, "") for child in below}
    return found
