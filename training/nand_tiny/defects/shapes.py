"""Coverages (0..1) of strokes, blobs and curves from which the defects are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_tiny.noise import Field, cloud_noise, pixel_grid

Points = NDArray[np.float64]
FRACTION_BITS = 3


def curve(
    rng: np.random.Generator,
    start: tuple[float, float],
    heading: float,
    length: float,
    wander: float,
    *,
    bend: float = 0,
) -> Points:
    """Return a smooth path: `bend` is the turn over the whole length, `wander` its randomness (radians)."""
    steps = max(8, int(length / 5))
    noise = np.convolve(rng.normal(0, 1, steps + 6), np.ones(7) / 7, mode="valid")
    angles = heading + bend * np.linspace(0, 1, steps) + wander * np.cumsum(noise) / np.sqrt(steps)
    moves = (length / steps) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.vstack([np.asarray(start), np.asarray(start) + np.cumsum(moves, axis=0)])


def jagged(rng: np.random.Generator, start: tuple[float, float], heading: float, length: float, rough: float) -> Points:
    """Return a path of straight pieces with sharp turns."""
    path = [np.asarray(start, dtype=np.float64)]
    travelled = 0.0
    while travelled < length:
        piece = float(rng.uniform(0.04, 0.16)) * length + 2
        angle = heading + rough * float(rng.normal())
        path.append(path[-1] + piece * np.asarray([np.cos(angle), np.sin(angle)]))
        travelled += piece
    return np.stack(path)


def stroke(size: int, points: Points, widths: float | Sequence[float] | Points) -> Field:
    """Return the coverage of a path with one width or one per point; widths below one pixel look fainter."""
    scale = 2
    ink = np.zeros((size * scale, size * scale), dtype=np.uint8)
    fixed = np.round((points + 0.5) * scale * 2**FRACTION_BITS).astype(np.int32)
    if isinstance(widths, (int, float)):
        cv2.polylines(
            ink,
            [fixed],
            isClosed=False,
            color=255,
            thickness=max(1, round(widths * scale)),
            lineType=cv2.LINE_AA,
            shift=FRACTION_BITS,
        )
    else:
        for first, second, width in zip(fixed[:-1], fixed[1:], widths, strict=False):
            ends = (int(first[0]), int(first[1])), (int(second[0]), int(second[1]))
            cv2.line(ink, *ends, 255, max(1, round(width * scale)), cv2.LINE_AA, FRACTION_BITS)
    small = cv2.resize(ink, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small.astype(np.float32) / 255)


def taper(count: int, width: float, tip: float = 0.3, power: float = 0.7) -> list[float]:
    """Return widths that swell to `width` in the middle and shrink to `tip` of it at both ends."""
    swell = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** power
    return [float(v) for v in width * (tip + (1 - tip) * swell)]


def polygon(size: int, outline: Points) -> Field:
    """Return the coverage of a filled outline."""
    ink = np.zeros((size, size), dtype=np.uint8)
    fixed = np.round(outline * 2**FRACTION_BITS).astype(np.int32)
    cv2.fillPoly(ink, [fixed], 255, cv2.LINE_AA, FRACTION_BITS)
    return np.asarray(ink.astype(np.float32) / 255)


def distance_field(
    rng: np.random.Generator,
    size: int,
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    rough: float = 0.0,
    turn: float = 0.0,
) -> Field:
    """Return 0 at the centre and 1 on the (roughened) edge of an ellipse."""
    x, y = pixel_grid(size)
    across, down = x - centre[0], y - centre[1]
    along = across * np.float32(np.cos(turn)) + down * np.float32(np.sin(turn))
    beside = down * np.float32(np.cos(turn)) - across * np.float32(np.sin(turn))
    distance = np.sqrt((along / np.float32(radii[0])) ** 2 + (beside / np.float32(radii[1])) ** 2)
    if rough > 0:
        scale = max(4.0, 0.9 * float(np.sqrt(radii[0] * radii[1])))
        distance += np.float32(rough) * cloud_noise(rng, size, scale, 2)
    return np.asarray(distance, dtype=np.float32)


def edge(distance: Field, softness: float) -> Field:
    """Turn a distance field into coverage whose edge is `softness` (share of the radius) wide."""
    return np.asarray(np.clip((1 - distance) / np.float32(max(softness, 1e-3)) + 0.5, 0, 1), dtype=np.float32)


def soften(cover: Field, sigma: float) -> Field:
    """Blur a coverage."""
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), sigma), dtype=np.float32)


def shifted(cover: Field, right: float, down: float) -> Field:
    """Move a coverage."""
    matrix = np.asarray([[1, 0, right], [0, 1, down]], dtype=np.float32)
    return np.asarray(cv2.warpAffine(cover, matrix, (cover.shape[1], cover.shape[0])), dtype=np.float32)
