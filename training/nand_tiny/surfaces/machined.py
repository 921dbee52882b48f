"""Things that tools made: turned and milled faces, corrugated board, boards with pads, tiles and film."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import Field, chance, cloud_noise, grain, pixel_grid, smooth_noise, uniform

from .base import Colour, Surface, flat, grey, mix, pick_colour, tint, unevenness
from .circuits import BOARDS, COPPER
from .metals import ALLOYS

GLAZES: tuple[Colour, ...] = (
    (0.88, 0.87, 0.84),
    (0.35, 0.50, 0.60),
    (0.50, 0.55, 0.45),
    (0.70, 0.50, 0.40),
    (0.30, 0.30, 0.32),
)
SHEETS: tuple[Colour, ...] = (
    (0.80, 0.82, 0.84),
    (0.30, 0.32, 0.35),
    (0.60, 0.70, 0.80),
    (0.85, 0.75, 0.45),
    (0.14, 0.14, 0.15),
)


def profile(rng: np.random.Generator, distance: Field, step: float) -> Field:
    """Return random tones along a distance in pixels, `step` pixels from tone to tone."""
    count = int(float(distance.max()) / step) + 2
    tones = rng.standard_normal(count, dtype=np.float32)
    place = distance / np.float32(step)
    low = place.astype(np.intp)
    return np.asarray(tones[low] + (place - low) * (tones[low + 1] - tones[low]), dtype=np.float32)


def turned(rng: np.random.Generator, size: int) -> Canvas:
    """A face from the lathe: fine rings about a centre, with the fan of light that rings reflect."""
    x, y = pixel_grid(size)
    centre = rng.uniform(-0.3, 1.3, 2) * size if chance(rng, 0.5) else rng.uniform(0.4, 0.6, 2) * size
    right, down = x - np.float32(centre[0]), y - np.float32(centre[1])
    distance = np.sqrt(right * right + down * down)
    rings = profile(rng, distance, uniform(rng, 1.2, 4.0)) + 0.6 * profile(rng, distance, uniform(rng, 6, 20))
    fan = np.cos(2 * np.arctan2(down, right) - np.float32(uniform(rng, 0, 6.3)))
    shade = uniform(rng, 0.02, 0.08) * rings + uniform(rng, 0.0, 0.25) * fan + 0.02 * grain(rng, size)
    return Canvas(tint(pick_colour(rng, ALLOYS), np.asarray(shade + unevenness(rng, size, 0.04), dtype=np.float32)))


def milled(rng: np.random.Generator, size: int) -> Canvas:
    """A face from the mill: overlapping arcs that the cutter left, in one or several lanes."""
    x, y = pixel_grid(size)
    radius = uniform(rng, 0.6, 1.3) * size
    lane = x % np.float32(uniform(rng, 0.4, 0.9) * size) if chance(rng, 0.4) else x
    aside = lane - np.float32(uniform(rng, 0.2, 0.8) * size)
    arc = y - np.sqrt(np.maximum(radius * radius - aside * aside, 0)).astype(np.float32)
    feed = uniform(rng, 3.0, 10.0)
    waves = np.sin(2 * np.pi * arc / np.float32(feed)) + profile(rng, arc - arc.min(), feed)
    shade = uniform(rng, 0.03, 0.09) * waves + 0.02 * grain(rng, size) + unevenness(rng, size, 0.07)
    return Canvas(tint(pick_colour(rng, ALLOYS), np.asarray(shade, dtype=np.float32)))


def corrugated_board(rng: np.random.Generator, size: int) -> Canvas:
    """Packing board: the waves of its core show through fibrous paper."""
    x, _ = pixel_grid(size)
    wave = np.sin(2 * np.pi * (x + smooth_noise(rng, size, 80)) / uniform(rng, 8, 22))
    fibres = np.clip(smooth_noise(rng, size, 2, 7) - 1.2, 0, 1) - np.clip(smooth_noise(rng, size, 6, 2) - 1.2, 0, 1)
    shade = uniform(rng, 0.02, 0.1) * wave + uniform(rng, 0.03, 0.1) * fibres + 0.025 * grain(rng, size)
    kraft: tuple[Colour, ...] = ((0.68, 0.52, 0.36), (0.76, 0.62, 0.45), (0.58, 0.45, 0.33), (0.86, 0.85, 0.82))
    return Canvas(tint(pick_colour(rng, kraft), np.asarray(shade + unevenness(rng, size, 0.04), dtype=np.float32)))


def bare_board(rng: np.random.Generator, size: int) -> Canvas:
    """A board before assembly: rows of pads and holes, with conductors and white marks between them."""
    ground = tint(pick_colour(rng, BOARDS), 0.02 * grain(rng, size) + unevenness(rng, size, 0.03))
    conductor = np.asarray(ground.mean(axis=(0, 1)) * uniform(rng, 1.15, 1.5) + 0.02)
    pitch = uniform(rng, 18, 40)
    for _ in range(int(rng.integers(3, 10))):
        start = np.round(rng.uniform(0, size / pitch, 2)) * pitch
        turn = start + np.asarray([0, uniform(rng, -4, 4) * pitch])
        stop = turn + np.asarray([uniform(rng, 1, 4) * pitch, uniform(rng, 1, 4) * pitch])
        points = np.round(np.stack([start, turn, stop])).astype(np.int32)
        thick, tone = int(rng.integers(2, 5)), tuple(map(float, conductor))
        cv2.polylines(ground, [points], isClosed=False, color=tone, thickness=thick, lineType=cv2.LINE_AA)
    image, metal = ground.copy(), pick_colour(rng, COPPER)
    hole, square = grey(rng, 0.02, 0.15), chance(rng, 0.4)
    drilled, parts = chance(rng, 0.7), list[Mask]()
    radius = pitch * uniform(rng, 0.22, 0.36)
    filled = {(int(c), int(r)) for c, r in rng.integers(0, int(size / pitch) + 1, (int(rng.integers(8, 45)), 2))}
    for column, row in sorted(filled):
        x, y = round((column + 0.5) * pitch), round((row + 0.5) * pitch)
        pad = np.zeros((size, size), dtype=np.uint8)
        reach = round(radius)
        for target, colour in ((image, metal), (pad, 255)):
            if square:
                cv2.rectangle(target, (x - reach, y - reach), (x + reach, y + reach), colour, -1)
            else:
                cv2.circle(target, (x, y), reach, colour, -1, cv2.LINE_AA)
        if drilled:
            cv2.circle(image, (x, y), max(1, round(radius * 0.5)), hole, -1, cv2.LINE_AA)
        if pad[8 : size - 8, 8 : size - 8].any():
            parts.append(pad > 127)
    return Canvas(image, parts=parts, behind=ground)


def speckled_tile(rng: np.random.Generator, size: int) -> Canvas:
    """A pale or grey tile with sharp irregular flecks of one or two darker tones, evenly spread."""
    base = grey(rng, 0.55, 0.85)
    image = tint(base, 0.02 * grain(rng, size) + 0.02 * cloud_noise(rng, size, 20))
    scale = uniform(rng, 3.0, 10.0)
    for part in range(int(rng.integers(1, 3))):
        level = uniform(rng, 0.3, 1.0)
        share = np.clip(6 * (cloud_noise(rng, size, scale / (1 + part), 2) - uniform(rng, 0.5, 1.3)), 0, 1)
        image = mix(image, flat(grey(rng, 0.08, 0.45), size), np.asarray(level * share, dtype=np.float32))
    return Canvas(image)


def mosaic(rng: np.random.Generator, size: int) -> Canvas:
    """Small glazed tiles with joints, square or in bond, each of its own tone."""
    x, y = pixel_grid(size)
    wide = uniform(rng, 28, 90)
    high = wide * uniform(rng, 0.4, 1.0)
    row = (y + uniform(rng, 0, high)) / np.float32(high)
    down = np.floor(row)
    column = (x + uniform(rng, 0, wide)) / np.float32(wide) + (0.5 * (down % 2) if chance(rng, 0.5) else 0)
    across = np.floor(column)
    border = np.minimum((0.5 - np.abs(column - across - 0.5)) * wide, (0.5 - np.abs(row - down - 0.5)) * high)
    own = rng.standard_normal((23, 29), dtype=np.float32)[down.astype(np.intp) % 23, across.astype(np.intp) % 29]
    shade = uniform(rng, 0.0, 0.08) * own + 0.015 * grain(rng, size) + unevenness(rng, size, 0.05)
    shade += uniform(rng, 0.0, 0.15) * np.exp(-((border - 4) ** 2) / 4) * (1 if chance(rng, 0.5) else -1)
    tiles = tint(pick_colour(rng, GLAZES), np.asarray(shade, dtype=np.float32))
    level = uniform(rng, 0.2, 0.85)
    level += 0.25 if abs(level - float(tiles.mean())) < 0.15 and level < 0.6 else 0.0
    joint = np.clip(uniform(rng, 1.0, 3.5) - border + 0.5, 0, 1)
    return Canvas(mix(tiles, tint(grey(rng, level, level + 0.02), 0.05 * grain(rng, size)), joint))


def film(rng: np.random.Generator, size: int) -> Canvas:
    """Smooth polymer film: soft lengthwise streaks of the extruder and a faint band of gloss."""
    x, y = pixel_grid(size)
    shade = uniform(rng, 0.005, 0.03) * smooth_noise(rng, size, uniform(rng, 3, 12), 400)
    middle, reach = uniform(rng, 0, size), uniform(rng, 0.15, 0.5) * size
    shade += uniform(rng, 0.0, 0.2) * np.exp(-(((x + uniform(rng, -0.4, 0.4) * y - middle) / reach) ** 2))
    shade += 0.01 * grain(rng, size) + unevenness(rng, size, 0.04)
    return Canvas(tint(pick_colour(rng, SHEETS), np.asarray(shade, dtype=np.float32)))


SURFACES: dict[str, Surface] = {
    "turned metal": Surface(turned, ("turned part", "machined metal", "metal disc", "lathe part")),
    "milled metal": Surface(milled, ("milled part", "machined surface", "milled face")),
    "corrugated board": Surface(corrugated_board, ("corrugated cardboard", "cardboard", "carton", "packaging")),
    "bare board": Surface(bare_board, ("bare circuit board", "board with pads", "PCB"), frozenset({"hole", "bent"})),
    "speckled tile": Surface(speckled_tile, ("tile", "floor tile", "stoneware"), frozenset({"spot", "contamination"})),
    "mosaic": Surface(mosaic, ("mosaic", "tiled wall", "glazed tiles")),
    "film": Surface(film, ("plastic film", "polymer film", "foil", "film web")),
}
