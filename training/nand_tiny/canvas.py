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
    parts: list[Mask] = field(default_factory=list)  # pieces that could be missing: teeth, wires, pads
    behind: Image | None = None  # the picture without its parts
    yarn: float | None = None  # pixels from yarn to yarn of a fabric that runs along x and y
    taken: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.taken = np.zeros(self.image.shape[:2], dtype=np.bool_)

    @property
    def size(self) -> int:
        """Return the side length in pixels."""
        return int(self.image.shape[0])

    @property
    def glows(self) -> bool:
        """Return whether this is a cell that was photographed by its own light: no shadow falls on it."""
        return self.lines is not None and self.lines.breaks_dark

    def layers(self) -> list[Image]:
        """Return the picture and what lies beneath its lines and parts: light and ground change them all."""
        beneath = (self.behind, self.lines.ground if self.lines is not None else None)
        return [self.image, *(layer for layer in beneath if layer is not None)]

    def random_point(self, rng: np.random.Generator, margin: float = 0.1) -> tuple[float, float]:
        """Return an (x, y) on the part, away from the border and from earlier defects where possible."""
        if self.solid is not None:
            inner = round(margin * self.size)
            inside = np.zeros_like(self.solid)
            inside[inner : self.size - inner, inner : self.size - inner] = True
            rows, columns = np.nonzero(self.solid & inside & ~self.taken)
            if rows.size:
                place = int(rng.integers(rows.size))
                return float(columns[place]), float(rows[place])
        low, high = margin * self.size, (1 - margin) * self.size
        x, y = 0.5 * self.size, 0.5 * self.size
        for _ in range(12):
            x, y = (float(v) for v in rng.uniform(low, high, 2))
            if not self.taken[int(y), int(x)]:
                break
        return x, y
