"""Faults of a fabric's own yarns: one that is missing, too thick, or pulled aside."""

from __future__ import annotations

import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import chance, pixel_grid, smooth_noise, uniform

from .base import Defect, contrast_step, lay, local_colour, seen, shift
from .reliefs import displace


def weave_fault(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A straight fault along the yarns: a gap, a thick or odd yarn, or yarns that were pulled together."""
    size = canvas.size
    x, y = pixel_grid(size)
    upright = chance(rng, 0.5)
    along, aside = (y, x) if upright else (x, y)
    centre = canvas.random_point(rng, 0.15)
    place, middle = centre if upright else centre[::-1]
    pitch = max(canvas.yarn or 0.0, 3.0)
    length = uniform(rng, 0.25, 1.2) * size
    sway = 0.15 * pitch * smooth_noise(rng, size, 60)
    off = aside - np.float32(place) + sway
    ends = np.clip((length / 2 - np.abs(along - np.float32(middle))) / np.float32(0.04 * size) + 0.5, 0, 1)
    style = int(rng.integers(3))
    reach = pitch * (uniform(rng, 0.4, 0.7), uniform(rng, 0.6, 1.1), uniform(rng, 1.2, 2.2))[style]
    # A slub swells and shrinks along its way.
    half = reach * (1 + (0.35 if style == 1 else 0.0) * smooth_noise(rng, size, 30))
    band = np.asarray(np.clip(half - np.abs(off) + 0.5, 0, 1) * ends, dtype=np.float32)
    if style == 0:
        lay(canvas, band * np.float32(uniform(rng, 0.7, 1.0)), local_colour(canvas, band) * np.float32(0.35))
    elif style == 1:
        dome = np.sqrt(np.clip(1.05 - (off / np.maximum(half, 1)) ** 2, 0, 1)) - 0.6
        step = contrast_step(rng, canvas, band, 0.15, 0.4, dark=0.4)
        yarn = local_colour(canvas, band) + step + 0.3 * dome[:, :, None]
        lay(canvas, band, np.clip(yarn, 0, 1).astype(np.float32))
    else:
        still = np.zeros((size, size), dtype=np.float32)
        pull = np.asarray(off * np.exp(-((off / half) ** 2)) * ends * uniform(rng, -0.9, -0.5), dtype=np.float32)
        displace(canvas, pull if upright else still, still if upright else pull)
        gap = np.asarray(np.exp(-((off / (0.35 * half)) ** 2)) * ends, dtype=np.float32)
        shift(canvas, gap, contrast_step(rng, canvas, gap, 0.15, 0.35, dark=0.7))
    return seen(canvas, band, 0.4)


def has_yarns(canvas: Canvas) -> bool:
    """Return whether the surface is a fabric."""
    return canvas.yarn is not None


DEFECTS = {"weave fault": Defect(weave_fault, 8.0, suits=has_yarns)}
