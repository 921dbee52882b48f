"""A web that runs under a line-scan camera: its settings, its blocks of lines, and what becomes of its tiles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from toy_bundle import toy_graph, toy_manifest, toy_normality

from nand_edge.bundle import GRAPH, write_manifest
from nand_edge.inspection import Inspection, decide
from nand_edge.normality import write_normality
from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.line_scan import LineScanSettings, judge_trusted
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided
from nand_edge_runtime.station.records import Reason, inspected, not_inspected

Blocks = Callable[..., Iterator[Taken]]
Settings = Callable[..., LineScanSettings]

REACH = 16
CONTRAST = 2.0


@pytest.fixture(scope="session")
def line_scan() -> Settings:
    """Settings of small tiles, 64 lines with 24 in common, one millimetre a pixel."""

    def settings(**given: Any) -> LineScanSettings:
        small: dict[str, Any] = {
            "tile_height": 64, "overlap": 8, "overlap_across": 8, "context": 8, "stride": 8,
            "millimetres_per_line": 1.0, "millimetres_per_column": 1.0,
        }  # fmt: skip
        return LineScanSettings(**{**small, **given})

    return settings


@pytest.fixture(scope="session")
def blocks() -> Blocks:
    """Cuts a web into the blocks that a camera gives; block n is taken at second n."""

    def cut(
        web: NDArray[np.uint8], heights: int | Iterable[int] = 16, *, positions: bool = False, first: int = 0
    ) -> Iterator[Taken]:
        every = iter(lambda: heights, None) if isinstance(heights, int) else iter(heights)
        line, number = 0, first
        while line < len(web):
            height = next(every)
            yield Taken(
                web[line : line + height],
                f"block {number}",
                float(number),
                1000.0 + number,
                device_timestamp_ns=number,
                position=float(line) if positions else None,
            )
            line, number = line + height, number + 1

    return cut


@dataclass
class Line:
    """A line without cameras and outputs: tiles in, what the hub would tell of them out.

    Attributes:
        threshold: What scores are compared with.
        number: How many tiles there were.
    """

    threshold: float = 0.5
    number: int = 0
    normalities: tuple[str, ...] = ()
    run: str = "run"
    suppression: Callable[[NDArray[np.float32]], NDArray[np.float32]] = field(default=np.zeros_like)

    def frame(self, tile: Taken) -> CameraFrame:
        """The tile with its number."""
        key = FrameKey(self.run, tile.name.split(" lines")[0], self.number)
        self.number += 1
        return CameraFrame(
            key, tile.image, tile.name, tile.taken, tile.timestamp, position=tile.position, fault=tile.fault
        )

    def judged(self, tile: Taken) -> Decided:
        """Judged by a detector whose map is the grey value, one cell a pixel; a tile with a fault is a reject."""
        frame = self.frame(tile)
        if frame.fault:
            return self.rejected(frame, Reason.FRAME_REFUSED, frame.fault)
        base = tile.image[:, :, 0].astype(np.float32) / 255
        final = base * (1 - self.suppression(base))
        inspection = Inspection(
            frame=tile.name, index=frame.key.number, timestamp=tile.timestamp, score=float(final.max()),
            base_score=float(base.max()), threshold=self.threshold, verdict=decide(float(final.max()), self.threshold),
            clip_ran=True, normalities=self.normalities, latency_ms={}, bundle="b" * 64, anomaly_map=final,
            base_map=base, suppression_map=self.suppression(base),
        )  # fmt: skip
        inspection = judge_trusted(tile.name, inspection)
        return Decided(inspected(frame, inspection, normalities_sha256="", latency_ms={}), tile.image, inspection)

    def judge_all(self, tiles: Iterable[Taken]) -> list[Decided]:
        """Judge tiles in their order."""
        return [self.judged(tile) for tile in tiles]

    def rejected(self, frame: CameraFrame, reason: Reason, detail: str = "") -> Decided:
        """Not inspected."""
        return Decided(not_inspected(frame, reason, detail, latency_ms={}), frame.image, None)


@pytest.fixture(scope="session")
def line() -> type[Line]:
    """Makes lines with an ideal detector."""
    return Line


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits until something holds, five seconds at most."""

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 5
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def contrast_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose detector looks 16 pixels around, and takes what lies outside of its frame for black.

    Its base map is the difference between a pixel and the mean of its neighbourhood, as far off at a frame's edge as
    detectors are that pad with zeros. Frames of 256 x 256 go through it pixel by pixel.
    """
    folder = tmp_path_factory.mktemp("bundles") / "contrast.nand"
    (folder / "normalities").mkdir(parents=True)
    model = toy_graph(CONTRAST / 255)
    squeeze = next(place for place, node in enumerate(model.graph.node) if node.op_type == "Squeeze")
    model.graph.node[squeeze].input[0] = "contrast"
    side = 2 * REACH + 1
    added = [
        helper.make_node(
            "AveragePool", [before], [after], kernel_shape=kernel, pads=[*reach, *reach], count_include_pad=1
        )
        for before, after, kernel, reach in (
            ("resized", "above_and_below", [side, 1], [REACH, 0]),
            ("above_and_below", "around", [1, side], [0, REACH]),
        )
    ]
    added += [
        helper.make_node("Sub", ["resized", "around"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["contrast"]),
    ]
    for offset, node in enumerate(added):
        model.graph.node.insert(squeeze + offset, node)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / GRAPH)
    for name, normal in (("bright", [0, 1]), ("dark", [1, 0])):
        write_normality(toy_normality(name, normal), folder / f"normalities/{name}.normality")
    write_manifest(folder, toy_manifest("contrast"))
    return folder
