"""The station as a line has it: `nand-edge serve` with a settings file, started again whenever it ends by itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nand_benchmarks.line.processes import Process, descendants

_LOOK_S = 0.02
_CRASH_PAUSE_S = 0.2

SERVE = (str(Path(sys.executable).with_name("nand-edge")), "serve")

FRAMES = "nand_edge_frames_total"
"""The metric that counts frames that entered."""


@dataclass(frozen=True)
class Surroundings:
    """What a station's process runs in.

    Attributes:
        prefix: Goes before its command.
        environment: Variables beside this process's.
        root: Where its files are seen from outside, where it sees other ones.
    """

    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    root: Path = Path("/")


class StationProcess:
    """A station and what a service manager does for it.

    Args:
        folder: Where settings and log go; the state folder is `state` within it.
        document: The settings, as TOML has them, without the state folder.
        port: The live page's.
        surroundings: What it runs in.
    """

    def __init__(
        self, folder: Path, document: Mapping[str, Any], *, port: int, surroundings: Surroundings | None = None
    ) -> None:
        self.folder, self.port = folder, port
        self._surroundings = surroundings or Surroundings()
        state = folder / "state"
        self.state_folder = self._surroundings.root / state.relative_to("/")
        settings = folder / "station.toml"
        settings.write_text(to_toml({"state_folder": str(state), **document}), encoding="utf-8")
        command = (*self._surroundings.prefix, *SERVE, str(settings))
        self._process = Process(command, folder / "station.log", self._surroundings.environment)
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._start_again, name="service manager", daemon=True)
        self.restarts: list[float] = []
        """When it was started again, seconds of `time.monotonic()`."""

    @property
    def pid(self) -> int:
        """The station's own process."""
        return self._process.pid

    def start(self, timeout_s: float = 60.0) -> None:
        """Start it and wait until it inspects.

        Raises:
            TimeoutError: It does not in time; the message has its last words.
        """
        self._process.start()
        self._watch.start()
        self.wait_until_ready(timeout_s)

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until it says that it inspects frames.

        Raises:
            TimeoutError: See `start`.
        """
        until = time.monotonic() + timeout_s
        while not self.is_ready():
            if time.monotonic() > until:
                raise TimeoutError(f"the station is not ready:\n{self.output()[-2000:]}")
            time.sleep(_LOOK_S)

    def is_ready(self) -> bool:
        """Whether it says that it inspects frames."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self) -> dict[str, float]:
        """What it measures of itself, by name with labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}

    def children(self, *containing: str) -> dict[int, str]:
        """Its processes whose command line contains one of these texts; all of them without a text."""
        return {
            pid: command
            for pid, command in descendants(self.pid).items()
            if not containing or any(text in command for text in containing)
        }

    def processes(self) -> tuple[int, ...]:
        """The station's process and all below it."""
        return (self.pid, *descendants(self.pid))

    def engine(self) -> str:
        """The engine in words, as the station's metrics have it."""
        info = next((name for name in self.metrics() if name.startswith("nand_edge_station_info")), "")
        return info.partition('target="')[2].partition('"')[0]

    def metric(self, name: str) -> float:
        """The sum of a metric over all its labels."""
        return sum(value for known, value in self.metrics().items() if known.partition("{")[0] == name)

    @staticmethod
    def signal(pid: int, number: signal.Signals) -> None:
        """Send one of its processes a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def kill(self) -> None:
        """`kill -9`; whoever watches starts it again at once."""
        self._process.send(signal.SIGKILL)

    def stop(self) -> float:
        """End it by SIGTERM for good; the seconds that it took."""
        self._stopping.set()
        if self._watch.ident is not None:
            self._watch.join(5)
        return self._process.stop()

    def output(self) -> str:
        """What it logged."""
        return self._process.output()

    def _start_again(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            if self._process.is_running:
                continue
            if self.restarts and time.monotonic() - self.restarts[-1] < 1:
                self._stopping.wait(_CRASH_PAUSE_S)
            self.restarts.append(time.monotonic())
            with contextlib.suppress(OSError):
                self._process.start()


def to_toml(document: Mapping[str, Any]) -> str:
    """A settings file; tables and lists of tables one level deep, and inline tables below."""
    plain, tables = [], []
    for key, value in document.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{key}]\n" + _lines(value))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            tables += [f"\n[[{key}]]\n" + _lines(item) for item in value]
        else:
            plain.append(f"{key} = {_value(value)}\n")
    return "".join(plain + tables)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value)
