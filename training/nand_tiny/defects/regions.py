"""Regions with straight crisp borders: an area that went dark, and a part that is not there."""

from __future__ import annotations

import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import Field, chance, grain, pixel_grid, smooth_noise, uniform

from .base import Defect, lay, local_colour, seen, shift
from .losses import ground_behind
from .shapes import polygon, shifted, soften

DIMMEST = 0.16  # mean brightness below which nothing could go darker visibly


def block(rng: np.random.Generator, canvas: Canvas, low: float, high: float) -> Field:
    """Return the coverage of a four-sided region along the borders, often ending at one of them."""
    size = canvas.size
    wide, tall = uniform(rng, low, high) * size, uniform(rng, low, high) * size
    x, y = canvas.random_point(rng, 0.15)
    left, right, top, bottom = x - wide / 2, x + wide / 2, y - tall / 2, y + tall / 2
    if chance(rng, 0.5):
        left, right = (-2.0, wide) if chance(rng, 0.5) else (size - wide, size + 2.0)
    if canvas.lines is not None and chance(rng, 0.6):  # ends at bars where there are bars
        top, bottom = canvas.lines.spans[int(rng.integers(len(canvas.lines.spans)))]
        if bottom - top > 0.7 * size:
            bottom = top + uniform(rng, low, high) * size
    slant = rng.normal(0, 0.06 * size, 4) if chance(rng, 0.35) else np.zeros(4)
    corners = [(left + slant[0], top), (right, top + slant[1]), (right + slant[2], bottom), (left, bottom + slant[3])]
    return polygon(size, np.asarray(corners, dtype=np.float64))


def beyond_line(rng: np.random.Generator, canvas: Canvas, low: float, high: float) -> Field:
    """Return the coverage of all that lies beyond a straight or slightly wavy line."""
    size = canvas.size
    x, y = pixel_grid(size)
    angle = uniform(rng, 0, 2 * np.pi) if chance(rng, 0.5) else np.pi / 2 * int(rng.integers(4))
    along = (x - size / 2) * np.float32(np.cos(angle)) + (y - size / 2) * np.float32(np.sin(angle))
    reach = (np.abs(np.cos(angle)) + np.abs(np.sin(angle))) * size / 2
    start = reach - uniform(rng, low, high) * size
    wave = uniform(rng, 0, 2.5) * smooth_noise(rng, size, size / 5) if chance(rng, 0.3) else 0.0
    return np.asarray(np.clip(along - start + wave + 0.5, 0, 1), dtype=np.float32)


def dark_area(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A region that is darker as a whole up to straight borders, its own pattern still visible."""
    cover = block(rng, canvas, 0.15, 0.55) if chance(rng, 0.65) else beyond_line(rng, canvas, 0.15, 0.45)
    cover = soften(cover, uniform(rng, 0.4, 1.2))
    # By day it stays well above what shows where a part is missing; a cell may go nearly black.
    strength = uniform(rng, 0.35, 0.9) if canvas.glows else uniform(rng, 0.3, 0.6)
    streaks = 1 + uniform(rng, 0.0, 0.08) * smooth_noise(rng, canvas.size, uniform(rng, 4, 15), 200)
    lay(canvas, cover, np.asarray(canvas.image * ((1 - strength) * streaks)[:, :, None], dtype=np.float32))
    return seen(canvas, cover, 0.5)


def missing_part(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A piece with its own outline is not there: a tooth, a wire, a pad, or a straight-sided stretch of the object."""
    mask = np.zeros((canvas.size, canvas.size), dtype=np.bool_)
    if canvas.parts and canvas.behind is not None:
        first = int(rng.integers(len(canvas.parts)))
        count = 1 if len(canvas.parts) < 9 else int(rng.integers(1, 5))
        for number in range(first, min(first + count, len(canvas.parts))):
            mask |= canvas.parts[number] & ~canvas.taken
        cover = soften(mask.astype(np.float32), 0.8) if mask.any() else mask.astype(np.float32)
        cover = np.clip(2 * cover, 0, 1)
        canvas.image += cover[:, :, None] * (canvas.behind - canvas.image)
        return mask
    cover = block(rng, canvas, 0.12, 0.4) if chance(rng, 0.7) else beyond_line(rng, canvas, 0.12, 0.35)
    base = local_colour(canvas, cover)
    behind = np.asarray(canvas.background, dtype=np.float32)
    if canvas.solid is None or abs(float(behind.mean()) - float(base.mean())) < 0.12:
        behind = ground_behind(rng, base)
    even = behind + 0.01 * grain(rng, canvas.size)[:, :, None]
    lay(canvas, cover, np.asarray(even, dtype=np.float32))
    shadow = np.clip(cover - shifted(cover, 3.0, 3.0), 0, 1)
    shift(canvas, soften(shadow, 1.0), -uniform(rng, 0.0, 0.15))
    return seen(canvas, cover, 0.5)


def not_glowing(canvas: Canvas) -> bool:
    """Return whether missing and dark could be told apart: where a cell does not glow, nobody can."""
    return not canvas.glows


def bright_enough(canvas: Canvas) -> bool:
    """Return whether a dark area would show."""
    return float(canvas.image[canvas.solid].mean() if canvas.solid is not None else canvas.image.mean()) > DIMMEST


DEFECTS = {
    "dark area": Defect(dark_area, 1.2, suits=bright_enough),
    "missing part": Defect(missing_part, suits=not_glowing),
}
