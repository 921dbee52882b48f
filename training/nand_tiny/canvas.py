"""The picture under construction, with what a defect must know about the surface it damages."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass
class PrintedLines:
    """Thin lines that run from top to bottom (the finished scene is turned as a whole)."""

    positions: list[float]
    width: float
    spans: list[tuple[float, float]]  # stretches of y between two bars
    ground: Image | None  # the surface without the lines; None where lines merge with the surface
    breaks_dark: bool  # a broken line goes dark (cell) rather than disappearing (print)


@dataclass
class Canvas:
    """A surface picture in 0..1 and its layout."""

    image: Image
    lines: PrintedLines | None = None
    solid: Mask | None = None  # where the part is; None means everywhere
    background: tuple[float, float, float] = (0.05, 0.05, 0.05)
    taken: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.taken = np.zeros(self.image.shape[:2], dtype=np.bool_)

    @property
    def size(self) -> int:
        """Return the side length in pixels."""
        return int(self.image.shape[0])

    def random_point(self, rng: np.random.Generator, margin: float = 0.1) -> tuple[float, float]:
        """Return an (x, y) on the part, away from the border and from earlier defects where possible."""
        low, high = margin * self.size, (1 - margin) * self.size
        x, y = 0.5 * self.size, 0.5 * self.size
        for _ in range(12):
            x, y = (float(v) for v in rng.uniform(low, high, 2))
            inside = self.solid is None or bool(self.solid[int(y), int(x)])
            if inside and not self.taken[int(y), int(x)]:
                break
        return x, y
