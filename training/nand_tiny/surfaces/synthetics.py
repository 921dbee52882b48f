"""Plastic, rubber and glass."""

from __future__ import annotations

import numpy as np

from nand_tiny.canvas import Canvas
from nand_tiny.noise import chance, grain, pixel_grid, relief, smooth_noise, uniform

from .base import Colour, Surface, pick_colour, tint, unevenness

MOULDED: tuple[Colour, ...] = (
    (0.85, 0.85, 0.84),
    (0.12, 0.12, 0.13),
    (0.75, 0.25, 0.15),
    (0.15, 0.35, 0.65),
    (0.85, 0.70, 0.15),
    (0.30, 0.55, 0.35),
    (0.50, 0.50, 0.52),
)


def smooth_plastic(rng: np.random.Generator, size: int) -> Canvas:
    """An even moulded face with a soft gloss."""
    x, y = pixel_grid(size)
    centre_x, centre_y, reach = uniform(rng, 0, size), uniform(rng, 0, size), uniform(rng, 0.4, 1.0) * size
    gloss = np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / reach**2)
    shade = uniform(rng, 0.0, 0.3) * (gloss - 0.4) + 0.01 * grain(rng, size) + unevenness(rng, size, 0.02)
    return Canvas(tint(pick_colour(rng, MOULDED), shade.astype(np.float32)))


def textured_plastic(rng: np.random.Generator, size: int) -> Canvas:
    """A moulded face with an embossed grain."""
    bumps = smooth_noise(rng, size, uniform(rng, 3, 8))
    shade = uniform(rng, 0.06, 0.2) * relief(bumps, uniform(rng, 0, 6.3)) + unevenness(rng, size, 0.05)
    return Canvas(tint(pick_colour(rng, MOULDED), shade + 0.012 * grain(rng, size)))


def rubber(rng: np.random.Generator, size: int) -> Canvas:
    """Dark matt rubber, sometimes studded."""
    shade = 0.06 * grain(rng, size, 0.6) + unevenness(rng, size, 0.06)
    if chance(rng, 0.5):
        x, y = pixel_grid(size)
        pitch = uniform(rng, 10, 26)
        studs = np.sin(2 * np.pi * x / pitch) * np.sin(2 * np.pi * y / pitch)
        shade += uniform(rng, 0.1, 0.3) * relief(studs.astype(np.float32), 0.7) * pitch / 4
    palette: tuple[Colour, ...] = ((0.16, 0.16, 0.17), (0.25, 0.24, 0.23), (0.35, 0.16, 0.13), (0.3, 0.33, 0.36))
    return Canvas(tint(pick_colour(rng, palette), shade))


def frosted_glass(rng: np.random.Generator, size: int) -> Canvas:
    """Milky glass that lets blurred shapes through."""
    shade = unevenness(rng, size, uniform(rng, 0.02, 0.07)) + 0.025 * grain(rng, size, 0.8)
    palette: tuple[Colour, ...] = ((0.75, 0.80, 0.82), (0.60, 0.68, 0.66), (0.45, 0.52, 0.60), (0.82, 0.82, 0.82))
    return Canvas(tint(pick_colour(rng, palette), shade))


def foam(rng: np.random.Generator, size: int) -> Canvas:
    """Fine open pores."""
    pores = smooth_noise(rng, size, uniform(rng, 2.2, 4.5))
    shade = uniform(rng, 0.06, 0.15) * np.minimum(pores, 0.6) + unevenness(rng, size, 0.05)
    palette: tuple[Colour, ...] = ((0.85, 0.80, 0.55), (0.35, 0.36, 0.38), (0.80, 0.82, 0.85), (0.55, 0.65, 0.8))
    return Canvas(tint(pick_colour(rng, palette), np.asarray(shade, dtype=np.float32)))


SURFACES: dict[str, Surface] = {
    "smooth plastic": Surface(smooth_plastic, ("plastic part", "plastic", "plastic housing", "painted panel")),
    "textured plastic": Surface(textured_plastic, ("textured plastic", "moulded plastic", "plastic cover")),
    "rubber": Surface(rubber, ("rubber", "rubber mat", "rubber seal")),
    "frosted glass": Surface(frosted_glass, ("glass", "frosted glass", "glass pane")),
    "foam": Surface(foam, ("foam", "sponge", "foam sheet")),
}
