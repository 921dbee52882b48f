"""Foreign things on the surface: specks, debris, threads and glue."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import Field, chance, uniform

from .base import Colour, Defect, contrast_step, lay, local_colour, seen, shift
from .shapes import curve, distance_field, edge, shifted, soften, stroke, taper


def foreign_colour(rng: np.random.Generator, canvas: Canvas, cover: Field, low: float = 0.2) -> Colour:
    """Return a colour that stands out from the surface, neutral more often than not."""
    base = local_colour(canvas, cover)
    step = contrast_step(rng, canvas, cover, low, 0.6)
    if chance(rng, 0.4):
        step = np.asarray(step * rng.uniform(0.3, 1.6, 3), dtype=np.float32)
    return np.asarray(np.clip(base + step, 0, 1), dtype=np.float32)


def spot(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """One or several tiny round dots with a clear edge."""
    size = canvas.size
    ink = np.zeros((size * 2, size * 2), dtype=np.uint8)
    count = 1 if chance(rng, 0.35) else int(rng.integers(2, 14))
    largest = uniform(rng, 0.009, 0.022) * size
    middle, spread = canvas.random_point(rng, 0.1), uniform(rng, 0.05, 0.35) * size
    for number in range(count):
        away = rng.normal(0, spread, 2) if number else np.zeros(2)
        x, y = middle[0] + float(away[0]), middle[1] + float(away[1])
        radius = max(1.3, largest * uniform(rng, 0.6, 1.0))
        cv2.circle(ink, (round(x * 16), round(y * 16)), round(radius * 16), 255, -1, cv2.LINE_AA, 3)
    cover: Field = cv2.resize(ink, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    lay(canvas, soften(cover, 0.5), local_colour(canvas, cover) + contrast_step(rng, canvas, cover, 0.2, 0.6, dark=0.7))
    return seen(canvas, cover, 0.25)


def contamination(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """Loose debris: angular crumbs and flakes of mixed tone and size, each with a small shadow."""
    size = canvas.size
    middle, spread = canvas.random_point(rng, 0.15), uniform(rng, 0.03, 0.14) * size
    largest = uniform(rng, 0.012, 0.04) * size
    total: Field = np.zeros((size, size), dtype=np.float32)
    layers = [np.zeros((size, size), dtype=np.float32) for _ in range(3)]
    for number in range(int(rng.integers(4, 28))):
        corners = int(rng.integers(3, 7))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radius = max(1.8, largest * float(rng.uniform(0.3, 1.0)))
        reach = radius * rng.uniform(0.5, 1.2, corners)
        outline = (
            np.asarray(middle)
            + rng.normal(0, spread, 2)
            + np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)
        )
        fixed = np.round(outline * 8).astype(np.int32)
        cv2.fillPoly(layers[number % 3], [fixed], uniform(rng, 0.7, 1.0), cv2.LINE_8, 3)
    total = np.maximum(np.maximum(layers[0], layers[1]), layers[2])
    shift(canvas, soften(shifted(total, 1.5, 1.5), 0.8), -uniform(rng, 0.1, 0.3))
    for layer in layers:
        lay(canvas, soften(layer, 0.5), foreign_colour(rng, canvas, total))
    return seen(canvas, total)


def metal(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """One to three shiny slivers or curled shavings: glaring on one side, dark on the other, with a hard shadow."""
    size = canvas.size
    cover: Field = np.zeros((size, size), dtype=np.float32)
    shine: Field = np.zeros((size, size), dtype=np.float32)
    for _ in range(1 if chance(rng, 0.6) else int(rng.integers(2, 4))):
        length, width = uniform(rng, 0.07, 0.28) * size, uniform(rng, 0.012, 0.035) * size
        bend = uniform(rng, -0.6, 0.6) if chance(rng, 0.6) else uniform(rng, 2.0, 6.0)
        path = curve(rng, canvas.random_point(rng, 0.2), uniform(rng, 0, 6.3), length, 0.1, bend=bend)
        body = stroke(size, path, taper(len(path), max(2.5, width), 0.4))
        facets = rng.uniform(-1, 1, len(path)) * max(2.5, width) * 0.7
        gleam = stroke(size, path - 0.2 * max(2.5, width), [max(0.6, float(facet)) for facet in facets])
        cover, shine = np.maximum(cover, body), np.maximum(shine, gleam * body)
    shift(canvas, soften(shifted(cover, 2.0, 2.5), 1.0), -uniform(rng, 0.15, 0.35))
    base = float(local_colour(canvas, cover).mean())
    level = uniform(rng, 0.5, 0.65) if base < 0.35 else uniform(rng, 0.15, 0.3)
    lay(canvas, cover, level)
    lay(canvas, shine, uniform(rng, 0.9, 1.0))
    return seen(canvas, cover)


def thread(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A curling fibre of even width that lies on the surface: rounded shading and a shadow."""
    size = canvas.size
    cover: Field = np.zeros((size, size), dtype=np.float32)
    light: Field = np.zeros((size, size), dtype=np.float32)
    count = 1 if chance(rng, 0.65) else int(rng.integers(2, 6))
    width = uniform(rng, 1.4, 5.0) if count == 1 else uniform(rng, 1.2, 3.0)
    for _ in range(count):
        length = uniform(rng, 0.25, 1.1) * size / count**0.5
        bend = uniform(rng, 1.2, 5.0) / count**0.6 * (1 if chance(rng, 0.5) else -1)
        heading = uniform(rng, 0, 2 * np.pi)
        path = curve(rng, canvas.random_point(rng, 0.2), heading, length, uniform(rng, 0.8, 3.0), bend=bend)
        cover = np.maximum(cover, stroke(size, path, width))
        light = np.maximum(light, stroke(size, path, max(0.6, width * 0.35)))
    colour = foreign_colour(rng, canvas, cover)
    if chance(rng, 0.7):
        shift(canvas, soften(shifted(cover, width * 0.5, width * 0.6), 1.0), -uniform(rng, 0.05, 0.25))
    lay(canvas, cover, colour)
    shift(canvas, light, uniform(rng, 0.05, 0.2))
    return seen(canvas, cover)


def glue(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A clear or milky strip, bead or blob that hides texture, with glossy highlights along its rim."""
    size = canvas.size
    if chance(rng, 0.55):
        heading = uniform(rng, 0, 2 * np.pi)
        length = uniform(rng, 0.2, 0.6) * size
        middle = canvas.random_point(rng, 0.2)
        start = (middle[0] - length / 2 * float(np.cos(heading)), middle[1] - length / 2 * float(np.sin(heading)))
        path = curve(rng, start, heading, length, 0.4, bend=uniform(rng, -0.8, 0.8))
        cover = stroke(size, path, taper(len(path), uniform(rng, 0.04, 0.1) * size, 0.6))
    else:
        radius = uniform(rng, 0.05, 0.15) * size
        centre, longer = canvas.random_point(rng, 0.15), uniform(rng, 1.0, 1.5)
        turn = uniform(rng, 0, np.pi)
        distance = distance_field(rng, size, centre, (radius * longer, radius / longer), rough=0.08, turn=turn)
        cover = edge(distance, 0.1)
    cover = soften(cover, 1.0)
    calm = np.asarray(cv2.blur(canvas.image, (9, 9)), dtype=np.float32)
    lay(canvas, cover * np.float32(uniform(rng, 0.5, 1.0)), calm)
    height = soften(cover, uniform(rng, 1.5, 3.5))
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    angle = np.float32(uniform(rng, 0, 2 * np.pi))
    facing = (np.cos(angle) * slope_x + np.sin(angle) * slope_y) * 10
    milky = contrast_step(rng, canvas, cover, 0.05, 0.25, dark=0.12)
    if chance(rng, 0.4):
        milky = np.asarray(milky * np.asarray([1.3, 1.1, 0.5]), dtype=np.float32)
    shift(canvas, cover, milky)
    shift(canvas, cover * np.clip(facing, 0, 2).astype(np.float32) ** 2, uniform(rng, 0.15, 0.5))
    shift(canvas, cover * np.clip(-facing, 0, 2).astype(np.float32), -uniform(rng, 0.05, 0.2))
    return seen(canvas, cover)


DEFECTS = {
    "spot": Defect(spot, 1.5),
    "contamination": Defect(contamination),
    "thread": Defect(thread, 1.5),
    "glue": Defect(glue),
    "metal": Defect(metal),
}
