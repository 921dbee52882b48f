"""Fabrics: weave, carpet, knit, felt and leather."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas
from nand_tiny.noise import chance, grain, pixel_grid, relief, smooth_noise, uniform

from .base import Colour, Surface, mix, pick_colour, tint, unevenness

DYES: tuple[Colour, ...] = (
    (0.75, 0.70, 0.60),
    (0.45, 0.45, 0.47),
    (0.20, 0.24, 0.36),
    (0.55, 0.20, 0.20),
    (0.25, 0.40, 0.30),
    (0.85, 0.84, 0.82),
    (0.18, 0.18, 0.18),
    (0.62, 0.55, 0.42),
    (0.50, 0.58, 0.70),
    (0.70, 0.55, 0.60),
)


def woven(rng: np.random.Generator, size: int) -> Canvas:
    """Threads that pass over and under each other."""
    x, y = pixel_grid(size)
    pitch = uniform(rng, 3.0, 10.0)
    sway = uniform(rng, 0.1, 0.5)
    column = (x + sway * pitch * smooth_noise(rng, size, 60)) / pitch
    row = (y + sway * pitch * smooth_noise(rng, size, 60)) / pitch
    over = (np.floor(column) + np.floor(row)) % 2 < 1
    warp = np.abs(np.sin(np.pi * column))
    weft = np.abs(np.sin(np.pi * row))
    height = np.where(over, warp, weft).astype(np.float32)
    depth = uniform(rng, 0.12, 0.4)
    shade = depth * (height - 0.65) + 0.05 * grain(rng, size) + unevenness(rng, size, 0.03)
    warp_colour = pick_colour(rng, DYES)
    weft_colour = warp_colour if chance(rng, 0.6) else pick_colour(rng, DYES)
    shade += 0.05 * smooth_noise(rng, size, pitch, 150)
    image = mix(tint(weft_colour, shade), tint(warp_colour, shade), over.astype(np.float32))
    return Canvas(image, yarn=pitch)


def carpet(rng: np.random.Generator, size: int) -> Canvas:
    """Tufts seen from above."""
    tuft = uniform(rng, 2.5, 7.0)
    height = smooth_noise(rng, size, tuft, tuft * uniform(rng, 0.7, 1.4))
    shade = uniform(rng, 0.1, 0.25) * height + 0.06 * grain(rng, size) + unevenness(rng, size, 0.04)
    return Canvas(tint(pick_colour(rng, DYES), shade))


def knit(rng: np.random.Generator, size: int) -> Canvas:
    """Columns of V-shaped loops."""
    x, y = pixel_grid(size)
    pitch = uniform(rng, 7.0, 16.0)
    column = (x + 0.2 * pitch * smooth_noise(rng, size, 70)) / pitch
    slope = np.abs(column - np.floor(column) - 0.5)
    loops = np.sin(2 * np.pi * (y / (pitch * 0.75) + 1.3 * slope))
    groove = np.clip(1 - 6 * np.abs(slope - 0.5), 0, 1)
    shade = 0.15 * loops - 0.25 * groove + 0.05 * grain(rng, size) + unevenness(rng, size, 0.03)
    return Canvas(tint(pick_colour(rng, DYES), shade.astype(np.float32)), yarn=pitch)


def felt(rng: np.random.Generator, size: int) -> Canvas:
    """Matted fibres without order."""
    fibres = np.zeros((size, size), dtype=np.uint8)
    starts = rng.uniform(0, size, (180, 2))
    steps = rng.normal(0, size * 0.06, (180, 2))
    for (x, y), (dx, dy) in zip(starts, steps, strict=True):
        cv2.line(fibres, (int(x), int(y)), (int(x + dx), int(y + dy)), int(rng.integers(60, 255)), 1, cv2.LINE_AA)
    strength = uniform(rng, 0.05, 0.13) / 255
    shade = strength * fibres.astype(np.float32) + 0.06 * smooth_noise(rng, size, 5) + 0.05 * grain(rng, size)
    return Canvas(tint(pick_colour(rng, DYES), shade + unevenness(rng, size, 0.04)))


def leather(rng: np.random.Generator, size: int) -> Canvas:
    """Pebbled skin with a net of fine grooves."""
    scale = uniform(rng, 4.0, 11.0)
    grooves = np.exp(-4 * np.abs(smooth_noise(rng, size, scale))).astype(np.float32)
    shade = uniform(rng, 0.1, 0.25) * (0.3 - grooves) + 0.3 * relief(grooves, 0.8) + unevenness(rng, size, 0.05)
    hides: tuple[Colour, ...] = (
        (0.35, 0.22, 0.15),
        (0.15, 0.13, 0.12),
        (0.60, 0.42, 0.28),
        (0.75, 0.68, 0.60),
        (0.40, 0.12, 0.12),
    )
    return Canvas(tint(pick_colour(rng, hides), shade + 0.02 * grain(rng, size)))


SURFACES: dict[str, Surface] = {
    "woven fabric": Surface(woven, ("fabric", "woven fabric", "canvas", "cloth", "textile")),
    "carpet": Surface(carpet, ("carpet", "rug", "carpet tile")),
    "knit": Surface(knit, ("knitted fabric", "sweater", "knitwear")),
    "felt": Surface(felt, ("felt", "felt mat", "nonwoven fabric", "fleece")),
    "leather": Surface(leather, ("leather", "leather sheet", "hide", "leather seat")),
}
