"""Printed things: circuit boards and sheets with printed lines."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, PrintedLines
from nand_tiny.noise import chance, grain, pixel_grid, uniform

from .base import Colour, Surface, flat, grey, mix, pick_colour, tint, unevenness

BOARDS: tuple[Colour, ...] = (
    (0.10, 0.35, 0.20),
    (0.10, 0.20, 0.45),
    (0.12, 0.12, 0.13),
    (0.45, 0.12, 0.12),
    (0.55, 0.45, 0.28),
)
COPPER: tuple[Colour, ...] = ((0.75, 0.60, 0.35), (0.30, 0.60, 0.40), (0.75, 0.75, 0.75), (0.35, 0.50, 0.70))


def circuit(rng: np.random.Generator, size: int) -> Canvas:
    """Conductors in groups, with pads at some ends."""
    ground = tint(pick_colour(rng, BOARDS), 0.02 * grain(rng, size) + unevenness(rng, size, 0.04))
    image = ground.copy()
    copper = pick_colour(rng, COPPER)
    width = int(rng.integers(2, 6))
    pitch = width * uniform(rng, 2.2, 4.0)
    positions: list[float] = []
    x = uniform(rng, 4, pitch)
    while x < size - 4:
        if not chance(rng, 0.2):
            positions.append(x)
            cv2.line(image, (round(x), 0), (round(x), size), copper, width)
            if chance(rng, 0.3):
                cv2.circle(image, (round(x), int(rng.integers(size))), round(pitch * 0.5), copper, -1)
        x += pitch
    lines = PrintedLines(positions, width + 1.0, [(0.0, float(size))], ground, breaks_dark=False)
    return Canvas(image, lines)


def printed_sheet(rng: np.random.Generator, size: int) -> Canvas:
    """Thin parallel lines printed on a plain sheet."""
    x, _ = pixel_grid(size)
    level = grey(rng, 0.25, 0.9)
    ground = tint(level, 0.02 * grain(rng, size) + unevenness(rng, size, 0.04))
    pitch = uniform(rng, 6, 22)
    width = min(uniform(rng, 1.2, 3.5), pitch * 0.4)
    offset = uniform(rng, 0, pitch)
    distance = np.abs((x - offset + pitch / 2) % pitch - pitch / 2)
    cover = np.clip(width / 2 - distance + 0.5, 0, 1) * uniform(rng, 0.4, 1.0)
    ink = grey(rng, 0.05, 0.2) if level[1] > 0.5 else grey(rng, 0.7, 0.9)
    positions = [float(v) for v in np.arange(offset, size, pitch)]
    lines = PrintedLines(positions, width + 1.5, [(0.0, float(size))], ground, breaks_dark=False)
    return Canvas(mix(ground, flat(ink, size), cover.astype(np.float32)), lines)


SURFACES: dict[str, Surface] = {
    "circuit board": Surface(circuit, ("circuit board", "printed circuit board", "electronic board")),
    "printed sheet": Surface(printed_sheet, ("printed sheet", "lined panel", "sheet with printed lines")),
}
