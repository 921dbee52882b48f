"""Damage that colours an area: stain, discoloration, smear and burn."""

from __future__ import annotations

import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import Field, chance, cloud_noise, pixel_grid, smooth_noise, uniform

from .base import Colour, Defect, contrast_step, lay, local_colour, seen, shift
from .shapes import curve, distance_field, edge, soften, stroke


def liquid_colour(rng: np.random.Generator, canvas: Canvas, cover: Field) -> Colour:
    """Return the colour change by a dried liquid: mostly dark, sometimes brown, coloured or pale."""
    choice = rng.random()
    if choice < 0.6:
        return contrast_step(rng, canvas, cover, 0.1, 0.5, dark=1.0)
    if choice < 0.8:
        step = contrast_step(rng, canvas, cover, 0.12, 0.4, dark=1.0)
        return np.asarray(step * np.asarray([0.5, 0.9, 1.3]), dtype=np.float32)
    if choice < 0.9:
        step = contrast_step(rng, canvas, cover, 0.15, 0.4, dark=1.0)
        return np.asarray(step * rng.uniform(0.2, 1.6, 3), dtype=np.float32)
    return contrast_step(rng, canvas, cover, 0.1, 0.35, dark=0.0)


def stain(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """One compact irregular blob (sometimes with drops beside it), soft or with a darker rim."""
    size = canvas.size
    radius = size * float(np.exp(rng.uniform(np.log(0.018), np.log(0.2))))
    longer = uniform(rng, 1.0, 1.8)
    centre = canvas.random_point(rng, 0.08)
    turn = uniform(rng, 0, np.pi)
    rough = uniform(rng, 0.08, 0.3)
    distance = distance_field(rng, size, centre, (radius * longer, radius / longer), rough=rough, turn=turn)
    for _ in range(int(rng.integers(0, 4)) if chance(rng, 0.3) else 0):
        offset = rng.normal(0, 1.4, 2) * radius
        drop = radius * uniform(rng, 0.15, 0.5)
        beside = (centre[0] + float(offset[0]), centre[1] + float(offset[1]))
        distance = np.minimum(distance, distance_field(rng, size, beside, (drop, drop), rough=0.1))
    cover = edge(distance, uniform(rng, 0.1, 1.0))
    step = liquid_colour(rng, canvas, cover)
    inner = 1 + uniform(rng, 0.0, 0.2) * smooth_noise(rng, size, max(5.0, radius))
    if radius > 0.04 * size and chance(rng, 0.3):
        ring = np.exp(-(((distance - 0.92) / 0.1) ** 2))
        inner = uniform(rng, 0.25, 0.7) * inner + ring
    shift(canvas, np.asarray(cover * inner, dtype=np.float32), step)
    return seen(canvas, cover)


def discoloration(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A wide region, patch or band of another tone, while the texture goes on unchanged."""
    size = canvas.size
    if chance(rng, 0.4):
        x, y = pixel_grid(size)
        heading = uniform(rng, 0, np.pi)
        centre = canvas.random_point(rng, 0.15)
        across = np.abs((x - centre[0]) * np.float32(np.cos(heading)) + (y - centre[1]) * np.float32(np.sin(heading)))
        distance = across / np.float32(size * uniform(rng, 0.08, 0.2)) + 0.12 * smooth_noise(rng, size, size / 4)
    else:
        radii = (size * uniform(rng, 0.2, 0.4), size * uniform(rng, 0.15, 0.35))
        centre, turn = canvas.random_point(rng, 0.1), uniform(rng, 0, np.pi)
        distance = distance_field(rng, size, centre, radii, rough=0.2, turn=turn)
    # On a cell a crisp border is the mark of a dark area.
    cover = edge(np.asarray(distance, dtype=np.float32), uniform(rng, 0.5 if canvas.glows else 0.25, 0.8))
    strength = uniform(rng, 0.18, 0.42)
    if chance(rng, 0.5):  # the hue changes, which grey pictures show as a change of tone
        factor = 1 + 0.75 * strength * np.asarray(rng.permutation([1.0, -0.1, -1.1]))
    else:
        factor = np.full(3, 1 - strength if chance(rng, 0.5) else 1 + strength)
    tinted = canvas.image * np.asarray(factor, dtype=np.float32)
    lay(canvas, cover, np.asarray(tinted, dtype=np.float32))
    return seen(canvas, cover, 0.4)


def brush_stroke(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """One broad stroke of a dry brush or marker: nearly even, frayed at its ends and along its sides."""
    size = canvas.size
    heading, length = uniform(rng, 0, 2 * np.pi), uniform(rng, 0.2, 0.7) * size
    middle = canvas.random_point(rng, 0.15)
    start = (middle[0] - length / 2 * float(np.cos(heading)), middle[1] - length / 2 * float(np.sin(heading)))
    path = curve(rng, start, heading, length, 0.2, bend=uniform(rng, -0.5, 0.5))
    cover = soften(stroke(size, path, uniform(rng, 0.03, 0.09) * size), 1.5)
    frayed = edge(np.asarray(1.5 - cover + 0.15 * cloud_noise(rng, size, 5, 2), dtype=np.float32), 0.4)
    frayed = np.asarray(frayed * np.clip(4 * cover, 0, 1), dtype=np.float32)
    step = contrast_step(rng, canvas, cover, 0.15, 0.45, dark=0.7)
    shift(canvas, np.asarray(frayed * (1 + 0.15 * cloud_noise(rng, size, 6, 2)), dtype=np.float32), step)
    return seen(canvas, frayed, 0.35)


def smear(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A wiped band of parallel streaks that fades out in the direction of wiping, or a plain stroke."""
    if chance(rng, 0.25):
        return brush_stroke(rng, canvas)
    size = canvas.size
    x, y = pixel_grid(size)
    heading = uniform(rng, 0, 2 * np.pi)
    centre = canvas.random_point(rng, 0.2)
    length, breadth = uniform(rng, 0.25, 0.7) * size, uniform(rng, 0.04, 0.15) * size
    along = (x - centre[0]) * np.float32(np.cos(heading)) + (y - centre[1]) * np.float32(np.sin(heading))
    beside = (y - centre[1]) * np.float32(np.cos(heading)) - (x - centre[0]) * np.float32(np.sin(heading))
    beside = beside - np.float32(uniform(rng, -0.9, 0.9) / size) * along**2
    place = along / np.float32(length) + 0.5
    profile = np.interp(np.arange(512), np.sort(rng.uniform(0, 512, 40)), rng.uniform(0, 1, 40)).astype(np.float32)
    lane = np.clip((beside / np.float32(breadth) + 1) * 256, 0, 511).astype(np.intp)
    streaks = profile[lane]
    reach = np.clip((0.45 + 0.55 * streaks - place) * 3, 0, 1) * np.clip(place * 8, 0, 1)
    inside = np.clip((1 - np.abs(beside) / np.float32(breadth)) * 5, 0, 1)
    cover = np.asarray(reach * inside * (0.2 + 0.8 * streaks), dtype=np.float32)
    step = contrast_step(rng, canvas, cover, 0.15, 0.45, dark=0.6)
    if chance(rng, 0.3):
        step = np.asarray(step * rng.uniform(0.5, 1.4, 3), dtype=np.float32)
    shift(canvas, cover, step)
    return seen(canvas, np.asarray(reach * inside, dtype=np.float32), 0.35)


def burn(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A charred black core with ragged edge in a brown halo that fades outwards."""
    size = canvas.size
    radius = size * uniform(rng, 0.06, 0.2)
    longer = uniform(rng, 1.0, 1.6)
    centre, turn = canvas.random_point(rng, 0.15), uniform(rng, 0, np.pi)
    distance = distance_field(rng, size, centre, (radius * longer, radius / longer), rough=0.12, turn=turn)
    halo = np.clip(1.25 - 0.75 * distance, 0, 1).astype(np.float32) ** 1.5
    base = local_colour(canvas, halo)
    brown = base * np.asarray([0.55, 0.38, 0.25]) if base.mean() > 0.2 else np.asarray([0.42, 0.3, 0.2])
    lay(canvas, halo * np.float32(uniform(rng, 0.6, 0.9)), np.asarray(brown, dtype=np.float32))
    core = edge(distance + 0.1 * cloud_noise(rng, size, 8, 2), 0.25)
    core = edge(np.asarray(distance * uniform(rng, 1.4, 2.2) + 0.15 * smooth_noise(rng, size, 6)), 0.3) * core
    lay(canvas, core, 0.03)
    if chance(rng, 0.4):
        ash = np.clip(smooth_noise(rng, size, 3) - 1.0, 0, 1) * core
        lay(canvas, np.asarray(ash, dtype=np.float32), 0.6)
    return seen(canvas, halo, 0.42)


DEFECTS = {
    "stain": Defect(stain, 2.0),
    "discoloration": Defect(discoloration),
    "smear": Defect(smear),
    "burn": Defect(burn, 0.8),
}
