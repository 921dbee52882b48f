"""Calibrated suppression: a bias and a scale a tap, fitted on good frames alone: words are silent where all is well."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge.normality import PADDING_BIAS, Normality
from nand_edge.suppression import FloatArray
from nand_edge_export.forms import joined
from nand_edge_export.forms.tokens import FrameTokens
from nand_edge_export.forms.vectors import Sides, sides_of, with_sides

CALIBRATED = "calibrated"
TARGET = 0.15
"""Highest suppression on a good frame, for all but the loudest few."""
SHARE = 0.95
"""Of the good frames that must keep the target: one among twenty may show what the words name, not bad enough to count
as a defect, and silencing the words there would silence them everywhere."""
TYPICAL = 0.10
"""Highest suppression on the middle one of the good frames; above it, the scale is raised too."""
MAX_SCALE = 2.0
MIN_FRAMES = 10


def with_calibration(
    normality: Normality, good: FrameTokens, *, target: float = TARGET, share: float = SHARE
) -> Normality:
    """Lower a normality's log-odds until good frames are quiet; one that is quiet already stays as it is.

    Args:
        normality: In any form.
        good: Tokens of good frames.
        target: Suppression that `share` of the good frames stay below at every tap, 0 to 1.
        share: Of the good frames, 0 to 1.

    Raises:
        NandEdgeError: There are too few good frames.
    """
    if len(good) < MIN_FRAMES:
        raise NandEdgeError(
            "good frames", found=f"{len(good)}", needed=f"at least {MIN_FRAMES} to calibrate on", do="give more"
        )
    every = sides_of(normality)
    fitted = []
    for place, log_odds in enumerate(good.log_odds(normality)):
        scale, bias = fit(log_odds.max(axis=1), target=target, share=share)
        fitted.append(_calibrated(every[place if len(every) > 1 else 0], scale, bias))
    form = joined(normality.form, CALIBRATED)
    return replace(with_sides(normality, fitted), form=form, encoder=normality.encoder or good.encoder)


def fit(peaks: FloatArray, *, target: float = TARGET, share: float = SHARE) -> tuple[float, float]:
    """Scale and bias for log-odds.

    Args:
        peaks: The highest log-odds of each good frame, [N].
        target: See `with_calibration`.
        share: See `with_calibration`.

    Returns:
        The scale, 1 to 2, and the bias, at most 0 at scale 1.
    """
    loud, typical = float(np.quantile(peaks, share)), float(np.median(peaks))
    limit = _logit(target)
    if loud <= limit:
        return 1.0, 0.0
    scale = min(MAX_SCALE, max(1.0, (limit - _logit(min(TYPICAL, target))) / max(loud - typical, 1e-6)))
    return scale, limit - scale * loud


def _calibrated(sides: Sides, scale: float, bias: float) -> Sides:
    other, other_bias, added, added_bias = (np.asarray(values * np.float32(scale), np.float32) for values in sides)
    added_bias = np.maximum(added_bias + np.float32(bias), np.float32(PADDING_BIAS / 2))
    return Sides(other, other_bias, added, added_bias)


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))
