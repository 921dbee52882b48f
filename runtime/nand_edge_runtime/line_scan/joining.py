"""Joins the pieces of neighbouring tiles to regions, whichever tile gets its verdict first."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nand_edge_runtime.line_scan.pieces import Piece, Pieces
from nand_edge_runtime.line_scan.place import TilePlace
from nand_edge_runtime.line_scan.region import MOST_BOXES, MOST_FRAMES, Box, Region
from nand_edge_runtime.line_scan.settings import LineScanSettings
from nand_edge_runtime.station.frames import FrameKey

_ABOUT = 0.95
"""Scores of this part of the highest count as high as it, for the choice of a picture."""


@dataclass(frozen=True)
class Seen:
    """A tile that was inspected, and where it lies.

    Attributes:
        key: Its frame.
        place: Its place in lines and columns.
        along_mm: Its first line, millimetres, as the encoder tells it.
        at: Seconds since 1970 when it was taken.
        threshold: What was in force.
        normalities: What was in force.
    """

    key: FrameKey
    place: TilePlace
    along_mm: float
    at: float
    threshold: float
    normalities: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """How one tile sees a region.

    Attributes:
        frame: The tile's frame.
        at: Seconds since 1970 when it was taken.
        box: Left, top, right and bottom, pixels of the frame.
        score: Highest of its piece.
        area: Of its piece, mm2.
    """

    frame: FrameKey
    at: float
    box: tuple[int, int, int, int]
    score: float
    area: float

    def better(self, other: View) -> View:
        """The one that shows more, of those with about the higher score."""
        high = _ABOUT * max(self.score, other.score)
        return max(self, other, key=lambda view: (view.score >= high, view.area))


@dataclass
class Growing:
    """A region that may still get more pieces; its numbers are those of `Region`.

    Attributes:
        view: The one that shows it best.
        outline: Boxes of its pieces, at most `MOST_BOXES`.
        kept: Whether the final map reaches the threshold somewhere in it.
        core: Area, and area times place along and across, of what lies in the cores, mm2 and mm3.
        largest: The same of its largest piece: what counts where tiles do not agree and no core has any of it.
    """

    number: int
    box: Box
    score: float
    base_score: float
    threshold: float
    normalities: tuple[str, ...]
    at: float
    view: View
    outline: tuple[Box, ...]
    kept: bool
    core: NDArray[np.float64]
    largest: NDArray[np.float64]
    parts: int = 1
    frames: list[FrameKey] = field(default_factory=list)

    def absorb(self, other: Growing) -> None:
        """Become one with another."""
        self.box = self.box.joined(other.box)
        if other.score > self.score:
            self.score, self.threshold, self.normalities = other.score, other.threshold, other.normalities
        self.view = self.view.better(other.view)
        self.outline = _thinned(self.outline + other.outline)
        self.base_score = max(self.base_score, other.base_score)
        self.at = min(self.at, other.at)
        self.kept = self.kept or other.kept
        self.core = self.core + other.core
        self.largest = max(self.largest, other.largest, key=lambda sums: float(sums[0]))
        self.parts += other.parts
        self.frames = sorted({*self.frames, *other.frames})[:MOST_FRAMES]

    @property
    def area_mm2(self) -> float:
        """Its area."""
        return float(max(self.core[0], self.largest[0]))

    def region(self, *, suppressed: bool) -> Region:
        """As it is now."""
        area, along, across = self.core if self.core[0] > 0 else self.largest
        return Region(
            number=self.number,
            suppressed=suppressed,
            box=self.box,
            along=float(along / area),
            across=float(across / area),
            area_mm2=self.area_mm2,
            score=self.score,
            base_score=self.base_score,
            threshold=self.threshold,
            normalities=self.normalities,
            at=self.at,
            parts=self.parts,
            frames=tuple(self.frames),
            best=self.view.frame,
            best_at=self.view.at,
            best_box=self.view.box,
            outline=self.outline,
        )


@dataclass
class _Kept:
    """A tile whose neighbours may still come; `owners[n - 1]` is the region of piece n."""

    pieces: Pieces
    owners: list[int]


class Joiner:
    """Regions of one kind.

    Args:
        settings: Millimetres, and how far tiles reach.
        numbers: Gives numbers that no other region has.
    """

    def __init__(self, settings: LineScanSettings, numbers: Iterator[int]) -> None:
        self._settings, self._numbers = settings, numbers
        self._tiles: list[_Kept] = []
        self._growing: dict[int, Growing] = {}

    @property
    def growing(self) -> Collection[int]:
        """Numbers of the regions that may still get more pieces."""
        return self._growing.keys()

    def add(self, pieces: Pieces, seen: Seen) -> tuple[list[Growing], list[int]]:
        """Take the pieces of a tile.

        Returns:
            The regions that are new or have changed, and the numbers of those that became part of another.
        """
        tile = _Kept(pieces, [])
        for piece in pieces.pieces:
            grown = self._grown(piece, seen)
            self._growing[grown.number] = grown
            tile.owners.append(grown.number)
        gone: list[int] = []
        self._tiles.append(tile)
        for other in self._tiles[:-1]:
            for theirs, ours in touching(other.pieces, pieces):
                gone += self._join(other.owners[theirs - 1], tile.owners[ours - 1])
        return [self._growing[number] for number in dict.fromkeys(tile.owners)], gone

    def forget(self, line: int) -> None:
        """No tile that holds this line or one before it will come any more."""
        kept = [tile for tile in self._tiles if tile.pieces.place.lines.whole.stop >= line]
        if len(kept) < len(self._tiles):
            self._tiles = kept
            growing = {number for tile in kept for number in tile.owners}
            self._growing = {number: self._growing[number] for number in growing}

    def _join(self, one: int, another: int) -> list[int]:
        if one == another:
            return []
        stays, goes = min(one, another), max(one, another)
        self._growing[stays].absorb(self._growing.pop(goes))
        for tile in self._tiles:
            if goes in tile.owners:
                tile.owners = [stays if owner == goes else owner for owner in tile.owners]
        return [goes]

    def _grown(self, piece: Piece, seen: Seen) -> Growing:
        scale, scale_across = self._settings.millimetres_per_line, self._settings.millimetres_per_column
        lines, columns = seen.place.lines.whole, seen.place.columns.whole
        origin = seen.along_mm - lines.start * scale
        area = scale * scale_across

        def sums(count: float, moment: tuple[float, float]) -> NDArray[np.float64]:
            return np.array([count, count * origin + moment[0] * scale, moment[1] * scale_across]) * area

        box = Box(
            origin + piece.lines[0] * scale,
            origin + piece.lines[1] * scale,
            piece.columns[0] * scale_across,
            piece.columns[1] * scale_across,
        )
        pixels = (
            int(piece.columns[0] - columns.start),
            int(piece.lines[0] - lines.start),
            int(np.ceil(piece.columns[1] - columns.start)),
            int(np.ceil(piece.lines[1] - lines.start)),
        )
        return Growing(
            number=next(self._numbers),
            box=box,
            score=piece.score,
            base_score=piece.base_score,
            threshold=seen.threshold,
            normalities=seen.normalities,
            at=seen.at,
            view=View(seen.key, seen.at, pixels, piece.score, piece.area * area),
            outline=(box,),
            kept=piece.kept,
            core=sums(piece.core_area, piece.core_moment),
            largest=sums(piece.area, piece.moment),
            frames=[seen.key],
        )


def _thinned(boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """The boxes, two that follow each other along the web being one where there are too many."""
    if len(boxes) <= MOST_BOXES:
        return boxes
    along = sorted(boxes, key=lambda box: box.along_from)
    paired = [first.joined(second) for first, second in zip(along[::2], along[1::2], strict=False)]
    return (*paired, *along[2 * len(paired) :])


def touching(one: Pieces, another: Pieces) -> list[tuple[int, int]]:
    """Pairs of pieces of two tiles that have a place in common or lie side by side, edges and corners included."""
    rows, columns = _cells_at(one, another, 0), _cells_at(one, another, 1)
    if not (rows.any() and columns.any()):
        return []
    down, right = another.cells
    near = _with_neighbours(rows)[down] & _with_neighbours(columns)[right]
    down, right = down[near], right[near]
    if not len(down):
        return []
    ours = another.labels[down, right]
    # One more row and column of zeros, which every place outside of the other tile finds.
    theirs = np.pad(one.labels, 1)[np.ix_(rows, columns)]
    pairs = np.zeros((len(one.pieces) + 1, len(another.pieces) + 1), np.bool_)
    for shift_down in (0, 1, 2):
        for shift_right in (0, 1, 2):
            pairs[theirs[down + shift_down, right + shift_right], ours] = True
    return [(their, our) for their, our in np.argwhere(pairs).tolist() if their]


def _cells_at(one: Pieces, another: Pieces, axis: int) -> NDArray[np.intp]:
    """For every row or column of another's cells, and one before and behind: which of one's it is, from 1; else 0."""
    count = another.labels.shape[axis]
    places = _start(another, axis) + (np.arange(-1, count + 1) + 0.5) * another.cell[axis]
    cells = np.floor((places - _start(one, axis)) / one.cell[axis]).astype(np.intp)
    return np.where((cells >= 0) & (cells < one.labels.shape[axis]), cells + 1, 0)


def _with_neighbours(cells: NDArray[np.intp]) -> NDArray[np.bool_]:
    """For every row or column between the first and the last: whether it or one beside it lies on the other tile."""
    on = cells > 0
    return on[:-2] | on[1:-1] | on[2:]


def _start(pieces: Pieces, axis: int) -> float:
    """Line or column of the web where the labels begin."""
    side = (pieces.place.lines, pieces.place.columns)[axis]
    return side.whole.start + pieces.first_cell[axis] * pieces.cell[axis]
