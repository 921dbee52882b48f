"""The place of a tile on the web: its lines and columns, what of its maps is trusted, and what is its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPAN = r"(\d{1,18})-(\d{1,18})"
_NAME = re.compile(
    rf".* lines {_SPAN} trusted {_SPAN} core {_SPAN} columns {_SPAN} trusted {_SPAN} core {_SPAN}", re.DOTALL
)


@dataclass(frozen=True, order=True)
class Span:
    """Whole lines or columns.

    Attributes:
        start: The first.
        stop: The one behind the last.
    """

    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.start}-{self.stop}"

    @property
    def size(self) -> int:
        """How many."""
        return self.stop - self.start

    def touches(self, start: int, stop: int) -> bool:
        """Whether it has a line in common with others."""
        return self.start < stop and start < self.stop


@dataclass(frozen=True)
class Side:
    """A tile along or across the web.

    Attributes:
        whole: What the tile's image holds; it may go on behind the web's edge, where the last pixel is repeated.
        trusted: Where its maps are what they would be in the middle of a tile.
        core: What belongs to this tile and to no other; the cores cover the web.
    """

    whole: Span
    trusted: Span
    core: Span

    def __str__(self) -> str:
        return f"{self.whole} trusted {self.trusted} core {self.core}"


@dataclass(frozen=True)
class TilePlace:
    """Where a tile lies.

    Attributes:
        lines: Along the web, counted from the first line of the run.
        columns: Across.
    """

    lines: Side
    columns: Side

    def name(self, camera: str) -> str:
        """The name of the tile's frame: it stands in every record, so that the place can always be told."""
        return f"{camera} lines {self.lines} columns {self.columns}"

    @classmethod
    def of(cls, name: str) -> TilePlace | None:
        """The place that a frame's name tells; None when the frame is no tile."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        numbers = [int(number) for number in found.groups()]
        spans = [Span(*numbers[place : place + 2]) for place in range(0, len(numbers), 2)]
        return cls(Side(*spans[:3]), Side(*spans[3:]))


def gap(lines: Span, columns: int) -> TilePlace:
    """The place of lines that nobody has, over the whole width."""
    width = Span(0, columns)
    return TilePlace(Side(lines, lines, lines), Side(width, width, width))


def abreast(web: int, tile: int | None, shared: int, context: int, stride: int) -> list[Side]:
    """How tiles lie side by side on a web.

    Args:
        web: Its width, columns.
        tile: A tile's width; None takes the web's.
        shared: Columns that neighbours have in common.
        context: Columns from a tile's edge that are not trusted.
        stride: Tiles begin at multiples of it.
    """
    if tile is None or tile >= web:
        whole = Span(0, web)
        return [Side(whole, whole, whole)]
    starts = list(range(0, web - tile, tile - shared))
    # The last one moves back to where the web ends, on the grid: it may reach a few columns beyond.
    starts.append(-(-(web - tile) // stride) * stride)
    sides, core = [], 0
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        trusted = Span(start + context if start else 0, web if following is None else start + tile - context)
        stop = web if following is None else boundary(following + context, trusted.stop)
        sides.append(Side(Span(start, start + tile), trusted, Span(core, stop)))
        core = stop
    return sides


def boundary(trusted_start: int, trusted_stop: int) -> int:
    """Where one core ends and the next begins: in the middle of what both tiles are trusted with."""
    return trusted_start + (trusted_stop - trusted_start) // 2
