"""A strip: the last lines of an endless web, in a buffer of fixed size, with where and when each was taken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge_runtime.line_scan.correction import Correction
from nand_edge_runtime.line_scan.place import Span

_TILES = 3
"""The buffer holds so many tiles: the more, the rarer its lines are moved to its beginning."""


@dataclass(frozen=True)
class Moment:
    """When and where a block of lines was taken.

    Attributes:
        line: The block's first line.
        taken: Seconds of `time.monotonic()`.
        timestamp: Seconds since 1970.
        device_timestamp_ns: The camera's own clock.
        position: Of the first line, if the encoder tells it.
    """

    line: int
    taken: float
    timestamp: float
    device_timestamp_ns: int | None
    position: float | None


class Strip:
    """Lines that follow each other without a gap.

    Args:
        first: The strip's first line.
        like: A line of the web, uint8 [1, W] or [1, W, 3]: all lines are of this kind.
        tile_height: Lines of a tile; that many are always kept.
        correction: Applied to each line once, when it is first looked at.
        positions_per_line: How far the encoder goes from line to line.
    """

    def __init__(
        self,
        first: int,
        like: NDArray[np.uint8],
        tile_height: int,
        correction: Correction | None,
        positions_per_line: float | None,
    ) -> None:
        self.first, self.end = first, first
        self._height, self._correction, self._per_line = tile_height, correction, positions_per_line
        self._lines = np.empty((_TILES * tile_height, *like.shape[1:]), np.uint8)
        self._base = self._corrected = first
        self._moments: deque[Moment] = deque()
        self._faults: deque[tuple[Span, str]] = deque()

    @property
    def width(self) -> int:
        """Columns."""
        return int(self._lines.shape[1])

    def restart(self, first: int) -> None:
        """Forget all lines, and begin anew with this one."""
        self.first = self.end = self._base = self._corrected = first
        self._moments.clear()
        self._faults.clear()

    def add(self, lines: NDArray[np.uint8] | None, count: int, moment: Moment, fault: str = "") -> None:
        """Add at most a tile's height of lines; None stands for black ones, and `fault` says why."""
        if self.end + count > self._base + len(self._lines):
            self._make_room()
        start = self.end - self._base
        self._lines[start : start + count] = 0 if lines is None else lines
        self._moments.append(moment)
        if fault:
            self._faults.append((Span(self.end, self.end + count), fault))
        self.end += count

    def image(self, lines: Span, columns: Span) -> NDArray[np.uint8]:
        """A tile, uint8 [H, W, 3] BGR, in memory of its own; the last line and column go on behind the strip's edge."""
        stop = min(lines.stop, self.end)
        self._correct(stop)
        piece = self._lines[lines.start - self._base : stop - self._base, columns.start : columns.stop]
        below, right = lines.stop - stop, columns.stop - min(columns.stop, self.width)
        if below or right:
            piece = cv2.copyMakeBorder(piece, 0, below, 0, right, cv2.BORDER_REPLICATE)
        if piece.ndim == 2:
            return cv2.cvtColor(piece, cv2.COLOR_GRAY2BGR)  # type: ignore[return-value]
        return piece if below or right else piece.copy()

    def last(self, line: int) -> Moment:
        """When this line was taken, or the first before it of which that is known."""
        for moment in reversed(self._moments):
            if moment.line <= line:
                return moment
        return self._moments[0]

    def position(self, line: int) -> float | None:
        """The encoder's position at this line."""
        moment = self.last(line)
        if moment.position is None or self._per_line is None:
            return moment.position
        return moment.position + (line - moment.line) * self._per_line

    def fault(self, lines: Span) -> str:
        """Why a tile of these lines cannot be inspected; empty when it can."""
        return next((why for span, why in self._faults if span.touches(lines.start, lines.stop)), "")

    def _correct(self, stop: int) -> None:
        if self._correction is not None and stop > self._corrected:
            self._correction.apply(self._lines[self._corrected - self._base : stop - self._base])
        self._corrected = max(self._corrected, stop)

    def _make_room(self) -> None:
        """Move the last tile's height of lines to the beginning of the buffer."""
        kept = max(self.end - self._height, self._base)
        count = self.end - kept
        self._lines[:count] = self._lines[kept - self._base : self.end - self._base]
        self._base = kept
        while len(self._moments) > 1 and self._moments[1].line <= kept:
            self._moments.popleft()
        while self._faults and self._faults[0][0].stop <= kept:
            self._faults.popleft()
