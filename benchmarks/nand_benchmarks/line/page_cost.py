"""What a look at the live page costs the inspection: its throughput with and without, by turns."""

from __future__ import annotations

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
_GLANCE_S = 1.0


@dataclass(frozen=True)
class PageCost:
    """What looking at the live page costs the inspection.

    Attributes:
        without: Frames a second, in each stretch in which nobody looked.
        loading: In each stretch in which the page was loaded, and its live pictures were looked at for a second.
        watching: In each stretch in which somebody looked at the live pictures all the time.
        loads: Pages that were loaded in all.
    """

    without: list[float]
    loading: list[float]
    watching: list[float]
    loads: int

    def share(self, others: list[float]) -> float:
        """The share of the throughput that is lost: the median over neighbouring stretches."""
        return float(np.median([1 - slow / fast for fast, slow in zip(self.without, others, strict=True)]))

    def to_json(self) -> dict[str, Any]:
        """The figures for the results."""
        shares = {"share": self.share(self.loading), "watching_share": self.share(self.watching)}
        return {**vars(self), **{name: round(share, 4) for name, share in shares.items()}}


def run_page_cost(
    bundle: Path,
    folder: Path,
    *,
    stretches: int,
    seconds: float,
    on_stretch: Callable[[int], None] = lambda _: None,
) -> PageCost:
    """Let frames through as fast as they are inspected, and look at the page by turns.

    Args:
        bundle: What inspects them.
        folder: An empty folder.
        stretches: How many of each kind.
        seconds: How long each is.
        on_stretch: Told how many of each kind there were so far.
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
        cost = PageCost([], [], [], stretches)
        for number in range(stretches):
            cost.without.append(_throughput(station, seconds, lambda: None))
            cost.loading.append(_throughput(station, seconds, lambda: _glance(page)))
            cost.watching.append(_throughput(station, seconds, lambda: page.watch(seconds)))
            on_stretch(number + 1)
    finally:
        station.stop()
    return cost


def _glance(page: Page) -> None:
    page.load()
    page.watch(_GLANCE_S)


def _throughput(station: StationProcess, seconds: float, meanwhile: Callable[[], object]) -> float:
    """Frames a second over a stretch in which somebody does something."""
    visitor = threading.Thread(target=meanwhile, daemon=True)
    began, before = time.monotonic(), station.metric(FRAMES)
    visitor.start()
    time.sleep(seconds)
    count, ended = station.metric(FRAMES), time.monotonic()
    visitor.join()
    return round((count - before) / (ended - began), 2)
