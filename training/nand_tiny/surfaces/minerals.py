"""Stone and fired materials: granite, terrazzo, marble, concrete and ceramic tile."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas
from nand_tiny.noise import chance, cloud_noise, grain, smooth_noise, uniform

from .base import Colour, Surface, flat, grey, mix, pick_colour, tint, unevenness

STONES: tuple[Colour, ...] = ((0.70, 0.68, 0.65), (0.35, 0.35, 0.37), (0.60, 0.48, 0.42), (0.85, 0.83, 0.80))


def granite(rng: np.random.Generator, size: int) -> Canvas:
    """Crystals of several colours."""
    scale = uniform(rng, 2.5, 7.0)
    image = tint(pick_colour(rng, STONES), 0.04 * grain(rng, size))
    contrast = uniform(rng, 0.4, 1.0)
    for level in (grey(rng, 0.15, 0.4), grey(rng, 0.6, 0.9)):
        share = contrast * np.clip(3 * (smooth_noise(rng, size, scale) - 0.5), 0, 1)
        image = mix(image, flat(level, size), share)
    return Canvas(image)


def terrazzo(rng: np.random.Generator, size: int) -> Canvas:
    """Angular stone chips set in cement."""
    image = tint(pick_colour(rng, STONES), 0.02 * grain(rng, size) + unevenness(rng, size, 0.02))
    colours = [pick_colour(rng, STONES) for _ in range(3)]
    largest = uniform(rng, 5, 14)
    for _ in range(int(rng.integers(60, 160))):
        corners = int(rng.integers(3, 7))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radius = uniform(rng, 1.5, largest)
        spokes = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        outline = rng.uniform(0, size, 2) + spokes
        cv2.fillPoly(image, [np.round(outline * 8).astype(np.int32)], colours[int(rng.integers(3))], cv2.LINE_8, 3)
    return Canvas(np.asarray(cv2.GaussianBlur(image, (3, 3), 0), dtype=np.float32))


def marble(rng: np.random.Generator, size: int) -> Canvas:
    """Pale stone with wide, soft veins."""
    flow = cloud_noise(rng, size, uniform(rng, 50, 110), 4)
    veins = np.exp(-np.abs(flow) * uniform(rng, 3, 8))
    shade = -uniform(rng, 0.08, 0.25) * veins + 0.04 * cloud_noise(rng, size, 60) + 0.012 * grain(rng, size)
    return Canvas(tint(pick_colour(rng, STONES), shade.astype(np.float32)))


def concrete(rng: np.random.Generator, size: int) -> Canvas:
    """Cloudy cement with fine pores."""
    shade = 0.05 * cloud_noise(rng, size, 50, 4) + uniform(rng, 0.02, 0.06) * grain(rng, size, 0.6)
    shade -= 0.12 * np.clip(smooth_noise(rng, size, 3) - 2.0, 0, 1)
    return Canvas(tint(grey(rng, 0.4, 0.7), shade))


def tile(rng: np.random.Generator, size: int) -> Canvas:
    """Glazed ceramic, often speckled, sometimes with joints."""
    glaze: tuple[Colour, ...] = ((0.9, 0.88, 0.84), (0.65, 0.62, 0.58), (0.75, 0.68, 0.58), (0.4, 0.5, 0.55))
    shade = 0.012 * grain(rng, size) + unevenness(rng, size, 0.03)
    if chance(rng, 0.7):
        shade -= uniform(rng, 0.08, 0.3) * np.clip(smooth_noise(rng, size, uniform(rng, 2, 4)) - 0.8, 0, 1)
    image = tint(pick_colour(rng, glaze), shade)
    if chance(rng, 0.35):
        joint = grey(rng, 0.35, 0.75)
        width = int(rng.integers(2, 6))
        x, y = (int(v) for v in rng.integers(size // 5, 4 * size // 5, 2))
        cv2.line(image, (x, 0), (x, size), joint, width)
        cv2.line(image, (0, y), (size, y), joint, width)
    return Canvas(image)


SPECKLED = frozenset({"spot", "contamination"})

SURFACES: dict[str, Surface] = {
    "granite": Surface(granite, ("granite slab", "granite", "stone"), SPECKLED),
    "terrazzo": Surface(terrazzo, ("terrazzo floor", "terrazzo", "stone floor"), SPECKLED),
    "marble": Surface(marble, ("marble", "marble slab", "stone slab")),
    "concrete": Surface(concrete, ("concrete", "concrete wall", "cement floor", "pavement")),
    "ceramic tile": Surface(tile, ("tile", "ceramic tile", "glazed tile")),
}
