"""What a surface is, and the small helpers all surface families share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nand_tiny.canvas import Canvas, Image
from nand_tiny.noise import Field, smooth_noise, uniform

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Surface:
    """A kind of surface: how to draw it, what people call it, and which defects it would hide."""

    render: Callable[[np.random.Generator, int], Canvas]
    nouns: tuple[str, ...]
    unsuitable: frozenset[str] = frozenset()
    can_be_part: bool = True  # may be cut out to a part before a background


def pick_colour(rng: np.random.Generator, palette: Sequence[Colour], jitter: float = 0.03) -> Colour:
    """Return a colour of the palette, varied a little."""
    red, green, blue = palette[int(rng.integers(len(palette)))]
    lightness = uniform(rng, 0.85, 1.12)
    noise = rng.uniform(-jitter, jitter, 3)
    return (
        float(np.clip(red * lightness + noise[0], 0.02, 0.97)),
        float(np.clip(green * lightness + noise[1], 0.02, 0.97)),
        float(np.clip(blue * lightness + noise[2], 0.02, 0.97)),
    )


def grey(rng: np.random.Generator, low: float, high: float) -> Colour:
    """Return a nearly neutral grey."""
    level = uniform(rng, low, high)
    return (level + uniform(rng, -0.02, 0.02), level, level + uniform(rng, -0.02, 0.02))


def tint(colour: Colour, brightness: Field) -> Image:
    """Return an image of one colour whose brightness follows a field around 0."""
    image = (1.0 + brightness)[:, :, None] * np.asarray(colour, dtype=np.float32)
    return np.asarray(image, dtype=np.float32)


def mix(first: Image, second: Image, share: Field) -> Image:
    """Return first where share is 0 and second where it is 1."""
    weight = np.clip(share, 0.0, 1.0)[:, :, None]
    return np.asarray(first + weight * (second - first), dtype=np.float32)


def flat(colour: Colour, size: int) -> Image:
    """Return an image of a single colour."""
    return np.tile(np.asarray(colour, dtype=np.float32), (size, size, 1))


def unevenness(rng: np.random.Generator, size: int, strength: float) -> Field:
    """Return a slow change of brightness over the whole picture."""
    return np.asarray(strength * smooth_noise(rng, size, size / 3), dtype=np.float32)
