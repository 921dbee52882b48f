"""What crosses between the station and its engine's process with every frame: few bytes, the rest in shared memory.

Packed, not as JSON, and flat: after a run of the engine no cache holds what reads it, and then every step of it counts.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.station.frames import CameraFrame

MAPS = 3
"""Of each frame."""

BASE, FINAL, SUPPRESSION = range(MAPS)
"""The maps' numbers."""

Maps = Callable[[int], NDArray[np.float32]]
"""Gives a frame's map in memory that both processes share, float32 [M, M], by its number."""

Facts = tuple[Any, ...]
"""What the engine's process says of a frame besides the maps, see `facts_of`."""

_STAGES = ("prepare", "engine", "verdict", "total")
_ASKED, _ASKED_COUNT_AT = "<QIIII", struct.calcsize("<Q")
_ANSWERED, _ANSWERED_COUNT_AT = "<QqII", struct.calcsize("<QqI")
_COUNT = struct.Struct("<I")
_FACTS = f"3d3?I{len(_STAGES)}d"
_BEFORE_FACTS, _FACTS_OF_ONE = 4, 7 + len(_STAGES)


class Question(NamedTuple):
    """Frames to judge.

    Attributes:
        number: Counts the questions.
        shape: [N, H, W, 3].
        places: Segment and offset of the frames, uint8, and then of three maps of each: base, final and suppression.
        changes: What is new since the last question: memory, and what to judge by; empty for nothing.
    """

    number: int
    shape: tuple[int, ...]
    places: tuple[int, ...]
    changes: dict[str, Any]

    def packed(self) -> bytes:
        """As bytes."""
        packed = _question_of(self.shape[0]).pack(self.number, *self.shape, *self.places)
        return packed + json.dumps(self.changes).encode() if self.changes else packed

    @classmethod
    def unpacked(cls, data: bytes) -> Question:
        """What `packed` was made of.

        Raises:
            struct.error: It was something else.
        """
        layout = _question_of(*_COUNT.unpack_from(data, _ASKED_COUNT_AT))
        values = layout.unpack_from(data)
        changes = json.loads(data[layout.size :]) if len(data) > layout.size else {}
        return cls(values[0], values[1:5], values[5:], changes)


class Answer(NamedTuple):
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
    facts: Sequence[Facts]

    def packed(self) -> bytes:
        """As bytes."""
        count = len(self.facts)
        return _answer_of(count).pack(self.number, self.judged_by, self.side, count, *chain.from_iterable(self.facts))

    @classmethod
    def unpacked(cls, data: bytes) -> Answer:
        """What `packed` was made of.

        Raises:
            struct.error: It was something else.
        """
        layout = _answer_of(*_COUNT.unpack_from(data, _ANSWERED_COUNT_AT))
        values = layout.unpack(data)
        number, judged_by, side, _ = values[:_BEFORE_FACTS]
        begins = range(_BEFORE_FACTS, len(values), _FACTS_OF_ONE)
        return cls(number, judged_by, side, [values[begin : begin + _FACTS_OF_ONE] for begin in begins])


@lru_cache(maxsize=64)
def _question_of(frames: int) -> struct.Struct:
    return struct.Struct(_ASKED + "IQ" * (1 + MAPS * frames))


@lru_cache(maxsize=64)
def _answer_of(frames: int) -> struct.Struct:
    return struct.Struct(_ANSWERED + _FACTS * frames)


def facts_of(inspection: Inspection, maps: Maps) -> Facts:
    """What the engine's process says of a frame; it writes the maps where they are wanted.

    Where the CLIP branch did not run, the base map is all: the final map is the same, and nothing was suppressed.
    """
    np.copyto(maps(BASE), inspection.base_map)
    if inspection.clip_ran:
        np.copyto(maps(FINAL), inspection.anomaly_map)
        np.copyto(maps(SUPPRESSION), inspection.suppression_map)
    return (
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
    facts: Facts,
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
    score, base_score, threshold, passes, clip_ran, is_bound, taps_run, *stages = facts
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
