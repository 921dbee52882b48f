"""Cheap random fields: low resolution noise enlarged to the size of the picture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


@lru_cache(maxsize=8)
def pixel_grid(size: int) -> tuple[Field, Field]:
    """Return read-only (x, y) coordinates of all pixels."""
    axis = np.arange(size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


def smooth_noise(rng: np.random.Generator, size: int, scale_x: float, scale_y: float | None = None) -> Field:
    """Return smooth noise of about unit variance whose features are `scale` pixels apart."""
    vertical = scale_x if scale_y is None else scale_y
    columns = max(2, round(size / max(scale_x, 1.0)))
    rows = max(2, round(size / max(vertical, 1.0)))
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    if (rows, columns) == (size, size):
        return coarse
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def cloud_noise(rng: np.random.Generator, size: int, scale: float, octaves: int = 3) -> Field:
    """Return noise with features of several sizes, the largest being `scale` pixels."""
    total = smooth_noise(rng, size, scale)
    strength = 1.0
    for _ in range(octaves - 1):
        scale, strength = scale / 2.2, strength * 0.55
        total += np.float32(strength) * smooth_noise(rng, size, scale)
    return total


def grain(rng: np.random.Generator, size: int, softness: float = 0.0) -> Field:
    """Return pixel noise of unit variance, optionally softened."""
    noise = rng.standard_normal((size, size), dtype=np.float32)
    if softness <= 0:
        return noise
    soft = cv2.GaussianBlur(noise, (0, 0), softness)
    return np.asarray(soft / max(float(soft.std()), 1e-6), dtype=np.float32)


def relief(height: Field, angle: float) -> Field:
    """Return how a height field is shaded by light that comes from `angle` (radians)."""
    across = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    down = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return np.asarray(np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * down, dtype=np.float32)


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return one plain float between low and high."""
    return float(rng.uniform(low, high))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return True with the given probability."""
    return bool(rng.random() < probability)
