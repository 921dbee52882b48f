"""Wood and paper: planks, veneer, and cardboard."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas
from nand_tiny.noise import Field, chance, cloud_noise, grain, pixel_grid, smooth_noise, uniform

from .base import Colour, Surface, pick_colour, tint, unevenness

TIMBER: tuple[Colour, ...] = (
    (0.68, 0.50, 0.33),
    (0.48, 0.31, 0.20),
    (0.80, 0.68, 0.50),
    (0.32, 0.22, 0.17),
    (0.60, 0.56, 0.50),
)


def wood_fibres(rng: np.random.Generator, size: int) -> Field:
    """Return the streaks of wood that was cut along the trunk."""
    x, _ = pixel_grid(size)
    sway = x + uniform(rng, 4, 14) * smooth_noise(rng, size, 70, 160)
    rings = np.sin(sway * 2 * np.pi / uniform(rng, 8, 22) + 1.5 * smooth_noise(rng, size, 25, 200))
    streaks = smooth_noise(rng, size, 1.3, 60)
    return np.asarray(uniform(rng, 0.03, 0.12) * rings + uniform(rng, 0.03, 0.07) * streaks, dtype=np.float32)


def veneer(rng: np.random.Generator, size: int) -> Canvas:
    """One continuous sheet of wood."""
    shade = wood_fibres(rng, size) + 0.015 * grain(rng, size) + unevenness(rng, size, 0.04)
    return Canvas(tint(pick_colour(rng, TIMBER), shade))


def planks(rng: np.random.Generator, size: int) -> Canvas:
    """Boards side by side with dark joints."""
    shade = wood_fibres(rng, size) + 0.02 * grain(rng, size)
    width = uniform(rng, 0.2, 0.5) * size
    left = -uniform(rng, 0, width)
    while left < size:
        start, stop = max(0, int(left)), max(0, int(left + width))
        shade[:, start:stop] += uniform(rng, -0.12, 0.12)
        shade[:, stop : stop + 2] = -0.6
        left += width
    return Canvas(tint(pick_colour(rng, TIMBER), shade))


def paper(rng: np.random.Generator, size: int) -> Canvas:
    """Paper or cardboard, sometimes with the waves of its core showing."""
    board: tuple[Colour, ...] = ((0.72, 0.58, 0.42), (0.92, 0.91, 0.88), (0.80, 0.74, 0.64), (0.62, 0.60, 0.57))
    shade = 0.02 * cloud_noise(rng, size, 12) + 0.02 * grain(rng, size) + unevenness(rng, size, 0.03)
    if chance(rng, 0.4):
        x, _ = pixel_grid(size)
        shade += uniform(rng, 0.01, 0.04) * np.sin(x * 2 * np.pi / uniform(rng, 6, 14))
    return Canvas(tint(pick_colour(rng, board), shade))


def cork(rng: np.random.Generator, size: int) -> Canvas:
    """Pressed cork granules."""
    granules = smooth_noise(rng, size, uniform(rng, 5, 12))
    levels = np.round(granules * 1.5) / 1.5
    shade = 0.12 * cv2.GaussianBlur(levels.astype(np.float32), (3, 3), 0) + 0.05 * grain(rng, size)
    return Canvas(tint(pick_colour(rng, TIMBER), np.asarray(shade, dtype=np.float32)))


SURFACES: dict[str, Surface] = {
    "wood veneer": Surface(veneer, ("wood veneer", "wooden board", "veneer")),
    "wood planks": Surface(planks, ("wood", "wooden floor", "planks", "parquet")),
    "paper": Surface(paper, ("paper", "cardboard", "carton", "paperboard"), can_be_part=True),
    "cork": Surface(cork, ("cork board", "pressed board", "chipboard"), frozenset({"contamination", "spot"})),
}
