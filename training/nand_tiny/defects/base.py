"""What a defect is, and how coverage is turned into paint and into a mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nand_tiny.canvas import Canvas, Mask
from nand_tiny.noise import Field, chance, uniform

Colour = NDArray[np.float32]


def everywhere(canvas: Canvas) -> bool:
    """Return True: the kind occurs on every surface."""
    return canvas.size > 0


@dataclass(frozen=True)
class Defect:
    """A kind of damage: how to draw it (returning where it shows), how often, and on which surfaces."""

    draw: Callable[[np.random.Generator, Canvas], Mask]
    weight: float = 1.0
    suits: Callable[[Canvas], bool] = everywhere


def local_colour(canvas: Canvas, cover: Field) -> Colour:
    """Return the mean colour of the surface under a coverage."""
    rows, columns = np.nonzero(cover > 0.3)
    if rows.size == 0:
        return np.asarray(canvas.image.mean(axis=(0, 1)), dtype=np.float32)
    step = max(1, rows.size // 500)
    return np.asarray(canvas.image[rows[::step], columns[::step]].mean(axis=0), dtype=np.float32)


def contrast_step(
    rng: np.random.Generator, canvas: Canvas, cover: Field, low: float, high: float, *, dark: float = 0.5
) -> Colour:
    """Return a brightness step that shows on the surface: dark with probability `dark` where there is room."""
    base = float(local_colour(canvas, cover).mean())
    strength = uniform(rng, low, high)
    down = chance(rng, dark)
    if down and base < max(low, 0.12):
        down = False
    elif not down and base > 0.95 - low:
        down = True
    step = -min(strength, max(0.85 * base, low)) if down else min(strength, max(0.98 - base, low))
    return np.full(3, step, dtype=np.float32)


def lay(canvas: Canvas, cover: Field, colour: Colour | float) -> None:
    """Cover the surface with a colour, wholly where cover is 1."""
    if canvas.solid is not None:
        cover = cover * canvas.solid
    canvas.image += cover[:, :, None] * (np.asarray(colour, dtype=np.float32) - canvas.image)


def shift(canvas: Canvas, cover: Field, step: Colour | float) -> None:
    """Make the surface brighter or darker while its own texture stays visible."""
    if canvas.solid is not None:
        cover = cover * canvas.solid
    canvas.image += cover[:, :, None] * np.asarray(step, dtype=np.float32)


def seen(canvas: Canvas, cover: Field, threshold: float = 0.3) -> Mask:
    """Return where a coverage is visible on the part."""
    mask = cover > threshold
    return mask if canvas.solid is None else mask & canvas.solid
