"""The method's arithmetic in numpy: the reference that every engine is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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


def normality_map(
    tokens: Sequence[FloatArray],
    grids: Sequence[tuple[int, int]],
    text_features: FloatArray,
    *,
    logit_scale: float,
    map_size: int,
) -> FloatArray:
    """Suppression maps of single normalities (Eq. 2 of NAND, mean over the taps).

    Args:
        tokens: For each tap, float32 [N, P, D], unit vectors in the text space.
        grids: For each tap, its rows and columns; rows * columns = P.
        text_features: float32 [K, 2, D].
        logit_scale: Factor of the cosine before the softmax.
        map_size: Side M of the maps.

    Returns:
        float32 [N, K, M, M] in [0, 1]: logits upsampled with corners aligned, then the softmax's added class.
    """
    maps = []
    for tap, (rows, columns) in zip(tokens, grids, strict=True):
        logits = logit_scale * np.einsum("npd,kcd->nkcp", tap, text_features)
        logits = logits.reshape(*logits.shape[:3], rows, columns)
        vertical = align_corners_weights(rows, map_size)
        horizontal = align_corners_weights(columns, map_size)
        logits = vertical @ logits @ horizontal.T
        exponent = np.exp(logits - logits.max(axis=2, keepdims=True))
        maps.append(exponent[:, :, 1] / exponent.sum(axis=2))
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
