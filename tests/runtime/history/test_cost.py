"""Writing down costs a frame next to nothing, and months of frames neither memory nor file handles."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from history.made_frames import OpenHistory, make_decided, make_frame
from numpy.typing import NDArray

from nand_edge_runtime.history import History, Query

pytestmark = pytest.mark.station

FRAMES = int(os.environ.get("NAND_EDGE_HISTORY_FRAMES", "6000"))
"""How many frames are written down; the long form is NAND_EDGE_HISTORY_FRAMES=200000."""


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def write_down_timed(history: History, numbers: range, times: NDArray[np.float64]) -> None:
    """Note the seconds that entrance and verdict of each frame cost the calling thread."""
    for number in numbers:
        frame = make_frame(number)
        decided = make_decided(frame)
        began = time.perf_counter()
        history.entered(frame)
        history.decided(decided)
        times[number] = time.perf_counter() - began


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_many_frames(open_history: OpenHistory, record_property: pytest.RecordProperty) -> None:
    history = open_history(picture_passes_every=200)
    began = time.monotonic()
    times = np.zeros(FRAMES)
    memory: list[float] = []
    files: list[int] = []
    for tenth in range(10):
        write_down_timed(history, range(tenth * FRAMES // 10, (tenth + 1) * FRAMES // 10), times)
        assert history.flushed(60.0)
        memory.append(resident_megabytes())
        files.append(open_files())
    seconds = time.monotonic() - began
    p50, p99 = (float(figure) * 1e6 for figure in np.percentile(times, (50, 99)))
    found = {
        "p50_us": p50, "p99_us": p99, "max_ms": float(times.max()) * 1e3, "facts_per_second": 2 * FRAMES / seconds,
        "memory_mb": [round(figure, 1) for figure in memory], "files": files,
    }  # fmt: skip
    print(found)
    record_property("found", found)
    assert history.count(Query())["frames"] == FRAMES
    assert history.status().facts["lost"] == 0
    assert memory[-1] - memory[0] < 5 + 20 * (FRAMES < 100_000), "megabytes; caches fill in the short form"
    assert max(files[1:]) - min(files[1:]) <= 3
