"""Upsampling and Gaussian smoothing of a map as two matrix products, exact and the same in every engine."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_TRUNCATE = 4.0  # The Gaussian ends at this many sigmas, as in scipy.ndimage, which PatchCore's release uses.


def smoothing_matrix(source: int, target: int, sigma: float) -> NDArray[np.float32]:
    """Matrix that upsamples one axis bilinearly and then smooths it, float32 [target, source]; rows sum to 1.

    `rows @ map @ columns.T` with two of them equals bilinear upsampling with half-pixel centres (PyTorch's
    `align_corners=False`) followed by a Gaussian whose border mirrors the map, edge pixel included.

    Args:
        source: Length of the axis.
        target: Length that it gets.
        sigma: Standard deviation of the Gaussian, pixels of the target.
    """
    smoothed = _gaussian(target, sigma) @ upsampling_matrix(source, target)
    return np.asarray(smoothed, dtype=np.float32)


def upsampling_matrix(source: int, target: int) -> NDArray[np.float64]:
    """Matrix that upsamples one axis bilinearly with half-pixel centres, float64 [target, source]; rows sum to 1."""
    position = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0.0, source - 1.0)
    left = np.minimum(position.astype(np.int64), max(source - 2, 0))
    right = np.minimum(left + 1, source - 1)
    rows = np.arange(target)
    weights = np.zeros((target, source))
    np.add.at(weights, (rows, left), 1.0 - (position - left))
    np.add.at(weights, (rows, right), position - left)
    return weights


def _gaussian(size: int, sigma: float) -> NDArray[np.float64]:
    radius = math.floor(_TRUNCATE * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    rows = np.arange(size)
    weights = np.zeros((size, size))
    for offset, weight in zip(offsets, kernel, strict=True):
        place = (rows + offset) % (2 * size)
        mirrored = np.where(place < size, place, 2 * size - 1 - place)
        np.add.at(weights, (rows, mirrored), weight)
    return weights
