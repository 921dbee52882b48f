"""What is evaluated, a detector with a CLIP or a whole bundle: frames in, scores and maps out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.protocol import Pair
from nand_edge.inspection import Inspection, decide
from nand_edge.manifest import DetectorRecord, ThresholdRecord
from nand_edge.normality import Normality


@dataclass(frozen=True)
class FrameScores:
    """The scores of one frame.

    Attributes:
        before: The maximum of the base map.
        after: For each normality, the maximum of the final map with it alone in force, whatever the gate says.
        computed: Whether anything had to be computed; False when all was kept from an earlier run.
    """

    before: float
    after: tuple[float, ...]
    computed: bool


@dataclass(frozen=True)
class FrameMaps:
    """The maps of one frame with one normality, each float32 [M, M]; `region` as in `Inspection`."""

    base: NDArray[np.float32]
    suppression: NDArray[np.float32]
    final: NDArray[np.float32]
    region: NDArray[np.float32] | None = None


class Candidate(Protocol):
    """What is evaluated on the frames of one class.

    Attributes:
        label: How the user named it.
        detector: What its base detector is.
        threshold: What scores are compared with.
    """

    label: str
    detector: DetectorRecord
    threshold: ThresholdRecord

    def scores(self, frame: LabelledFrame, normalities: Sequence[Normality]) -> FrameScores:
        """Score a frame, from what is kept where possible.

        Raises:
            DamagedFrameError: The frame cannot be read.
            NandEdgeError: A score is no finite number.
        """

    def maps(self, frame: LabelledFrame, normality: Normality) -> FrameMaps:
        """The maps behind the scores, for a picture.

        Raises:
            DamagedFrameError: The frame cannot be read.
        """

    def close(self) -> None:
        """Free what it holds."""


def inspection_of(candidate: Candidate, pair: Pair, normality: Normality, place: int) -> Inspection:
    """The inspection of one of a pair's frames with the normality in force, for a picture."""
    frame, after = pair.frames[place], float(pair.after[place])
    maps = candidate.maps(frame, normality)
    return Inspection(
        frame=frame.path.name,
        index=place,
        timestamp=0.0,
        score=after,
        base_score=float(pair.before[place]),
        threshold=pair.threshold,
        verdict=decide(after, pair.threshold),
        clip_ran=True,
        normalities=(normality.name,),
        latency_ms={},
        bundle="",
        anomaly_map=maps.final,
        base_map=maps.base,
        suppression_map=maps.suppression,
        region=maps.region,
    )


def normality_key(normality: Normality) -> str:
    """A name for what of a normality changes scores: its vectors."""
    digest = hashlib.sha256()
    for array in (normality.features, normality.bias):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]


def finite(score: float, frame: LabelledFrame, label: str) -> float:
    """The score itself.

    Raises:
        NandEdgeError: It is NaN or infinite, which no AUROC can rank.
    """
    if not math.isfinite(score):
        raise NandEdgeError(
            f"score of {str(frame.path)!r} by {label!r}",
            found=str(score),
            needed="a finite number",
            do="check the detector's weights",
        )
    return float(score)
