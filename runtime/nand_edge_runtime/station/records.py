"""The record: what became of a frame that entered the station, whether it was inspected or not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.station.frames import CameraFrame, FrameKey


class Reason(str, Enum):
    """Why a frame has its verdict. Only `INSPECTED` can be a pass."""

    INSPECTED = "inspected"
    NOT_A_NUMBER = "score is not a number"
    DEADLINE = "no verdict by the deadline"
    QUEUE_FULL = "queue full"
    ENGINE_FAILED = "engine failed"
    ENGINE_NOT_READY = "engine not ready"
    FRAME_REFUSED = "frame cannot be inspected"
    PAUSED = "station paused"
    OUTPUT_DOWN = "output down"
    STOPPED = "station stopped"
    KILLED = "station ended before the verdict"


@dataclass(frozen=True)
class FrameRecord:
    """What is kept of one frame.

    Attributes:
        key: The frame's identity.
        name: Its name.
        timestamp: Seconds since 1970 when it was taken.
        verdict: `pass` only if `reason` is `INSPECTED`.
        reason: Why.
        detail: More of the reason, in words; empty for an inspected frame.
        position: Place on the line, see `CameraFrame`.
        device_timestamp_ns: The camera's own clock.
        dropped_before: Frames of this camera that were dropped before it.
        score: Maximum of the final map; None where it was not inspected or is no finite number.
        base_score: Maximum of the base detector's map, likewise.
        threshold: What the score was compared with.
        suppressed: Whether the words turned a reject into a pass.
        clip_ran: Whether the gate let it into the CLIP branch.
        score_is_bound: Whether score and maps are bounds, after an early exit.
        normalities: Names of the active normalities.
        normalities_sha256: Hash of their vectors and bias in this order, 64 hexadecimal digits; empty if not inspected.
        bundle: The bundle's sha256.
        latency_ms: Milliseconds by stage: `queue`, `engine`, `total` (taken to verdict), and what the inspector gives.
    """

    key: FrameKey
    name: str
    timestamp: float
    verdict: Verdict
    reason: Reason
    detail: str = ""
    position: float | None = None
    device_timestamp_ns: int | None = None
    dropped_before: int = 0
    score: float | None = None
    base_score: float | None = None
    threshold: float | None = None
    suppressed: bool = False
    clip_ran: bool = False
    score_is_bound: bool = False
    normalities: tuple[str, ...] = ()
    normalities_sha256: str = ""
    bundle: str = ""
    latency_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold the first law: a frame that was not inspected is never a pass."""
        if self.verdict is Verdict.PASS and self.reason is not Reason.INSPECTED:
            raise ValueError(f"{self.key} cannot pass: {self.reason.value}")

    def to_json(self) -> dict[str, Any]:
        """One JSON object, flat but for `latency_ms` and `normalities`."""
        document = {name: getattr(self, name) for name in _PLAIN}
        return {
            "run": self.key.run,
            "camera": self.key.camera,
            "number": self.key.number,
            **document,
            "verdict": self.verdict.value,
            "reason": self.reason.value,
            "normalities": list(self.normalities),
            "latency_ms": {stage: round(milliseconds, 3) for stage, milliseconds in self.latency_ms.items()},
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> FrameRecord:
        """The record of `to_json`.

        Raises:
            KeyError, ValueError: It is none.
        """
        return cls(
            key=FrameKey(document["run"], document["camera"], int(document["number"])),
            verdict=Verdict(document["verdict"]),
            reason=Reason(document["reason"]),
            normalities=tuple(document["normalities"]),
            latency_ms=dict(document["latency_ms"]),
            **{name: document[name] for name in _PLAIN},
        )


_PLAIN = (
    "name", "timestamp", "detail", "position", "device_timestamp_ns", "dropped_before", "score", "base_score",
    "threshold", "suppressed", "clip_ran", "score_is_bound", "normalities_sha256", "bundle",
)  # fmt: skip


Judge = Callable[[str, Inspection], Inspection]
"""Given a frame's name and its inspection, the inspection that counts."""


def inspected(
    frame: CameraFrame, inspection: Inspection, *, normalities_sha256: str, latency_ms: dict[str, float]
) -> FrameRecord:
    """The record of a frame that went through the engine: a reject unless score and maps are finite numbers."""
    wrong = _not_finite(inspection)
    return FrameRecord(
        key=frame.key,
        name=frame.name,
        timestamp=frame.timestamp,
        verdict=Verdict.REJECT if wrong else inspection.verdict,
        reason=Reason.NOT_A_NUMBER if wrong else Reason.INSPECTED,
        detail=wrong,
        position=frame.position,
        device_timestamp_ns=frame.device_timestamp_ns,
        dropped_before=frame.dropped_before,
        score=inspection.score if math.isfinite(inspection.score) else None,
        base_score=inspection.base_score if math.isfinite(inspection.base_score) else None,
        threshold=inspection.threshold,
        suppressed=inspection.suppressed,
        clip_ran=inspection.clip_ran,
        score_is_bound=inspection.score_is_bound,
        normalities=inspection.normalities,
        normalities_sha256=normalities_sha256,
        bundle=inspection.bundle,
        latency_ms={**inspection.latency_ms, **latency_ms},
    )


def _not_finite(inspection: Inspection) -> str:
    """What of an inspection is no finite number; empty when all is well. A maximum may have lost a map's NaN."""
    if not (math.isfinite(inspection.score) and math.isfinite(inspection.base_score)):
        return f"score {inspection.score}, base score {inspection.base_score}"
    maps = {
        "anomaly map": inspection.anomaly_map,
        "base map": inspection.base_map,
        "suppression map": inspection.suppression_map,
    }
    return ", ".join(f"{name} with values that are not finite" for name, drawn in maps.items() if _has_faults(drawn))


def _has_faults(drawn: NDArray[np.float32]) -> bool:
    return not bool(np.isfinite(drawn).all())


def not_inspected(frame: CameraFrame, reason: Reason, detail: str, *, latency_ms: dict[str, float]) -> FrameRecord:
    """The reject of a frame that was not inspected."""
    return FrameRecord(
        key=frame.key,
        name=frame.name,
        timestamp=frame.timestamp,
        verdict=Verdict.REJECT,
        reason=reason,
        detail=detail,
        position=frame.position,
        device_timestamp_ns=frame.device_timestamp_ns,
        dropped_before=frame.dropped_before,
        latency_ms=latency_ms,
    )
