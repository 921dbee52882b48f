"""Bootstrap: how far a figure could move had other frames of the same kinds been photographed, all draws at once."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.float64]
"""float64 [draws, n]: how often each frame was drawn; or float64 [draws]: a figure in each draw."""

DRAWS = 2000
LEVEL = 0.95


def draw_frames(labels: Sequence[str], *, draws: int = DRAWS, seed: str = "") -> Draws:
    """Draw frames with replacement, from each label as many as it has (stratified).

    Args:
        labels: For each of n frames, the stratum that it belongs to.
        draws: How often all is drawn again.
        seed: The same text gives the same draws; so figures of one class are drawn together and may be subtracted.

    Returns:
        float64 [draws, n], how often each frame was drawn.
    """
    generator = np.random.default_rng(zlib.crc32(seed.encode()))
    strata = np.asarray(labels)
    weights = np.zeros((draws, len(strata)))
    for label in sorted(set(labels)):
        members = np.flatnonzero(strata == label)
        weights[:, members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), size=draws)
    return weights


def auroc_of_draws(weights: Draws, anomalous: NDArray[np.bool_], scores: NDArray[np.float64]) -> Draws:
    """Area under the ROC curve in each draw: the chance that an anomalous frame scores higher than a normal one.

    Args:
        weights: float64 [draws, n] of `draw_frames`.
        anomalous: bool [n], both kinds among them.
        scores: float64 [n].

    Returns:
        float64 [draws].
    """
    high, low = scores[anomalous][:, None], scores[~anomalous][None, :]
    wins = (high > low) + 0.5 * (high == low)
    of_anomalous, of_normal = weights[:, anomalous], weights[:, ~anomalous]
    won = ((of_anomalous @ wins) * of_normal).sum(axis=1)
    return np.asarray(won / (of_anomalous.sum(axis=1) * of_normal.sum(axis=1)))


def rate_of_draws(weights: Draws, members: NDArray[np.bool_], hits: NDArray[np.bool_]) -> Draws:
    """Share of `hits` among `members` in each draw, float64 [draws].

    Args:
        weights: float64 [draws, n] of `draw_frames`.
        members: bool [n], whole strata.
        hits: bool [n].
    """
    return np.asarray((weights[:, members] @ hits[members]) / weights[:, members].sum(axis=1))


def interval(figures: Draws) -> tuple[float, float]:
    """Where the middle 95 % of a figure's draws lie."""
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(figures, (tail, 100 - tail))
    return float(low), float(high)
