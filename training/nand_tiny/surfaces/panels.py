"""Grey cells with printed bars and thin finger lines, as photographed by their own faint glow."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, Image, Mask, PrintedLines
from nand_tiny.noise import Field, chance, cloud_noise, grain, pixel_grid, smooth_noise, uniform

from .base import Surface

BAR_STYLES = ("thin", "segmented", "tapered", "broad", "contacts", "bright")


def wafer_outline(rng: np.random.Generator, size: int) -> tuple[Field, Mask]:
    """Return how far (0..1) each pixel is covered by a plate whose corners are cut or rounded."""
    x, y = pixel_grid(size)
    middle = (size - 1) / 2
    half_x = size / 2 * uniform(rng, 0.95, 1.02)
    half_y = size / 2 * uniform(rng, 0.95, 1.02)
    across = np.abs(x - middle - uniform(rng, -0.01, 0.01) * size)
    down = np.abs(y - middle - uniform(rng, -0.01, 0.01) * size)
    inside = np.minimum(half_x - across, half_y - down)
    if chance(rng, 0.85):
        cut = uniform(rng, 0.03, 0.13) * size
        if chance(rng, 0.6):
            corner = (half_x + half_y - cut - across - down) * 0.7071
        else:
            corner = size * uniform(rng, 0.6, 0.68) - np.sqrt(across**2 + down**2)
        inside = np.minimum(inside, corner)
    softness = uniform(rng, 1.0, 4.0)
    cover = np.clip(inside / softness + 0.5, 0, 1).astype(np.float32)
    return cover, cover > 0.6


def glow(rng: np.random.Generator, size: int, bars: list[float]) -> Field:
    """Return the slow brightness changes of a cell: clouds, bands between bars, darker borders."""
    x, y = pixel_grid(size)
    shade = uniform(rng, 0.0, 0.06) * smooth_noise(rng, size, size / 2.5)
    shade += uniform(rng, 0.0, 0.03) * cloud_noise(rng, size, 40)
    if bars and chance(rng, 0.8):
        nearest = np.min(np.stack([np.abs(y - bar) for bar in bars]), axis=0)
        shade += uniform(rng, -0.02, 0.1) * (np.exp(-nearest / (0.08 * size)) - 0.3)
    if chance(rng, 0.4):
        shade += uniform(rng, 0.005, 0.03) * smooth_noise(rng, size, size, uniform(rng, 6, 16))
    if chance(rng, 0.4):
        shade += uniform(rng, 0.003, 0.02) * smooth_noise(rng, size, uniform(rng, 2, 10), size / 3)
    if chance(rng, 0.3):
        shade += uniform(rng, 0.003, 0.015) * smooth_noise(rng, size, 25, 9)
    border = np.minimum(np.minimum(x, size - 1 - x), np.minimum(y, size - 1 - y))
    shade -= uniform(rng, 0.0, 0.3) * np.exp(-border / (uniform(rng, 0.01, 0.06) * size))
    return np.asarray(shade, dtype=np.float32)


def paint_bars(rng: np.random.Generator, image: Image, bars: list[float], style: str, width: float) -> None:
    """Draw the bars; their look (dashes, thick middles, edge contacts) is what tells cell makes apart."""
    size = image.shape[0]
    ink = np.zeros((size, size), dtype=np.float32)
    thin = max(1, round(width * 0.35))
    dashes = int(rng.integers(3, 8))
    duty, shift = uniform(rng, 0.3, 0.6), uniform(rng, -0.3, 0.3)
    margin = uniform(rng, 0.0, 0.1) * size
    for y in bars:
        row = round(y)
        if style != "contacts":
            cv2.line(ink, (int(margin * 0.3), row), (int(size - margin * 0.3), row), 0.8, thin)
        if style in ("tapered", "broad", "bright"):
            cv2.line(ink, (int(margin), row), (int(size - margin), row), 1.0, max(2, round(width)))
        elif style == "segmented":
            for dash in range(dashes):
                middle = (dash + 0.5 + 0.3 * shift) * size / dashes
                reach = 0.5 * duty * size / dashes
                cv2.line(ink, (int(middle - reach), row), (int(middle + reach), row), 1.0, max(2, round(width)))
        elif style == "contacts":
            for x in (0, size - 1):
                cv2.ellipse(ink, (x, row), (round(width * 1.8), round(width * 1.5)), 0, 0, 360, 1.0, -1)
    ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), uniform(rng, 0.6, 1.3)), dtype=np.float32)
    strength = uniform(rng, 0.3, 0.75)
    if style == "bright":
        image += (strength * 0.5 * ink)[:, :, None]
    else:
        image *= (1 - strength * ink)[:, :, None]


def finger_lines(rng: np.random.Generator, size: int) -> tuple[Field, list[float], float]:
    """Return the shading by the thin lines, their places, and their width; they are often invisible."""
    x, _ = pixel_grid(size)
    pitch = uniform(rng, 3.0, 9.0)
    offset = uniform(rng, 0, pitch)
    positions = [offset + pitch * step for step in range(int((size - offset) / pitch) + 1)]
    contrast = 0.0 if chance(rng, 0.45) else uniform(rng, 0.01, 0.05)
    if chance(rng, 0.15):
        contrast = uniform(rng, 0.06, 0.25)
    peaks = np.cos(2 * np.pi * (x - offset) / pitch)
    profile = np.clip(peaks - 0.3, 0, 1) / 0.7
    return np.asarray(-contrast * profile, dtype=np.float32), positions, pitch


def cell(rng: np.random.Generator, size: int, style: str) -> Canvas:
    """A grey plate with bars from side to side and fingers from top to bottom."""
    count = int(rng.integers(2, 6)) if chance(rng, 0.6) else 3
    first = size / (2 * count) if chance(rng, 0.5) else size * uniform(rng, 0.12, 0.25)
    bars = [float(y) for y in np.linspace(first, size - 1 - first, count)]
    cover, solid = wafer_outline(rng, size)
    fingers, positions, pitch = finger_lines(rng, size)
    level = uniform(rng, 0.25, 0.6) if chance(rng, 0.4) else uniform(rng, 0.5, 0.95)
    shade = level * (1 + glow(rng, size, bars) + fingers)
    image = np.repeat(np.asarray(shade, dtype=np.float32)[:, :, None], 3, axis=2)
    width = size * (uniform(rng, 0.02, 0.045) if style == "broad" else uniform(rng, 0.01, 0.024))
    paint_bars(rng, image, bars, style, width)
    outside = level * uniform(rng, 0.1, 0.45)
    image = np.asarray(outside + cover[:, :, None] * (image - outside), dtype=np.float32)
    noise = uniform(rng, 0.004, 0.02) if chance(rng, 0.75) else uniform(rng, 0.03, 0.09)
    image += (level * noise * grain(rng, size, uniform(rng, 0.0, 0.8)))[:, :, None]
    if chance(rng, 0.12):
        image = image * np.asarray(rng.uniform(0.75, 1.0, 3), dtype=np.float32)
    stops = [0.0, *bars, float(size)]
    spans = [(low + width, high - width) for low, high in pairwise(stops) if high - low > 3 * width]
    lines = PrintedLines(positions, max(1.5, pitch * 0.4), spans, ground=None, breaks_dark=True)
    return Canvas(np.asarray(image, dtype=np.float32), lines, solid, (outside, outside, outside))


def crystal_cell(rng: np.random.Generator, size: int) -> Canvas:
    """A cell cast of many crystals, which show as harmless cloudy patches."""
    canvas = cell(rng, size, BAR_STYLES[int(rng.integers(len(BAR_STYLES)))])
    patches = np.tanh(2 * cloud_noise(rng, size, uniform(rng, 12, 35)))
    canvas.image *= (1 + uniform(rng, 0.03, 0.12) * patches)[:, :, None]
    return canvas


NOUNS = (
    "solar cell",
    "photovoltaic cell",
    "grey panel",
    "wafer",
    "panel with bars",
    "silicon cell",
    "electroluminescence image of a solar cell",
    "solar panel",
)

SURFACES: dict[str, Surface] = {
    f"cell with {style} bars": Surface(partial(cell, style=style), NOUNS, frozenset({"bent"}), can_be_part=False)
    for style in BAR_STYLES
}
SURFACES["crystal cell"] = Surface(crystal_cell, NOUNS, frozenset({"discoloration", "bent"}), can_be_part=False)
