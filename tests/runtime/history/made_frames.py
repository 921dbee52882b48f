"""Frames and verdicts to write down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.history import History
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided
from nand_edge_runtime.station.records import FrameRecord, Reason

OpenHistory = Callable[..., History]
"""The fixture `open_history`."""

IMAGE = np.zeros((6, 8, 3), np.uint8)


def make_frame(number: int = 0, camera: str = "top", run: str = "run-1", **more: Any) -> CameraFrame:
    """A frame as a camera gives it."""
    values = {"name": f"{camera}-{number}.png", "timestamp": 1_700_000_000.0 + number, "image": IMAGE, **more}
    return CameraFrame(FrameKey(run, camera, number), taken=time.monotonic(), **values)


def make_record(frame: CameraFrame, verdict: Verdict = Verdict.PASS, **more: Any) -> FrameRecord:
    """Its record; an inspected one unless another reason is given."""
    score = 0.2 if verdict is Verdict.PASS else 0.9
    values: dict[str, Any] = {
        "name": frame.name, "timestamp": frame.timestamp, "position": frame.position,
        "device_timestamp_ns": frame.device_timestamp_ns, "dropped_before": frame.dropped_before,
        "reason": Reason.INSPECTED, "score": score,
        "base_score": score, "threshold": 0.5, "normalities": ("stain",), "normalities_sha256": "b" * 64,
        "bundle": "a" * 64, "latency_ms": {"queue": 1.0, "engine": 8.0, "total": 9.5}, **more,
    }  # fmt: skip
    return FrameRecord(frame.key, verdict=verdict, **values)


def make_inspection(frame: CameraFrame, maps: np.ndarray[Any, Any] | None = None) -> Inspection:
    """What the engine said of it, with maps."""
    anomaly_map = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8) if maps is None else maps
    return Inspection(
        frame=frame.name, index=0, timestamp=frame.timestamp, score=0.9, base_score=0.9, threshold=0.5,
        verdict=Verdict.REJECT, clip_ran=True, normalities=("stain",), latency_ms={}, bundle="a" * 64,
        anomaly_map=anomaly_map, base_map=anomaly_map * 2, suppression_map=anomaly_map / 2,
    )  # fmt: skip


def make_decided(frame: CameraFrame, verdict: Verdict = Verdict.PASS, **more: Any) -> Decided:
    """Its verdict without maps."""
    return Decided(make_record(frame, verdict, **more), frame.image, None)


def write_down(history: History, frame: CameraFrame, verdict: Verdict = Verdict.PASS, **more: Any) -> FrameRecord:
    """Let a frame enter and get its verdict."""
    history.entered(frame)
    decided = make_decided(frame, verdict, **more)
    history.decided(decided)
    return decided.record


def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Wait until something is so, and say whether it is."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
