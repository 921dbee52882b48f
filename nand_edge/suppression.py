"""The method's arithmetic in numpy: the reference that every engine is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nand_edge.signature import NORMALITY_BIAS, NORMALITY_FEATURES

FloatArray = NDArray[np.float32]


def align_corners_weights(source: int, target: int) -> FloatArray:
    """Matrix of bilinear interpolation with corners aligned, float32 [target, source], rows sum to 1.

    `weights @ column` resizes one axis; two of them resize a map.
    """
    weights = np.zeros((target, source), dtype=np.float32)
    if source == 1:
        weights[:, 0] = 1.0
        return weights
    position = np.arange(target, dtype=np.float64) * ((source - 1) / max(target - 1, 1))
    left = np.minimum(position.astype(np.int64), source - 2)
    fraction = position - left
    rows = np.arange(target)
    weights[rows, left] = 1.0 - fraction
    weights[rows, left + 1] = fraction
    return weights


class NormalityTensors(NamedTuple):
    """Normalities as the graph reads them: K of them, at L taps, two sides, V vectors a side.

    Attributes:
        features: float32 [K, L, 2, V, D], side 0 for all else, side 1 for what is added.
        bias: float32 [K, L, 2, V].
    """

    features: FloatArray
    bias: FloatArray

    @classmethod
    def of_text(cls, text_features: FloatArray, taps: int) -> NormalityTensors:
        """The paper's form: unit features float32 [K, 2, D] of `f_nor` and `f_add`, the same at all taps."""
        features = np.repeat(text_features[:, None, :, None, :], taps, axis=1)
        return cls(features, np.zeros(features.shape[:-1], dtype=np.float32))

    def inputs(self) -> dict[str, FloatArray]:
        """The graph's inputs by their names."""
        return {NORMALITY_FEATURES: self.features, NORMALITY_BIAS: self.bias}


def normality_map(
    tokens: Sequence[FloatArray],
    grids: Sequence[tuple[int, int]],
    normalities: NormalityTensors,
    *,
    logit_scale: float,
    map_size: int,
) -> FloatArray:
    """Suppression maps of single normalities (Eq. 2 of NAND, mean over the taps).

    With one vector a side and no bias this is the paper's softmax over `f_nor` and `f_add`, since the softmax of two
    is the sigmoid of their difference.

    Args:
        tokens: For each tap, float32 [N, P, D], unit vectors in the text space.
        grids: For each tap, its rows and columns; rows * columns = P.
        normalities: K normalities for these taps.
        logit_scale: Factor of the cosine.
        map_size: Side M of the maps.

    Returns:
        float32 [N, K, M, M] in [0, 1].
    """
    return map_of_log_odds(token_log_odds(tokens, normalities, logit_scale=logit_scale), grids, map_size=map_size)


def token_log_odds(
    tokens: Sequence[FloatArray], normalities: NormalityTensors, *, logit_scale: float
) -> list[FloatArray]:
    """How much each token looks like what is added rather than all else, before any interpolation.

    Args:
        tokens: For each tap, float32 [N, P, D], unit vectors in the text space.
        normalities: K normalities for these taps.
        logit_scale: Factor of the cosine.

    Returns:
        For each tap, float32 [N, K, P]: `x_added - x_other`, where a side's `x` is the logarithm of the sum over its
        vectors of `exp(logit_scale * token . feature + bias)`.
    """
    features, bias = normalities
    log_odds = []
    for place, tap in enumerate(tokens):
        logits = logit_scale * np.einsum("npd,ksvd->nkspv", tap, features[:, place]) + bias[:, place, :, None, :]
        highest = logits.max(axis=-1)
        sides = highest + np.log(np.exp(logits - highest[..., None]).sum(axis=-1))
        log_odds.append(np.asarray(sides[:, :, 1] - sides[:, :, 0], dtype=np.float32))
    return log_odds


def map_of_log_odds(log_odds: Sequence[FloatArray], grids: Sequence[tuple[int, int]], *, map_size: int) -> FloatArray:
    """Suppression maps of single normalities from `token_log_odds`: upsampled with corners aligned, then the sigmoid.

    Args:
        log_odds: For each tap, float32 [N, K, P].
        grids: For each tap, its rows and columns; rows * columns = P.
        map_size: Side M of the maps.

    Returns:
        float32 [N, K, M, M] in [0, 1], the mean over the taps.
    """
    maps = []
    for tap, (rows, columns) in zip(log_odds, grids, strict=True):
        vertical = align_corners_weights(rows, map_size)
        horizontal = align_corners_weights(columns, map_size)
        plane = vertical @ tap.reshape(*tap.shape[:2], rows, columns) @ horizontal.T
        # The sigmoid, by tanh: it cannot overflow.
        maps.append(0.5 + 0.5 * np.tanh(0.5 * plane))
    return np.asarray(np.mean(maps, axis=0), dtype=np.float32)


def suppress(base_map: FloatArray, normality_maps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Take normal regions out of an anomaly map (Eq. 6 of NAND; the product over several normalities).

    Args:
        base_map: float32 [N, M, M].
        normality_maps: float32 [N, K, M, M] in [0, 1].

    Returns:
        The final map and the joint suppression map, each float32 [N, M, M].
    """
    kept = np.prod(1.0 - normality_maps, axis=1)
    return base_map * kept, 1.0 - kept


def score(anomaly_map: FloatArray) -> FloatArray:
    """Maximum of each map, float32 [N]; NaN when the map has one."""
    return np.asarray(anomaly_map.max(axis=(1, 2)), dtype=np.float32)
