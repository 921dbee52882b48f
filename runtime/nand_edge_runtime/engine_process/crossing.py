"""An inspection as it crosses from the engine's process: numbers as JSON, maps in shared memory."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.station.frames import CameraFrame

Maps = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Final map, base map and suppression map, each float32 [M, M]."""


def facts_of(inspection: Inspection, place: NDArray[np.float32]) -> dict[str, Any]:
    """What the engine's process sends; the maps are written into `place`, float32 [3, M, M]."""
    return {
        "score": inspection.score,
        "base_score": inspection.base_score,
        "threshold": inspection.threshold,
        "verdict": inspection.verdict.value,
        "clip_ran": inspection.clip_ran,
        "normalities": inspection.normalities,
        "latency_ms": inspection.latency_ms,
        "bundle": inspection.bundle,
        "taps_run": inspection.taps_run,
        "score_is_bound": inspection.score_is_bound,
        "untouched": _write_maps(place, inspection),
    }


def inspection_of(
    frame: CameraFrame,
    facts: dict[str, Any],
    place: NDArray[np.float32],
    *,
    region: NDArray[np.float32] | None,
    waited_ms: float,
) -> Inspection:
    """The inspection of what `facts_of` gave.

    Args:
        frame: What was inspected.
        facts: What came.
        place: Where the maps are, float32 [3, M, M]; they are copied.
        region: Where the frame was inspected.
        waited_ms: How long the station waited; what the engine did not take of it is the stage `transfer`.
    """
    anomaly_map, base_map, suppression_map = _read_maps(place, untouched=facts["untouched"])
    latency_ms: dict[str, float] = facts["latency_ms"]
    return Inspection(
        frame=frame.name,
        index=frame.key.number,
        timestamp=frame.timestamp,
        score=facts["score"],
        base_score=facts["base_score"],
        threshold=facts["threshold"],
        verdict=Verdict(facts["verdict"]),
        clip_ran=facts["clip_ran"],
        taps_run=facts["taps_run"],
        score_is_bound=facts["score_is_bound"],
        normalities=tuple(facts["normalities"]),
        latency_ms={**latency_ms, "transfer": waited_ms - latency_ms["total"]},
        bundle=facts["bundle"],
        anomaly_map=anomaly_map,
        base_map=base_map,
        suppression_map=suppression_map,
        region=region,
    )


def _write_maps(place: NDArray[np.float32], inspection: Inspection) -> bool:
    """Write base map, final map and suppression map; says whether the first is all, as where no words were needed."""
    place[0] = inspection.base_map
    if not inspection.suppression_map.any() and np.array_equal(inspection.anomaly_map, inspection.base_map):
        return True
    place[1], place[2] = inspection.anomaly_map, inspection.suppression_map
    return False


def _read_maps(drawn: NDArray[np.float32], *, untouched: bool) -> Maps:
    """The maps as they were written, in memory of their own."""
    if untouched:
        base = drawn[0].copy()
        return base, base, _nothing_suppressed(len(base))
    base, final, suppression = drawn.copy()
    return final, base, suppression


@lru_cache(maxsize=1)
def _nothing_suppressed(side: int) -> NDArray[np.float32]:
    """The suppression map of most frames, which they share."""
    zeros = np.zeros((side, side), dtype=np.float32)
    zeros.flags.writeable = False
    return zeros
