"""Damage that changes the height of the surface: dent, bubble and wrinkle."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import Field, chance, pixel_grid, relief, uniform

from .base import Defect, seen, shift
from .shapes import curve, distance_field, edge, soften, stroke, taper


def displace(canvas: Canvas, right: Field, down: Field) -> None:
    """Move every pixel of the surface, as a bulge or a dent does with the texture on it."""
    x, y = pixel_grid(canvas.size)
    moved = cv2.remap(canvas.image, x + right, y + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    canvas.image[:] = moved


def visible_gain(canvas: Canvas, low: float, high: float, rng: np.random.Generator) -> float:
    """Return a shading strength, weaker on dark surfaces, which reflect less."""
    return uniform(rng, low, high) * (0.6 + 0.5 * float(canvas.image.mean()))


def dent(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A pressed-in hollow: one soft dark flank, and a bright flank opposite."""
    size = canvas.size
    radius = uniform(rng, 0.035, 0.13) * size
    longer = uniform(rng, 1.0, 1.7)
    centre = canvas.random_point(rng, 0.12)
    distance = distance_field(
        rng, size, centre, (radius * longer, radius / longer), rough=0.05, turn=uniform(rng, 0, np.pi)
    )
    hollow = np.exp(-2.0 * distance**4).astype(np.float32)
    slope = relief(hollow, uniform(rng, 0, 2 * np.pi)) * np.float32(radius)
    push = uniform(rng, 1.0, 3.0)
    pull = np.float32(0.5 * push * radius)
    displace(canvas, pull * relief(hollow, 0.0), pull * relief(hollow, np.pi / 2))
    shift(canvas, slope, visible_gain(canvas, 0.1, 0.38, rng))
    shift(canvas, hollow, -uniform(rng, 0.0, 0.08))
    return seen(canvas, edge(distance, 0.2), 0.4)


def bubble(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """One or several closed round blisters: a thin rim all round and a small highlight."""
    size = canvas.size
    total: Field = np.zeros((size, size), dtype=np.float32)
    x, y = pixel_grid(size)
    light = uniform(rng, 0, 2 * np.pi)
    gain = visible_gain(canvas, 0.3, 0.6, rng)
    tone = 1.0 if chance(rng, 0.5) else -1.0
    middle = canvas.random_point(rng, 0.15)
    for number in range(1 if chance(rng, 0.4) else int(rng.integers(2, 8))):
        radius = uniform(rng, 0.018, 0.07) * size
        away = rng.normal(0, 0.14 * size, 2) if number else np.zeros(2)
        centre = middle[0] + float(away[0]), middle[1] + float(away[1])
        pixels = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2)
        rim = np.exp(-(((pixels - radius) / max(1.0, 0.13 * radius)) ** 2))
        spark_x = centre[0] + 0.45 * radius * float(np.cos(light))
        spark_y = centre[1] + 0.45 * radius * float(np.sin(light))
        spark = np.exp(-((x - spark_x) ** 2 + (y - spark_y) ** 2) / (0.22 * radius) ** 2)
        inside = np.clip(radius - pixels + 0.5, 0, 1)
        shift(canvas, (tone * rim + 1.2 * spark + 0.12 * inside).astype(np.float32), gain)
        total = np.maximum(total, np.clip(radius + 1.5 - pixels, 0, 1))
    return seen(canvas, total)


def wrinkle(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """Long soft folds with a lit and a shaded flank, running side by side or fanning out."""
    size = canvas.size
    heading = uniform(rng, 0, 2 * np.pi)
    middle = canvas.random_point(rng, 0.2)
    ridge: Field = np.zeros((size, size), dtype=np.float32)
    count = int(rng.integers(1, 5))
    width = uniform(rng, 0.02, 0.06) * size
    for number in range(count):
        length = uniform(rng, 0.3, 0.9) * size
        aside = (number - (count - 1) / 2) * width * uniform(rng, 2.2, 4.0)
        own = heading + uniform(rng, -0.25, 0.25)
        start = (
            middle[0] - 0.5 * length * float(np.cos(own)) - aside * float(np.sin(heading)),
            middle[1] - 0.5 * length * float(np.sin(own)) + aside * float(np.cos(heading)),
        )
        path = curve(rng, start, own, length, 0.3, bend=uniform(rng, -0.6, 0.6))
        ridge = np.maximum(ridge, stroke(size, path, taper(len(path), width, 0.15)))
    height = soften(ridge, width * 0.5)
    slope = relief(height, heading + np.pi / 2) * np.float32(width)
    pull = np.float32(2.0 * width)
    displace(canvas, pull * relief(height, 0.0), pull * relief(height, np.pi / 2))
    shift(canvas, slope, visible_gain(canvas, 0.2, 0.6, rng))
    return seen(canvas, height, 0.2)


DEFECTS = {"dent": Defect(dent), "bubble": Defect(bubble), "wrinkle": Defect(wrinkle)}
