"""A station runs for months: nothing that a frame needs may stay behind when it is judged."""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from pathlib import Path

import pytest
from toy_bundle import Spot

from nand_edge_runtime import Inspector

FRAMES = 1500
PAGE = 4096


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def judge(inspector: Inspector, spot: Spot, frames: int) -> None:
    """Frames on both sides of the gate, the normalities changed now and then."""
    shut, opened = spot(inside=60), spot(inside=230)
    for number in range(frames):
        if number % 50 == 0:
            inspector.set_normalities(["bright"] if number % 100 else ["dark", "bright"])
        json.dumps(inspector.inspect(opened if number % 3 == 0 else shut).to_json())
    gc.collect()


def test_python_keeps_nothing_of_a_frame(inspector: Inspector, spot: Spot) -> None:
    judge(inspector, spot, 100)
    tracemalloc.start()
    try:
        judge(inspector, spot, 100)
        before, _ = tracemalloc.get_traced_memory()
        judge(inspector, spot, FRAMES)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 30 * FRAMES, "bytes: not even one number of a frame"


@pytest.mark.skipif(sys.platform != "linux", reason="a process's memory is read by Linux's means")
def test_the_engine_keeps_nothing_of_a_frame(inspector: Inspector, spot: Spot) -> None:
    judge(inspector, spot, 200)
    grown = []
    for _ in range(3):  # what a frame leaves behind grows in each; what tests before this one still let go of, in one
        before = resident_bytes()
        judge(inspector, spot, FRAMES)
        grown.append(resident_bytes() - before)
    assert min(grown) < 4 << 20, "bytes; keeping the maps of one frame in a hundred would be more"
