"""Damage that is a line in the surface: crack, scratch and cut."""

from __future__ import annotations

import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import Field, chance, smooth_noise, uniform

from .base import Defect, contrast_step, lay, local_colour, seen, shift
from .shapes import Points, curve, jagged, polygon, shifted, soften, stroke, taper


def crack_paths(rng: np.random.Generator, canvas: Canvas) -> list[Points]:
    """Return one main path, from border to border or shorter, and its branches."""
    size = canvas.size
    heading = uniform(rng, 0, 2 * np.pi)
    straight = chance(rng, 0.55)
    rough = uniform(rng, 0.01, 0.08) if straight else uniform(rng, 0.25, 0.6)
    length = uniform(rng, 0.3, 1.3) * size
    start = canvas.random_point(rng, 0.15)
    if chance(rng, 0.5):
        start = (start[0] - 0.5 * length * float(np.cos(heading)), start[1] - 0.5 * length * float(np.sin(heading)))
    main = jagged(rng, start, heading, length, rough)
    paths = [main]
    for _ in range(int(rng.integers(0, 3 if straight else 5))):
        root = main[int(rng.integers(1, len(main)))]
        side = 1 if chance(rng, 0.5) else -1
        fork = heading + side * uniform(rng, 0.4, 1.5)
        paths.append(jagged(rng, (float(root[0]), float(root[1])), fork, length * uniform(rng, 0.15, 0.5), rough))
    return paths


def darken_side(rng: np.random.Generator, canvas: Canvas, path: Points) -> None:
    """Darken the region beyond a crack a little, as where a broken piece has lost its contact."""
    size = canvas.size
    ahead = path[-1] - path[0]
    normal = np.asarray([-ahead[1], ahead[0]]) / max(float(np.hypot(*ahead)), 1e-6)
    reach = uniform(rng, 0.15, 0.6) * size * (1 if chance(rng, 0.5) else -1)
    region = polygon(size, np.vstack([path, path[-1] + normal * reach, path[0] + normal * reach]))
    streaks = 1 + 0.3 * smooth_noise(rng, size, uniform(rng, 4, 15), 200)
    shift(canvas, region * streaks, contrast_step(rng, canvas, region, 0.03, 0.12, dark=1.0))


def crack(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A thin, sharp, angular dark line, often forked."""
    paths = crack_paths(rng, canvas)
    if chance(rng, 0.18):
        darken_side(rng, canvas, paths[0])
    width = uniform(rng, 0.8, 2.3)
    cover = np.zeros((canvas.size, canvas.size), dtype=np.float32)
    for number, path in enumerate(paths):
        cover = np.maximum(cover, stroke(canvas.size, path, width if number == 0 else width * 0.7))
    mask = seen(canvas, cover, 0.25)
    if chance(rng, 0.4):
        cover = soften(cover, uniform(rng, 0.5, 1.1)) * 1.3
    shift(canvas, cover, contrast_step(rng, canvas, cover, 0.09, 0.42, dark=0.96))
    return mask


def scratch(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """Smooth, tapered hairlines, straight or gently curved, often several side by side."""
    size = canvas.size
    count = 1 if chance(rng, 0.4) else int(rng.integers(2, 7))
    heading = uniform(rng, 0, 2 * np.pi)
    length = uniform(rng, 0.15, 0.8) * size
    middle = np.asarray(canvas.random_point(rng, 0.15))
    bend = uniform(rng, -0.5, 0.5)
    spread = uniform(rng, 0.01, 0.06) * size
    ahead = np.asarray([np.cos(heading), np.sin(heading)])
    aside = np.asarray([-ahead[1], ahead[0]])
    cover: Field = np.zeros((size, size), dtype=np.float32)
    for _ in range(count):
        own = length * uniform(rng, 0.5, 1.0)
        start = middle - ahead * own * uniform(rng, 0.3, 0.7) + aside * spread * count * uniform(rng, -0.5, 0.5)
        direction = heading - bend / 2 + uniform(rng, -0.06, 0.06)
        path = curve(rng, (float(start[0]), float(start[1])), direction, own, 0.02, bend=bend)
        line = stroke(size, path, taper(len(path), uniform(rng, 1.0, 2.2), 0.3))
        cover = np.maximum(cover, line * uniform(rng, 0.7, 1.0))
    bright = chance(rng, 0.7)
    shift(canvas, cover, contrast_step(rng, canvas, cover, 0.15, 0.5, dark=0.0 if bright else 1.0))
    if bright and chance(rng, 0.4):
        shift(canvas, shifted(cover, 1.0, 1.0), -0.1)
    return seen(canvas, cover, 0.25)


def cut(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A slit that gapes in the middle, with pointed ends, a dark inside and raised lips."""
    size = canvas.size
    heading = uniform(rng, 0, 2 * np.pi)
    length = uniform(rng, 0.12, 0.42) * size
    gape = length * uniform(rng, 0.08, 0.2)
    middle = canvas.random_point(rng, 0.18)
    start = (middle[0] - length / 2 * float(np.cos(heading)), middle[1] - length / 2 * float(np.sin(heading)))
    path = curve(rng, start, heading, length, 0.05, bend=uniform(rng, -0.4, 0.4))
    opening = stroke(size, path, taper(len(path), gape, 0.05, 1.2))
    lips = stroke(size, path, taper(len(path), gape + 0.016 * size + 1.5, 0.1, 1.0))
    base = local_colour(canvas, lips)
    shift(canvas, np.clip(lips - opening, 0, 1), uniform(rng, 0.08, 0.25))
    inside = base * uniform(rng, 0.05, 0.3) if base.mean() > 0.2 else np.minimum(base + 0.45, 1)
    lay(canvas, opening, np.asarray(inside, dtype=np.float32))
    return seen(canvas, np.maximum(lips, opening), 0.35)


DEFECTS = {"crack": Defect(crack, 1.6), "scratch": Defect(scratch, 1.4), "cut": Defect(cut)}
