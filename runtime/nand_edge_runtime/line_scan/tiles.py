"""The tile maker: blocks of lines go in, overlapping tiles come out, and no line of the web is forgotten."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nand_edge_runtime.cameras.protocol import BLACK_PIXEL, Taken
from nand_edge_runtime.line_scan.correction import read_correction
from nand_edge_runtime.line_scan.place import Side, Span, TilePlace, abreast, boundary, gap
from nand_edge_runtime.line_scan.settings import LineScanSettings, LostLines
from nand_edge_runtime.line_scan.strip import Moment, Strip

_MOST_FILLED = 2
"""Gaps of more tiles than this are not filled: the strip begins anew, and one reject stands for the whole gap."""


class TileMaker:
    """Makes tiles of one camera's lines; for one thread.

    Every line lies in the core of exactly one tile, or in a gap for which a tile with a fault stands. A tile that holds
    a line that was lost or came damaged has a fault. So whatever is not inspected is a reject on record.

    Example:
        >>> maker = TileMaker(settings, camera="web")
        >>> for block in camera:
        ...     tiles = maker.push(block)

    Args:
        settings: Tiles, overlap, correction.
        camera: The camera's name, for the tiles' names.

    Raises:
        NandEdgeError: A reference for the correction cannot be read.
    """

    def __init__(self, settings: LineScanSettings, *, camera: str) -> None:
        self._settings, self._camera = settings, camera
        self._correction = read_correction(settings)
        self._per_line = settings.positions_per_line
        self._strip: Strip | None = None
        self._shape: tuple[int, ...] = ()
        self._abreast: list[Side] = []
        self._end = 0
        self._next = self._core = 0
        self._block = 1
        self._expected: float | None = None

    def push(self, taken: Taken) -> list[Taken]:
        """Take a block of lines, uint8 [N, W] or [N, W, 3], and give the tiles that are full now.

        Its `position` is that of its first line. A block with a fault, of another size or of another kind than those
        before stands for as many lines as a block has, and the encoder tells when there were more.
        """
        fault = taken.fault or self._unfit(taken.image)
        tiles: list[Taken] = []
        position = _finite(taken.position)
        lost = self._lost(position)
        if lost:
            tiles += self._lose(
                lost, f"{lost} lines lost before line {self._end + lost}", replace(taken, position=None)
            )
        count = self._block if fault else len(taken.image)
        if fault:
            tiles += self._lose(count, fault, taken)
        else:
            tiles += self._add(taken.image, count, taken)
            self._block = count
        if self._per_line is not None:
            start = position if position is not None else self._expected
            self._expected = None if start is None else start + count * self._per_line
        return tiles

    def flush(self) -> list[Taken]:
        """End the strip, and give the tiles of its last lines; the next block begins another one."""
        tiles = list(self._last_tiles())
        self._restart(self._end)
        return tiles

    def interrupted(self, why: str, *, taken: float, timestamp: float) -> list[Taken]:
        """End the strip because lines may be missing from here on, such as after the camera was away.

        Args:
            why: In words, without secrets.
            taken: Seconds of `time.monotonic()`.
            timestamp: Seconds since 1970.

        Returns:
            The tiles of the last lines, and one with a fault that stands for what was lost.
        """
        moment = Taken(BLACK_PIXEL, "", taken, timestamp, fault=why)
        return [*self.flush(), self._gap(0, why, moment)]

    def _unfit(self, image: NDArray[np.uint8]) -> str:
        """Why these lines do not belong to the web; empty when they do."""
        if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
            return f"lines of {image.dtype} and shape {image.shape}"
        if image.size == 0:
            return "a block without lines"
        if self._strip is None:
            return self._begin(image)
        if image.shape[1:] != self._shape:
            return f"lines of shape {image.shape[1:]}, those before were of {self._shape}"
        return ""

    def _begin(self, image: NDArray[np.uint8]) -> str:
        """Learn from the first good block how wide the web is."""
        if self._correction is not None and not self._correction.fits(image):
            return f"lines of shape {image.shape[1:]}, the correction's references are of {self._correction.shape}"
        settings = self._settings
        self._shape = image.shape[1:]
        self._strip = Strip(self._end, image[:1], settings.tile_height, self._correction, self._per_line)
        self._abreast = abreast(
            image.shape[1], settings.tile_width, settings.shared_across, settings.context, settings.stride
        )
        self._restart(self._end)
        return ""

    def _lost(self, position: float | None) -> int:
        """How many lines the encoder says are missing before this block."""
        if position is None or self._expected is None or self._per_line is None:
            return 0
        ahead = (position - self._expected) / self._per_line
        return max(round(ahead), 1) if ahead > self._settings.position_tolerance else 0

    def _add(self, lines: NDArray[np.uint8] | None, count: int, taken: Taken, fault: str = "") -> list[Taken]:
        """Add lines to the strip and give the tiles that are full."""
        strip = self._strip
        if strip is None:
            return []
        position = _finite(taken.position)
        tiles: list[Taken] = []
        done = 0
        while done < count:
            some = min(count - done, self._settings.tile_height)
            here = position if position is None or self._per_line is None else position + done * self._per_line
            moment = Moment(strip.end, taken.taken, taken.timestamp, taken.device_timestamp_ns, here)
            strip.add(None if lines is None else lines[done : done + some], some, moment, fault)
            done += some
            self._end = strip.end
            while strip.end >= self._next + self._settings.tile_height:
                tiles += self._full_tiles(strip)
        return tiles

    def _lose(self, count: int, why: str, taken: Taken) -> list[Taken]:
        """Let rejects stand for lines that nobody has."""
        strip, height = self._strip, self._settings.tile_height
        long_enough = strip is not None and strip.end - strip.first >= height
        cut = self._settings.lost_lines is LostLines.CUT and long_enough
        if strip is None or cut or count > _MOST_FILLED * height:
            return [*self.flush(), self._gap(count, why, taken)]
        return self._add(None, count, taken, why)

    def _gap(self, count: int, why: str, taken: Taken) -> Taken:
        """A tile without an image for lines that are not in any strip."""
        place = gap(Span(self._end, self._end + count), self._shape[0] if self._shape else 1)
        position = taken.position if _finite(taken.position) is not None else self._expected
        self._end += count
        self._restart(self._end)
        return replace(taken, image=BLACK_PIXEL, name=place.name(self._camera), position=position, fault=why)

    def _restart(self, line: int) -> None:
        self._next = self._core = line
        if self._strip is not None:
            self._strip.restart(line)

    def _full_tiles(self, strip: Strip) -> Iterator[Taken]:
        """The tiles abreast that begin at the next line, now that all of their lines are there."""
        settings = self._settings
        whole = Span(self._next, self._next + settings.tile_height)
        trusted = Span(self._trusted_from(strip, whole.start), whole.stop - settings.context)
        self._next += settings.step
        core = Span(self._core, boundary(self._next + settings.context, trusted.stop))
        self._core = core.stop
        return self._tiles(strip, Side(whole, trusted, core))

    def _last_tiles(self) -> Iterator[Taken]:
        """The tiles whose lines reach to the strip's end: they begin earlier than their turn, on the same grid."""
        strip = self._strip
        if strip is None or strip.end == self._core:
            return iter(())
        height, stride = self._settings.tile_height, self._settings.stride
        back = max(strip.end - height - strip.first, 0)
        start = strip.first + -(-back // stride) * stride
        trusted = Span(self._trusted_from(strip, start), strip.end)
        return self._tiles(strip, Side(Span(start, start + height), trusted, Span(self._core, strip.end)))

    def _trusted_from(self, strip: Strip, start: int) -> int:
        """The first trusted line of a tile: at the strip's own beginning nobody else has the lines."""
        return start if start == strip.first else start + self._settings.context

    def _tiles(self, strip: Strip, lines: Side) -> Iterator[Taken]:
        last = strip.last(min(lines.whole.stop, strip.end) - 1)
        position, fault = strip.position(lines.whole.start), strip.fault(lines.whole)
        for columns in self._abreast:
            yield Taken(
                image=strip.image(lines.whole, columns.whole),
                name=TilePlace(lines, columns).name(self._camera),
                taken=last.taken,
                timestamp=last.timestamp,
                device_timestamp_ns=last.device_timestamp_ns,
                position=position,
                fault=fault,
            )


def _finite(position: float | None) -> float | None:
    return position if position is not None and math.isfinite(position) else None
