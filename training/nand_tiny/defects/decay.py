"""Damage that eats or rubs the surface away over an area: rust and abrasion."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import Field, chance, cloud_noise, grain, relief, smooth_noise, uniform

from .base import Defect, contrast_step, lay, local_colour, seen, shift
from .shapes import distance_field, edge, soften


def rust(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """Ragged, flaky, mottled patches of orange to brown, or green to white, with dark pits."""
    size = canvas.size
    distance: Field = np.full((size, size), 9.0, dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        radius = uniform(rng, 0.05, 0.18) * size
        radii = (radius * uniform(rng, 0.8, 1.6), radius)
        centre = canvas.random_point(rng, 0.12)
        distance = np.minimum(distance, distance_field(rng, size, centre, radii, rough=0.25, turn=uniform(rng, 0, 3.1)))
    ragged = distance + np.float32(0.25) * cloud_noise(rng, size, uniform(rng, 5, 11), 3)
    cover = edge(np.asarray(ragged, dtype=np.float32), uniform(rng, 0.15, 0.4))
    shades = ((0.55, 0.27, 0.10), (0.42, 0.20, 0.10), (0.65, 0.38, 0.15), (0.35, 0.55, 0.48), (0.72, 0.74, 0.70))
    tone = np.asarray(shades[int(rng.choice(5, p=(0.35, 0.3, 0.2, 0.08, 0.07)))], dtype=np.float32)
    base = float(local_colour(canvas, cover).mean())
    if abs(base - float(tone.mean())) < 0.12:  # rust on a surface of its own tone would vanish in a grey picture
        tone = tone * np.float32(0.45 if base > 0.2 else 2.0)
    mottle = 1 + 0.3 * cloud_noise(rng, size, 7, 3) + 0.12 * grain(rng, size)
    flakes = np.clip(mottle[:, :, None] * tone, 0, 1).astype(np.float32)
    lay(canvas, cover * np.float32(uniform(rng, 0.65, 1.0)), flakes)
    pits = np.clip(3 * (smooth_noise(rng, size, 3) - 0.9), 0, 1) * cover
    lay(canvas, np.asarray(pits * uniform(rng, 0.3, 0.8), dtype=np.float32), tone * np.float32(0.25))
    return seen(canvas, cover, 0.5)


def abrasion(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A rubbed patch: scores of short strokes side by side, or a roughened face, over texture that wore away."""
    size = canvas.size
    radius = uniform(rng, 0.08, 0.22) * size
    longer, heading = uniform(rng, 1.0, 1.7), uniform(rng, 0, np.pi)
    centre = canvas.random_point(rng, 0.12)
    distance = distance_field(rng, size, centre, (radius * longer, radius / longer), rough=0.2, turn=heading)
    cover = edge(distance, uniform(rng, 0.3, 0.7))
    worn = np.asarray(cv2.blur(canvas.image, (7, 7)), dtype=np.float32)
    lay(canvas, cover * np.float32(uniform(rng, 0.3, 0.9)), worn)
    shift(canvas, cover, contrast_step(rng, canvas, cover, 0.03, 0.12, dark=0.35))
    if chance(rng, 0.35):
        rough = relief(smooth_noise(rng, size, uniform(rng, 1.5, 4)), uniform(rng, 0, 6.3)) + 0.25 * grain(rng, size)
        shift(canvas, np.asarray(cover * rough, dtype=np.float32), uniform(rng, 0.2, 0.5))
        return seen(canvas, cover, 0.4)
    strokes = np.zeros((size, size), dtype=np.uint8)
    bundle = rng.normal(heading + uniform(rng, -0.5, 0.5), uniform(rng, 0.03, 0.5), 260)
    places = np.asarray(centre) + rng.normal(0, 0.55 * radius, (260, 2)) * longer
    for angle, (x, y), reach in zip(bundle, places, rng.uniform(0.1, 0.45, 260) * radius, strict=True):
        ahead = reach * np.cos(angle), reach * np.sin(angle)
        ends = [round(8 * float(v)) for v in (x - ahead[0], y - ahead[1], x + ahead[0], y + ahead[1])]
        cv2.line(strokes, (ends[0], ends[1]), (ends[2], ends[3]), int(rng.integers(80, 255)), 1, cv2.LINE_AA, 3)
    lines = cover * soften(strokes.astype(np.float32) / np.float32(255), 0.4)
    shift(canvas, lines, contrast_step(rng, canvas, cover, 0.15, 0.4, dark=0.25))
    return seen(canvas, cover, 0.4)


DEFECTS = {"rust": Defect(rust), "abrasion": Defect(abrasion)}
