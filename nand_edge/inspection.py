"""The inspection: all that is known of one frame after it went through the engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Verdict(str, Enum):
    """What happens to the part."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REJECT = "reject"


def decide(score: float, threshold: float) -> Verdict:
    """`pass` only for a score that is certainly below the threshold; NaN is a `reject`."""
    return Verdict.PASS if score < threshold else Verdict.REJECT


@dataclass(frozen=True)
class Inspection:
    """The result for one frame.

    Attributes:
        frame: The frame's name (a path, a camera and a number).
        index: Its place in the source, from 0.
        timestamp: Seconds since 1970 when it was taken or read.
        score: Maximum of the final map; a bound of it where `score_is_bound`.
        base_score: Maximum of the base detector's map.
        threshold: What the score was compared with.
        verdict: `pass` or `reject`.
        clip_ran: Whether the gate let this frame into the CLIP branch.
        taps_run: How many taps of the CLIP branch it went through.
        score_is_bound: Whether an early exit knew the verdict before the last tap: the verdict is that of all taps, and
            score, final map and suppression map are bounds, the highest possible ones of a frame that passes and the
            lowest of one that is rejected.
        normalities: Names of the active normalities.
        latency_ms: Milliseconds by stage (`engine`, `total`, ...).
        bundle: The bundle's sha256.
        anomaly_map: float32 [M, M], final map (Eq. 6 of NAND); [0, 0], as the other maps, where the bundle gives none.
        base_map: float32 [M, M], the base detector's map.
        suppression_map: float32 [M, M] in [0, 1]; zeros when the CLIP branch did not run.
        region: float32 [M, M], 1 where the frame was inspected, else 0; None for everywhere.
    """

    frame: str
    index: int
    timestamp: float
    score: float
    base_score: float
    threshold: float
    verdict: Verdict
    clip_ran: bool
    normalities: tuple[str, ...]
    latency_ms: dict[str, float]
    bundle: str
    anomaly_map: NDArray[np.float32]
    base_map: NDArray[np.float32]
    suppression_map: NDArray[np.float32]
    region: NDArray[np.float32] | None = None
    taps_run: int = 0
    score_is_bound: bool = False

    @property
    def has_maps(self) -> bool:
        """Whether the bundle gives maps, not scores alone."""
        return self.anomaly_map.size > 0

    @property
    def suppressed(self) -> bool:
        """Whether the words turned a reject into a pass."""
        return self.verdict is Verdict.PASS and decide(self.base_score, self.threshold) is Verdict.REJECT

    def to_json(self) -> dict[str, Any]:
        """The inspection as one JSON object, without the maps; a score that is no number becomes null."""
        return {
            "frame": self.frame,
            "index": self.index,
            "timestamp": self.timestamp,
            "score": _finite(self.score),
            "base_score": _finite(self.base_score),
            "threshold": _finite(self.threshold),
            "verdict": self.verdict.value,
            "suppressed": self.suppressed,
            "clip_ran": self.clip_ran,
            "taps_run": self.taps_run,
            "score_is_bound": self.score_is_bound,
            "normalities": list(self.normalities),
            "latency_ms": {stage: round(milliseconds, 3) for stage, milliseconds in self.latency_ms.items()},
            "bundle": self.bundle,
        }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
