"""Where on the drawn map something lies: the roll is cut into bands, one below the other, like lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from nand_edge_runtime.line_scan.region import Box

WIDTH = 1000.0
"""Of a band, in the drawing's units."""

_BAND_HEIGHT = 60.0
_LEAST_HEIGHT, _MOST_HEIGHT = 36.0, 220.0
_MOST_BANDS = 24
_LABEL = 18.0
_SPACE = 8.0
_LEAST_MARK = 3.0
_TICKS = 10


@dataclass(frozen=True)
class Rectangle:
    """On the drawing.

    Attributes:
        x: Left.
        y: Top.
        width: Not below `_LEAST_MARK`: what is small must still be seen.
        height: Likewise.
    """

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """The bands of a roll.

    Attributes:
        length_mm: Of the roll.
        width_mm: Of the roll.
        bands: How many.
        band_height: Of one, in the drawing's units.
    """

    length_mm: float
    width_mm: float
    bands: int
    band_height: float

    @classmethod
    def of(cls, length_mm: float, width_mm: float) -> Layout:
        """As few bands as make the web about `_BAND_HEIGHT` high without stretching it, within limits."""
        length_mm, width_mm = max(length_mm, 1e-3), max(width_mm, 1e-3)
        bands = min(max(math.ceil(_BAND_HEIGHT * length_mm / (WIDTH * width_mm)), 1), _MOST_BANDS)
        height = WIDTH * bands * width_mm / length_mm
        return cls(length_mm, width_mm, bands, min(max(height, _LEAST_HEIGHT), _MOST_HEIGHT))

    @property
    def height(self) -> float:
        """Of the whole drawing."""
        return self.bands * (self.band_height + _LABEL + _SPACE)

    @property
    def band_mm(self) -> float:
        """Length of web in one band."""
        return self.length_mm / self.bands

    @property
    def stretched(self) -> float:
        """How much larger the web is drawn across than along; 1 for neither."""
        return (self.band_height / self.width_mm) / (WIDTH / self.band_mm)

    def top(self, band: int) -> float:
        """Where a band begins."""
        return band * (self.band_height + _LABEL + _SPACE)

    def rectangles(self, box: Box) -> Iterator[Rectangle]:
        """A box as it lies on the bands; one that goes on in the next band is two."""
        first = self._band(box.along_from)
        last = max(self._band(box.along_to - 1e-9), first)
        across = self.band_height / self.width_mm
        top, bottom = max(box.across_from * across, 0.0), min(box.across_to * across, self.band_height)
        height = max(bottom - top, _LEAST_MARK)
        top = min(top, self.band_height - height)
        for band in range(first, last + 1):
            start = max(box.along_from / self.band_mm - band, 0.0) * WIDTH
            stop = min(box.along_to / self.band_mm - band, 1.0) * WIDTH
            width = max(stop - start, _LEAST_MARK)
            yield Rectangle(min(start, WIDTH - width), self.top(band) + top, width, height)

    def ticks(self, band: int) -> Iterator[tuple[float, float]]:
        """Places along the band that are labelled: x, and millimetres along the web."""
        step = _round_step(self.band_mm / _TICKS)
        tick = math.ceil(band * self.band_mm / step - 1e-9)
        while tick * step <= (band + 1) * self.band_mm + 1e-9:
            yield (tick * step / self.band_mm - band) * WIDTH, tick * step
            tick += 1

    def _band(self, along_mm: float) -> int:
        return min(max(int(along_mm / self.band_mm), 0), self.bands - 1)


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 and so on."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least - 1e-12)
