"""The report card of a normality: how much it would suppress on frames at hand, folder by folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from nand_edge.normality import Normality, stack
from nand_edge.signature import MAP_SIZE
from nand_edge.suppression import FloatArray, normality_map
from nand_edge_export.forms.tokens import FrameTokens

QUIET = 0.2
"""A frame whose suppression stays below this everywhere keeps its verdict but for scores just over the threshold."""


@dataclass(frozen=True)
class Line:
    """One folder of a report card.

    Attributes:
        frames: How many were looked at.
        median_peak: Median over the frames of the highest suppression in a frame, 0 to 1.
        highest_peak: The highest of all.
        quiet: Share of the frames whose suppression stays below 0.2 everywhere.
        area: Mean share of a frame's area that is suppressed by more than half.
    """

    frames: int
    median_peak: float
    highest_peak: float
    quiet: float
    area: float

    def to_json(self) -> dict[str, float]:
        """The line as a script reads it."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def report_card(normality: Normality, folders: Mapping[str, FrameTokens]) -> dict[str, Line]:
    """Measure a normality on frames.

    Args:
        normality: In any form that fits the tokens' encoder.
        folders: Tokens of frames by the folder's name; good frames should be quiet, what is added should not.
    """
    return {name: _line(suppression_maps(normality, tokens)) for name, tokens in folders.items()}


def suppression_maps(normality: Normality, tokens: FrameTokens) -> FloatArray:
    """The suppression map of each frame, float32 [N, 256, 256]."""
    tensors = stack([normality], len(tokens.taps))
    maps = [
        normality_map(frame, tokens.grids, tensors, logit_scale=tokens.encoder.logit_scale, map_size=MAP_SIZE)
        for frame in tokens.frames()
    ]
    return np.concatenate(maps)[:, 0]


def _line(maps: FloatArray) -> Line:
    peaks = maps.max(axis=(1, 2))
    return Line(
        frames=len(maps),
        median_peak=float(np.median(peaks)),
        highest_peak=float(peaks.max()),
        quiet=float(np.mean(peaks < QUIET)),
        area=float(np.mean(maps > 0.5)),
    )
