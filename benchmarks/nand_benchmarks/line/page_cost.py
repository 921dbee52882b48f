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
_EVERY_S = 5.0
"""A page is loaded once in so many seconds; what is measured around the load is a part of them."""

_CERTAIN = 1.96
"""Standard errors on either side that hold the mean 19 times in 20."""


@dataclass(frozen=True)
class PageCost:
    """What looking at the live page costs the inspection.

    A line's throughput wanders by several per cent from second to second, on its own. So the stretches are short and
    many, those of each kind in turns, and the mean over all turns comes with its error.

    Attributes:
        seconds: How long a stretch is.
        without: Frames a second, in each stretch in which nobody looked.
        loading: In each stretch in which the page was loaded, and its live pictures were looked at for a second.
        watching: In each stretch in which somebody looked at the live pictures all the time.
    """

    seconds: float
    without: list[float]
    loading: list[float]
    watching: list[float]

    def lost(self, others: list[float]) -> tuple[float, float]:
        """The share of the throughput that is lost during these stretches, and its error to either side."""
        lost = 1 - np.array(others) / np.array(self.without)
        error = _CERTAIN * float(lost.std(ddof=1)) / len(lost) ** 0.5 if len(lost) > 1 else float("nan")
        return float(lost.mean()), error

    def to_json(self) -> dict[str, Any]:
        """The figures for the results; `share` is that of a page load every five seconds."""
        during, watching = self.lost(self.loading), self.lost(self.watching)
        shares = {
            "share": [each * self.seconds / _EVERY_S for each in during],
            "share_during": during,
            "watching_share": watching,
        }
        rounded = {name: [round(each, 4) for each in pair] for name, pair in shares.items()}
        return {**vars(self), "loads": len(self.loading), "every_s": _EVERY_S, **rounded}


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
        cost = PageCost(seconds, [], [], [])
        kinds: list[tuple[list[float], Callable[[], object]]] = [
            (cost.without, lambda: None),
            (cost.loading, lambda: _glance(page)),
            (cost.watching, lambda: page.watch(seconds)),
        ]
        for number in range(stretches):
            # There and back: what grows or falls over a turn costs each kind the same.
            for rates, look in kinds if number % 2 else reversed(kinds):
                rates.append(_throughput(station, seconds, look))
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
