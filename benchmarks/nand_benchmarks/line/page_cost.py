"""What a look at the live page costs the inspection: its throughput with and without, by turns."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nand_benchmarks.line.endurance import write_pictures
from nand_benchmarks.line.page import Page, add_user
from nand_benchmarks.line.processes import free_port
from nand_benchmarks.line.station_process import FRAMES, StationProcess

_SETTLE_S = 3.0


@dataclass(frozen=True)
class PageCost:
    """What looking at the live page costs the inspection.

    Attributes:
        without: Frames a second, in each stretch without.
        loading: In each stretch in which pages were loaded.
        loads: Pages that were loaded in all.
    """

    without: list[float]
    loading: list[float]
    loads: int

    @property
    def share(self) -> float:
        """The share of the throughput that is lost, from the medians of neighbouring stretches."""
        pairs = zip(self.without, self.loading, strict=True)
        return float(np.median([1 - slow / fast for fast, slow in pairs]))

    def to_json(self) -> dict[str, Any]:
        """The figures for the results."""
        return {**vars(self), "share": round(self.share, 4)}


def run_page_cost(
    bundle: Path,
    folder: Path,
    *,
    stretches: int,
    seconds: float,
    every_s: float,
    on_stretch: Callable[[int], None] = lambda _: None,
) -> PageCost:
    """Let frames through as fast as they are inspected, and load the page by turns.

    Args:
        bundle: What inspects them.
        folder: An empty folder.
        stretches: How many with, and as many without.
        seconds: How long each is.
        every_s: How often the page is loaded.
        on_stretch: Told how many pairs there were so far.
    """
    document = {
        "name": "page",
        "bundle": str(bundle),
        "engine": {"threads": 1},
        "camera": [
            {
                "name": "camera", "source": str(write_pictures(folder / "pictures")), "kind": "folder", "loop": True,
                "queue": 8, "deadline_ms": 10_000,
            }
        ],
        "web": {"port": (port := free_port())},
    }  # fmt: skip
    station = StationProcess(folder, document, port=port)
    try:
        station.start(120)
        add_user(station.state_folder)
        page = Page(port)
        time.sleep(_SETTLE_S)
        without, loading, loads = [], [], 0
        for number in range(stretches):
            without.append(_throughput(station, seconds))
            visitor = Loading(page.load, every_s)
            visitor.start()
            loading.append(_throughput(station, seconds))
            visitor.stop()
            loads += visitor.loads
            on_stretch(number + 1)
    finally:
        station.stop()
    return PageCost(without, loading, loads)


def _throughput(station: StationProcess, seconds: float) -> float:
    """Frames a second."""
    began, before = time.monotonic(), station.metric(FRAMES)
    time.sleep(seconds)
    count, ended = station.metric(FRAMES), time.monotonic()
    return round((count - before) / (ended - began), 2)


class Loading(threading.Thread):
    """Somebody who loads the page again and again.

    Args:
        load: Loads it once.
        every_s: How often.
    """

    def __init__(self, load: Callable[[], object], every_s: float) -> None:
        super().__init__(daemon=True)
        self._load, self._every_s, self._stopping = load, every_s, threading.Event()
        self.loads = 0

    def run(self) -> None:
        """Load until it is stopped."""
        while not self._stopping.is_set():
            with contextlib.suppress(OSError):
                self._load()
                self.loads += 1
            self._stopping.wait(self._every_s)

    def stop(self) -> None:
        """Load no more."""
        self._stopping.set()
        self.join(30)
