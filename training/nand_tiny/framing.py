"""Cutting a surface to a part that lies before a plain background."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import Canvas
from .noise import chance, grain, uniform


def cut_out(rng: np.random.Generator, canvas: Canvas) -> None:
    """Leave only a disc, plate or polygon of the surface, and remember where the part is."""
    size = canvas.size
    ink = np.zeros((size, size), dtype=np.uint8)
    middle = (size / 2 + uniform(rng, -0.03, 0.03) * size, size / 2 + uniform(rng, -0.03, 0.03) * size)
    reach = uniform(rng, 0.36, 0.47) * size
    style = int(rng.integers(3))
    if style == 0:
        axes = (round(reach), round(reach * uniform(rng, 0.75, 1.0)))
        cv2.ellipse(ink, (round(middle[0]), round(middle[1])), axes, uniform(rng, 0, 180), 0, 360, 255, -1)
    elif style == 1:
        box = cv2.boxPoints((middle, (2 * reach, 2 * reach * uniform(rng, 0.55, 1.0)), uniform(rng, -12, 12)))
        cv2.fillPoly(ink, [np.round(box).astype(np.int32)], 255)
    else:
        corners = int(rng.integers(5, 9))
        angles = uniform(rng, 0, 6.3) + np.linspace(0, 2 * np.pi, corners, endpoint=False)
        outline = np.asarray(middle) + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(ink, [np.round(outline).astype(np.int32)], 255)
    cover = cv2.GaussianBlur(ink, (0, 0), uniform(rng, 0.7, 1.5)).astype(np.float32) / 255
    surface_level = float(canvas.image.mean())
    level = uniform(rng, 0.01, 0.15) if (surface_level > 0.35 or chance(rng, 0.2)) else uniform(rng, 0.7, 0.95)
    if abs(level - surface_level) < 0.12:
        level = 0.8
    background = (level + 0.008 * grain(rng, size))[:, :, None]
    canvas.image = np.asarray(background + cover[:, :, None] * (canvas.image - background), dtype=np.float32)
    canvas.solid = np.asarray(cover > 0.6)
    canvas.background = (level, level, level)
    if canvas.lines is not None and canvas.lines.ground is not None:
        ground = background + cover[:, :, None] * (canvas.lines.ground - background)
        canvas.lines.ground = np.asarray(ground, dtype=np.float32)
