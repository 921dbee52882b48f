"""Grey cells with printed bars and thin finger lines, as photographed by their own faint glow."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, Image, Mask, PrintedLines
from nand_tiny.noise import Field, chance, cloud_noise, grain, pixel_grid, smooth_noise, uniform

from .base import Colour, Surface, flat, grey, mix, pick_colour, tint, unevenness

BAR_STYLES = ("thin", "segmented", "tapered", "broad", "contacts", "bright", "dashed")


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
    dashes = int(rng.integers(3, 8)) * (5 if style == "dashed" else 1)
    duty, shift = uniform(rng, 0.3, 0.6), uniform(rng, -0.3, 0.3)
    margin = uniform(rng, 0.0, 0.1) * size
    for y in bars:
        row = round(y)
        if style != "contacts":
            cv2.line(ink, (int(margin * 0.3), row), (int(size - margin * 0.3), row), 0.8, thin)
        if style in ("tapered", "broad", "bright"):
            cv2.line(ink, (int(margin), row), (int(size - margin), row), 1.0, max(2, round(width)))
        elif style in ("segmented", "dashed"):
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


def any_cell(rng: np.random.Generator, size: int) -> Canvas:
    """A cell with bars of any style."""
    return cell(rng, size, BAR_STYLES[int(rng.integers(len(BAR_STYLES)))])


def crystal_cell(rng: np.random.Generator, size: int) -> Canvas:
    """A cell cast of many crystals, which show as harmless cloudy patches."""
    canvas = any_cell(rng, size)
    patches = np.tanh(2 * cloud_noise(rng, size, uniform(rng, 12, 35)))
    canvas.image *= (1 + uniform(rng, 0.03, 0.12) * patches)[:, :, None]
    return canvas


def framed_cell(rng: np.random.Generator, size: int) -> Canvas:
    """A cell with cut corners in a wide dark frame, slivers of its neighbours along the borders."""
    canvas = any_cell(rng, size)
    x, y = pixel_grid(size)
    frame = uniform(rng, 0.03, 0.09) * size
    off_x, off_y = (uniform(rng, -0.02, 0.02) * size for _ in range(2))
    across, down = np.abs(x - size / 2 - off_x), np.abs(y - size / 2 - off_y)
    half = size / 2 - frame
    corner = (2 * half - uniform(rng, 0.06, 0.2) * size - across - down) * 0.7071
    inside = np.minimum(half - np.maximum(across, down), corner)
    cover = np.clip(inside / uniform(rng, 1.0, 3.0) + 0.5, 0, 1).astype(np.float32)
    outside = uniform(rng, 0.01, 0.08)
    ground = np.full((size, size), outside, dtype=np.float32)
    if chance(rng, 0.5):
        level = uniform(rng, 0.5, 1.0) * float(canvas.image.mean())
        ground += level * np.clip(np.maximum(across, down) - (half + frame * uniform(rng, 0.5, 0.9)), 0, 1)
    canvas.image = mix(np.repeat(ground[:, :, None], 3, axis=2), canvas.image, cover)
    canvas.solid = (canvas.solid if canvas.solid is not None else cover > 0.6) & (cover > 0.6)
    canvas.background = (outside, outside, outside)
    return canvas


def shaded_cell(rng: np.random.Generator, size: int) -> Canvas:
    """A cell that glows unevenly as a whole: a dim side, a dim rim, dim bands between bars, fine ordinary bands."""
    canvas = any_cell(rng, size)
    x, y = pixel_grid(size)
    heading = uniform(rng, 0, 6.3)
    slope = ((x - size / 2) * np.float32(np.cos(heading)) + (y - size / 2) * np.float32(np.sin(heading))) / size
    field = 1 + uniform(rng, 0.0, 0.5) * slope
    far = ((x - size / 2) ** 2 + (y - size / 2) ** 2) / (size * size / 2)
    field *= 1 + uniform(rng, -0.45, 0.25) * (far - 0.3)
    if chance(rng, 0.6):
        field += uniform(rng, 0.01, 0.06) * smooth_noise(rng, size, uniform(rng, 3, 14), 10 * size)
    if chance(rng, 0.5):
        field += uniform(rng, 0.01, 0.06) * smooth_noise(rng, size, 10 * size, uniform(rng, 3, 14))
    canvas.image *= field[:, :, None].astype(np.float32)
    return canvas


def dotted_cell(rng: np.random.Generator, size: int) -> Canvas:
    """A cell of an older module: a fine lattice of dots all over."""
    canvas = any_cell(rng, size)
    x, y = pixel_grid(size)
    pitch = uniform(rng, 4.0, 9.0)
    column, row = x * np.float32(2 * np.pi / pitch), y * np.float32(2 * np.pi / pitch)
    if chance(rng, 0.5):
        column, row = (column + row) * np.float32(0.7071), (column - row) * np.float32(0.7071)
    dots = np.clip(np.cos(column) * np.cos(row) + 0.2 * smooth_noise(rng, size, 3), 0, 1) ** 2
    canvas.image *= (1 + uniform(rng, -0.2, 0.2) * dots)[:, :, None].astype(np.float32)
    return canvas


def blue_cell(rng: np.random.Generator, size: int) -> Canvas:
    """A cell by daylight: blue, grey or black, with silver fingers and bars that carry no light of their own."""
    x, _ = pixel_grid(size)
    cover, solid = wafer_outline(rng, size)
    tones: tuple[Colour, ...] = ((0.12, 0.18, 0.42), (0.08, 0.10, 0.16), (0.2, 0.25, 0.35), (0.10, 0.12, 0.28))
    outside = uniform(rng, 0.02, 0.1) if chance(rng, 0.4) else uniform(rng, 0.75, 0.95)

    def framed(image: Image) -> Image:
        return np.asarray(outside + cover[:, :, None] * (image - outside), dtype=np.float32)

    ground = tint(pick_colour(rng, tones), 0.04 * grain(rng, size, 0.6) + unevenness(rng, size, 0.08))
    if chance(rng, 0.5):  # facets of a cell that was cast of many crystals
        facets = np.round(1.3 * smooth_noise(rng, size, uniform(rng, 12, 40)))
        ground *= (1 + uniform(rng, 0.05, 0.2) * facets)[:, :, None]
    count = (2, 3, 5)[int(rng.integers(3))]
    bars = [float(v) for v in (np.arange(count) + 0.5) * size / count]
    width, pitch = uniform(rng, 0.01, 0.025) * size, uniform(rng, 5.0, 12.0)
    offset = uniform(rng, 0, pitch)
    silver = flat(grey(rng, 0.5, 0.85), size)
    fingers = np.clip(1.0 - np.abs((x - offset + pitch / 2) % pitch - pitch / 2), 0, 1) * uniform(rng, 0.35, 0.9)
    image = mix(ground, silver, np.asarray(fingers, dtype=np.float32))
    for layer in (ground, image):
        for bar in bars:
            tone = silver[0, 0]
            cv2.line(layer, (0, round(bar)), (size, round(bar)), tuple(map(float, tone)), max(2, round(width)))
    spans = [(low + width, high - width) for low, high in pairwise([0.0, *bars, float(size)])]
    positions = [float(v) for v in np.arange(offset, size, pitch)]
    lines = PrintedLines(positions, 2.5, spans, framed(ground), breaks_dark=False)
    return Canvas(framed(image), lines, solid, (outside, outside, outside))


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
SURFACES["framed cell"] = Surface(framed_cell, NOUNS, frozenset({"bent"}), can_be_part=False)
SURFACES["shaded cell"] = Surface(shaded_cell, NOUNS, frozenset({"discoloration", "bent"}), can_be_part=False)
SURFACES["dotted cell"] = Surface(dotted_cell, NOUNS, frozenset({"bent"}), can_be_part=False)
SURFACES["blue cell"] = Surface(blue_cell, ("solar cell", "blue solar cell", "solar panel"), can_be_part=False)
