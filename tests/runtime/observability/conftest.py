"""A station to watch: its hub is real, and what it says of itself is put into it by the test."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from nand_edge.inspection import Verdict
from nand_edge_runtime.observability import StationMetrics, metrics_of
from nand_edge_runtime.station.control import InForce, Status
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided, Hub
from nand_edge_runtime.station.records import FrameRecord, Reason
from nand_edge_runtime.station.states import PartState, PartStatus, StationState


class WatchedStation:
    """What the metrics and routes ask of a station."""

    def __init__(self) -> None:
        self.hub = Hub()
        parts = (
            PartStatus("camera top", PartState.RUNNING, "", 0.0, {"queue": 2, "reconnects": 3, "exposure": 250}),
            PartStatus("camera side", PartState.RECONNECTING, "no answer", 0.0, {"queue": 0, "reconnects": 7}),
            PartStatus("engine", PartState.RUNNING, "", 0.0, {"restarts": 1}),
            PartStatus("history", PartState.RUNNING, "", 0.0, {"backlog": 12}),
        )
        self.now = Status(
            name="cells", state=StationState.RUNNING, why="", since=0.0, run="r1", bundle="cell",
            bundle_sha256="a" * 64,
            target="onnx on CPU", in_force=InForce(("stain",), 0.7), parts=parts,
        )  # fmt: skip

    def status(self) -> Status:
        return self.now

    def change(self, state: StationState, why: str = "", **parts: PartState) -> None:
        """Put the station, and parts by the first word of their names, into another state."""
        changed = tuple(
            dataclasses.replace(part, state=parts.get(part.name.partition(" ")[0], part.state))
            for part in self.now.parts
        )
        self.now = dataclasses.replace(self.now, state=state, why=why, parts=changed)


@pytest.fixture
def station() -> WatchedStation:
    return WatchedStation()


@pytest.fixture
def metrics(station: WatchedStation) -> Iterator[StationMetrics]:
    made = metrics_of(station)  # type: ignore[arg-type]  # as much of a station as they ask for
    yield made
    made.close()


@pytest.fixture
def frame() -> CameraFrame:
    return CameraFrame(FrameKey("r1", "top", 0), np.zeros((4, 4, 3), np.uint8), "top-0", time.monotonic(), time.time())


@pytest.fixture
def decided(frame: CameraFrame) -> Callable[..., Decided]:
    """A frame of the camera `top` with a verdict."""

    def make(
        verdict: Verdict = Verdict.PASS, reason: Reason = Reason.INSPECTED, camera: str = "top", **more: object
    ) -> Decided:
        latency = {"queue": 1.0, "engine": 8.0, "total": 9.5}
        if reason is Reason.INSPECTED:
            more = {"score": 0.35, "base_score": 0.35, "threshold": 0.7, **more}
        record = FrameRecord(
            FrameKey("r1", camera, 0), "frame", 0.0, verdict, reason, latency_ms=latency, **more,  # type: ignore[arg-type]
        )  # fmt: skip
        return Decided(record, frame.image, None)

    return make
