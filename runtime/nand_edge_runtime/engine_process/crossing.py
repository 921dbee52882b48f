"""What crosses between the station and its engine's process with every frame: few bytes, the rest in shared memory.

Packed, not as JSON: after a run of the engine no cache holds what reads it, and then every step of it counts.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.engine_process.shared_pool import Place
from nand_edge_runtime.station.frames import CameraFrame

_STAGES = ("prepare", "engine", "verdict", "total")
_ASKED = struct.Struct("<QIIII")
_PLACE = "IQ"
_ANSWERED = struct.Struct("<QqII")
_FACTS = struct.Struct("<ddd???I4d")

Maps = Callable[[int], NDArray[np.float32]]
"""Gives a frame's map in memory that both processes share, float32 [M, M], by its number."""

BASE, FINAL, SUPPRESSION = range(3)
"""The maps' numbers."""


@dataclass(frozen=True)
class Question:
    """Frames to judge.

    Attributes:
        number: Counts the questions.
        shape: [N, H, W, 3].
        frames: Where they lie, uint8.
        maps: Where three maps of each frame go: base map, final map, suppression map.
        changes: What is new since the last question: memory, and what to judge by; empty for nothing.
    """

    number: int
    shape: Sequence[int]
    frames: Place
    maps: Sequence[Place]
    changes: dict[str, Any]

    def packed(self) -> bytes:
        """As bytes."""
        changes = json.dumps(self.changes).encode() if self.changes else b""
        places = [value for place in (self.frames, *self.maps) for value in place]
        return _ASKED.pack(self.number, *self.shape) + struct.pack(f"<{_PLACE * (len(places) // 2)}", *places) + changes

    @classmethod
    def unpacked(cls, data: bytes) -> Question:
        """What `packed` was made of."""
        number, *shape = _ASKED.unpack_from(data)
        layout = f"<{_PLACE * (1 + 3 * shape[0])}"
        values = iter(struct.unpack_from(layout, data, _ASKED.size))
        frames, *maps = [Place(segment, next(values)) for segment in values]
        changes = data[_ASKED.size + struct.calcsize(layout) :]
        return cls(number, shape, frames, maps, json.loads(changes) if changes else {})


@dataclass(frozen=True)
class Answer:
    """What came of them.

    Attributes:
        number: The question's.
        judged_by: The serial of what they were judged by.
        side: Of the maps, pixels.
        facts: One for each frame.
    """

    number: int
    judged_by: int
    side: int
    facts: Sequence[bytes]

    def packed(self) -> bytes:
        """As bytes."""
        return _ANSWERED.pack(self.number, self.judged_by, self.side, len(self.facts)) + b"".join(self.facts)

    @classmethod
    def unpacked(cls, data: bytes) -> Answer:
        """What `packed` was made of."""
        number, judged_by, side, count = _ANSWERED.unpack_from(data)
        begins = range(_ANSWERED.size, _ANSWERED.size + count * _FACTS.size, _FACTS.size)
        return cls(number, judged_by, side, [data[begin : begin + _FACTS.size] for begin in begins])


def facts_of(inspection: Inspection, maps: Maps) -> bytes:
    """What the engine's process says of a frame; it writes the maps where they are wanted.

    Where the CLIP branch did not run, the base map is all: the final map is the same, and nothing was suppressed.
    """
    np.copyto(maps(BASE), inspection.base_map)
    if inspection.clip_ran:
        np.copyto(maps(FINAL), inspection.anomaly_map)
        np.copyto(maps(SUPPRESSION), inspection.suppression_map)
    return _FACTS.pack(
        inspection.score,
        inspection.base_score,
        inspection.threshold,
        inspection.verdict is Verdict.PASS,
        inspection.clip_ran,
        inspection.score_is_bound,
        inspection.taps_run,
        *(inspection.latency_ms[stage] for stage in _STAGES),
    )


def inspection_of(
    frame: CameraFrame,
    facts: bytes,
    maps: Maps,
    *,
    normalities: tuple[str, ...],
    bundle: str,
    region: NDArray[np.float32] | None,
    waited_ms: float,
) -> Inspection:
    """The inspection of what `facts_of` gave.

    Args:
        frame: What was inspected.
        facts: What came.
        maps: Gives them; the inspection keeps those that it needs.
        normalities: Names of those that it was judged by.
        bundle: The sha256 of the process's bundle.
        region: Where the frame was inspected.
        waited_ms: How long the station waited; what the engine did not take of it is the stage `transfer`.
    """
    score, base_score, threshold, passes, clip_ran, is_bound, taps_run, *stages = _FACTS.unpack(facts)
    base_map = maps(BASE)
    anomaly_map = maps(FINAL) if clip_ran else base_map
    suppression_map = maps(SUPPRESSION) if clip_ran else _nothing_suppressed(len(base_map))
    latency_ms = dict(zip(_STAGES, stages, strict=True))
    latency_ms["transfer"] = waited_ms - latency_ms["total"]
    return Inspection(
        frame=frame.name,
        index=frame.key.number,
        timestamp=frame.timestamp,
        score=score,
        base_score=base_score,
        threshold=threshold,
        verdict=Verdict.PASS if passes else Verdict.REJECT,
        clip_ran=clip_ran,
        taps_run=taps_run,
        score_is_bound=is_bound,
        normalities=normalities,
        latency_ms=latency_ms,
        bundle=bundle,
        anomaly_map=anomaly_map,
        base_map=base_map,
        suppression_map=suppression_map,
        region=region,
    )


@lru_cache(maxsize=1)
def _nothing_suppressed(side: int) -> NDArray[np.float32]:
    """The suppression map of most frames, which they share."""
    zeros = np.zeros((side, side), dtype=np.float32)
    zeros.flags.writeable = False
    return zeros
