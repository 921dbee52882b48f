"""Fabrics whose yarns can be counted: plain weave, twill, jersey and loop pile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nand_tiny.canvas import Canvas
from nand_tiny.noise import Field, chance, grain, pixel_grid, smooth_noise, uniform

from .base import Colour, Surface, mix, pick_colour, tint, unevenness
from .textiles import DYES

Yarns = NDArray[np.intp]
PAD = 40  # yarns beyond the picture that a swaying yarn may reach


def split(place: Field) -> tuple[Yarns, Field]:
    """Return the number of the yarn at every pixel, and how far off its middle (-0.5..0.5) the pixel is."""
    whole = np.floor(place)
    return whole.astype(np.intp), place - whole - np.float32(0.5)


def yarn_tones(rng: np.random.Generator, yarns: Yarns, strength: float) -> Field:
    """Return the own tone of every yarn, since no two are dyed and spun alike."""
    tones = strength * rng.standard_normal(int(yarns.max()) + PAD, dtype=np.float32)
    return np.asarray(tones[yarns + PAD // 2], dtype=np.float32)


def interlaced(
    rng: np.random.Generator,
    size: int,
    pitch: float,
    over: Callable[[Yarns, Yarns], NDArray[np.bool_]],
    colours: tuple[Colour, Colour],
) -> Canvas:
    """Rounded yarns; `over` tells where the upright yarn lies on top of the level one."""
    x, y = pixel_grid(size)
    sway = np.float32(uniform(rng, 0.05, 0.3))
    across, u = split(x / np.float32(pitch) + sway * smooth_noise(rng, size, 60))
    down, v = split(y / np.float32(pitch * uniform(rng, 0.85, 1.2)) + sway * smooth_noise(rng, size, 60))
    on_top = over(across, down)
    side, along = np.where(on_top, u, v), np.where(on_top, v, u)
    dome = np.sqrt(np.clip(1 - (np.float32(uniform(rng, 1.9, 2.3)) * side) ** 2, 0, 1))
    height = dome * (0.65 + 0.35 * np.cos(np.pi * along))
    tones = np.where(on_top, yarn_tones(rng, across, 0.05), yarn_tones(rng, down, 0.05))
    shade = uniform(rng, 0.25, 0.6) * (height - 0.6) + uniform(rng, 0.3, 1.2) * tones
    if pitch > 7:  # the twist of the fibres shows in thick yarns only
        shade += uniform(rng, 0.0, 0.08) * np.sin(2 * np.pi * (2.5 * along + 1.5 * side))
    shade = np.asarray(shade + 0.04 * grain(rng, size) + unevenness(rng, size, 0.03), dtype=np.float32)
    upright, level = colours
    return Canvas(mix(tint(level, shade), tint(upright, shade), on_top.astype(np.float32)), yarn=pitch)


def plain_weave(rng: np.random.Generator, size: int) -> Canvas:
    """Every yarn goes over one and under one (or two and two), fine or coarse, in one or two colours."""
    step = 2 if chance(rng, 0.2) else 1
    first = pick_colour(rng, DYES)
    second = first if chance(rng, 0.5) else pick_colour(rng, DYES)
    pitch = float(np.exp(rng.uniform(np.log(4.0), np.log(16.0))))
    return interlaced(rng, size, pitch, lambda a, b: (a // step + b // step) % 2 == 0, (first, second))


def twill(rng: np.random.Generator, size: int) -> Canvas:
    """Denim and its like: every yarn shifted by one, which makes diagonal ribs."""
    repeat = int(rng.integers(3, 5))
    way = 1 if chance(rng, 0.5) else -1
    first = pick_colour(rng, DYES)
    second = pick_colour(rng, ((0.85, 0.84, 0.82), (0.6, 0.6, 0.6))) if chance(rng, 0.6) else first
    pitch = uniform(rng, 3.5, 9.0)
    return interlaced(rng, size, pitch, lambda a, b: (a + way * b) % repeat != 0, (first, second))


def jersey(rng: np.random.Generator, size: int) -> Canvas:
    """The back of a knitted shirt: rows of small arcs, each over the gap of the row below."""
    x, y = pixel_grid(size)
    pitch = uniform(rng, 5.0, 14.0)
    column = (x + 0.15 * pitch * smooth_noise(rng, size, 70)) / np.float32(pitch)
    wave = np.cos(2 * np.pi * column)
    row = (y + 0.15 * pitch * smooth_noise(rng, size, 70)) / np.float32(pitch * 0.6)
    number, offset = split(np.asarray(row + 0.28 * np.where(np.floor(row) % 2 == 0, wave, -wave), dtype=np.float32))
    dome = np.clip(1 - (2.2 * offset) ** 2, 0, 1)
    shade = uniform(rng, 0.15, 0.4) * (dome - 0.6) + yarn_tones(rng, number, 0.03)
    shade = np.asarray(shade + 0.04 * grain(rng, size) + unevenness(rng, size, 0.03), dtype=np.float32)
    return Canvas(tint(pick_colour(rng, DYES), shade), yarn=pitch * 0.6)


def loop_pile(rng: np.random.Generator, size: int) -> Canvas:
    """A carpet of round loops in staggered rows, plain or flecked."""
    x, y = pixel_grid(size)
    pitch = uniform(rng, 6.0, 16.0)
    row = (y + 0.2 * pitch * smooth_noise(rng, size, 2 * pitch)) / np.float32(pitch * 0.8)
    down, v = split(np.asarray(row, dtype=np.float32))
    column = (x + 0.2 * pitch * smooth_noise(rng, size, 2 * pitch)) / np.float32(pitch) + 0.5 * (down % 2)
    across, u = split(np.asarray(column, dtype=np.float32))
    dome = np.sqrt(np.clip(1.1 - 4 * (u * u + v * v), 0, 1))
    own = rng.standard_normal((101, 103), dtype=np.float32)[down % 101, across % 103]
    shade = uniform(rng, 0.3, 0.6) * (dome - 0.7) + uniform(rng, 0.03, 0.09) * own + 0.05 * grain(rng, size, 0.6)
    image = tint(pick_colour(rng, DYES), np.asarray(shade + unevenness(rng, size, 0.04), dtype=np.float32))
    if chance(rng, 0.4):
        flecks = tint(pick_colour(rng, DYES), np.asarray(shade, dtype=np.float32))
        image = mix(image, flecks, (own > uniform(rng, 0.3, 1.5)).astype(np.float32) * np.float32(0.7))
    return Canvas(image, yarn=pitch)


SURFACES: dict[str, Surface] = {
    "plain weave": Surface(plain_weave, ("woven cloth", "linen", "cloth", "textile", "coarse fabric")),
    "twill": Surface(twill, ("denim", "twill", "jeans fabric", "cotton fabric")),
    "jersey": Surface(jersey, ("jersey", "shirt fabric", "knitted textile", "stretch fabric")),
    "loop pile": Surface(loop_pile, ("carpet", "loop carpet", "doormat", "floor covering")),
}
