"""Missing material: holes, and pieces broken off at the edge."""

from __future__ import annotations

import numpy as np

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import chance, uniform

from .base import Colour, Defect, lay, local_colour, seen, shift
from .shapes import Points, distance_field, edge, polygon, shifted, soften


def ground_behind(rng: np.random.Generator, base: Colour) -> Colour:
    """Return what shows through missing material: darkness, or light where the surface is dark."""
    level = float(base.mean())
    behind = level * uniform(rng, 0.05, 0.3) if level > 0.2 else uniform(rng, 0.6, 0.95)
    if abs(behind - level) < 0.12:
        behind = level + 0.35
    return np.full(3, behind, dtype=np.float32)


def hole(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """An evenly filled opening with a crisp edge, an inner shadow and a lit rim."""
    size = canvas.size
    radius = uniform(rng, 0.022, 0.11) * size
    longer = uniform(rng, 1.0, 1.3)
    rough = uniform(rng, 0.0, 0.06) if chance(rng, 0.5) else uniform(rng, 0.08, 0.2)
    centre = canvas.random_point(rng, 0.12)
    turn = uniform(rng, 0, np.pi)
    distance = distance_field(rng, size, centre, (radius * longer, radius / longer), rough=rough, turn=turn)
    opening = edge(distance, 1.2 / radius)
    rim = edge(distance / np.float32(1.0 + max(2.0 / radius, 0.12)), 1.5 / radius)
    behind = ground_behind(rng, local_colour(canvas, rim))
    shift(canvas, np.clip(rim - opening, 0, 1), uniform(rng, -0.1, 0.3))
    lay(canvas, opening, behind)
    depth = max(1.0, radius * 0.25)
    lay(canvas, np.clip(opening - shifted(opening, depth, depth), 0, 1), behind * np.float32(0.5))
    return seen(canvas, np.maximum(opening, rim * 0.6), 0.4)


def border_spot(rng: np.random.Generator, canvas: Canvas) -> tuple[float, float]:
    """Return a point on the edge of the part, walking outwards from its middle."""
    size = canvas.size
    angle = uniform(rng, 0, 2 * np.pi)
    if chance(rng, 0.4):
        angle = (int(rng.integers(4)) + 0.5) * np.pi / 2 + uniform(rng, -0.15, 0.15)
    x = y = (size - 1) / 2
    while True:
        ahead_x, ahead_y = x + 2 * float(np.cos(angle)), y + 2 * float(np.sin(angle))
        if not (0 <= ahead_x <= size - 1 and 0 <= ahead_y <= size - 1):
            return x, y
        if canvas.solid is not None and not canvas.solid[int(ahead_y), int(ahead_x)]:
            return x, y
        x, y = ahead_x, ahead_y


def chip(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """An angular piece missing at an edge or corner: the background shows, along a bright broken face."""
    size = canvas.size
    x, y = border_spot(rng, canvas)
    radius = uniform(rng, 0.06, 0.18) * size
    # The piece reaches well into the part, or nothing of it would be left once the picture is cropped.
    inward = 0.45 * radius / max(float(np.hypot(x - size / 2, y - size / 2)), 1.0)
    x, y = x + inward * (size / 2 - x), y + inward * (size / 2 - y)
    corners = int(rng.integers(5, 10))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners) * 0.3 + np.linspace(0, 2 * np.pi, corners, endpoint=False))
    reach = radius * rng.uniform(0.6, 1.25, corners)
    outline: Points = np.asarray([x, y]) + np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)
    missing = polygon(size, outline)
    face = np.clip(soften(polygon(size, np.asarray([x, y]) + (outline - [x, y]) * 1.18), 0.8), 0, 1)
    base = local_colour(canvas, face)
    behind = np.asarray(canvas.background, dtype=np.float32)
    if canvas.solid is None or abs(float(behind.mean()) - float(base.mean())) < 0.12:
        behind = ground_behind(rng, base)
    shift(canvas, np.clip(face - missing, 0, 1), uniform(rng, -0.12, 0.3))
    lay(canvas, missing, behind)
    return seen(canvas, np.maximum(missing, face * 0.5), 0.4)


DEFECTS = {"hole": Defect(hole), "chip": Defect(chip)}
