"""The pieces of a tile: connected cells of its final map at or over the threshold, each with its place and scores."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.line_scan.judging import trusted_cells
from nand_edge_runtime.line_scan.place import Side, TilePlace

MOST_PIECES = 500
"""Of one tile: a map of only but noise must not stop the rest; those with the highest scores stay."""

_NEIGHBOURS = 8

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """Connected cells of one tile, in lines and columns of the web.

    Attributes:
        lines: From the first to the last, within the trusted part; [start, stop).
        columns: Likewise.
        area: Pixels.
        core_area: Pixels that lie in the tile's core and count for no other tile.
        moment: Sums over its pixels of line and column, for the centroid.
        core_moment: The same over those of the core.
        score: Highest of the final map.
        base_score: Highest of the base map.
        kept: Whether the final map reaches the threshold somewhere; otherwise the words took the piece out.
    """

    lines: tuple[float, float]
    columns: tuple[float, float]
    area: float
    core_area: float
    moment: tuple[float, float]
    core_moment: tuple[float, float]
    score: float
    base_score: float
    kept: bool


@dataclass(frozen=True)
class Pieces:
    """All pieces of one kind of one tile.

    Attributes:
        place: The tile.
        labels: int32 [h, w], the cells of the trusted part: 0, or the number of a piece, from 1.
        first_cell: Row and column of `labels[0, 0]` in the tile's map.
        cell: Lines and columns of one cell.
        cells: Rows and columns of the labels that are not 0.
        pieces: Piece number n is `pieces[n - 1]`.
        left_out: Pieces beyond `MOST_PIECES`.
    """

    place: TilePlace
    labels: NDArray[np.int32]
    first_cell: tuple[int, int]
    cell: tuple[float, float]
    cells: tuple[NDArray[np.intp], NDArray[np.intp]]
    pieces: tuple[Piece, ...]
    left_out: int = 0


def regions_of(place: TilePlace, inspection: Inspection) -> Pieces | None:
    """Pieces of the final map; None where there is none.

    A reject without one, such as that of a bundle that gives no maps, is one piece: the whole trusted part.
    """
    if inspection.has_maps:
        cells = trusted_cells(place, inspection.anomaly_map)
        over = inspection.anomaly_map[cells] >= inspection.threshold
        if over.any():
            return _pieces(place, inspection, cells, over)
    return _whole(place, inspection) if inspection.verdict is Verdict.REJECT else None


def base_regions_of(place: TilePlace, inspection: Inspection) -> Pieces | None:
    """Pieces of the base map, `kept` where the final map has something left of them; None where all are."""
    if not inspection.has_maps:
        return None
    cells = trusted_cells(place, inspection.anomaly_map)
    base = inspection.base_map[cells] >= inspection.threshold
    if not (base & ~(inspection.anomaly_map[cells] >= inspection.threshold)).any():
        return None
    return _pieces(place, inspection, cells, base)


def _pieces(place: TilePlace, inspection: Inspection, cells: tuple[slice, slice], over: NDArray[np.bool_]) -> Pieces:
    count, found, boxes, _ = cv2.connectedComponentsWithStats(over.astype(np.uint8), connectivity=_NEIGHBOURS)
    labels = found.astype(np.int32)
    at = np.nonzero(labels)
    owner = labels[at]
    scores = _highest(owner, inspection.anomaly_map[cells][at], count)
    base_scores = _highest(owner, inspection.base_map[cells][at], count)
    rows = _Cells.of(place.lines, cells[0], inspection.anomaly_map.shape[0])
    columns = _Cells.of(place.columns, cells[1], inspection.anomaly_map.shape[1])
    middles = rows.middle[at[0]], columns.middle[at[1]]
    trusted = _sums(owner, rows.trusted[at[0]] * columns.trusted[at[1]], middles, count)
    core = _sums(owner, rows.core[at[0]] * columns.core[at[1]], middles, count)
    chosen = _chosen(scores)
    pieces = []
    for number in chosen:
        left, top, width, height = (int(side) for side in boxes[number][:4])
        pieces.append(
            Piece(
                lines=rows.span(top, height),
                columns=columns.span(left, width),
                area=float(trusted[number, 0]),
                core_area=float(core[number, 0]),
                moment=(float(trusted[number, 1]), float(trusted[number, 2])),
                core_moment=(float(core[number, 1]), float(core[number, 2])),
                score=float(scores[number]),
                base_score=float(base_scores[number]),
                kept=bool(scores[number] >= inspection.threshold),
            )
        )
    if len(chosen) < count - 1:
        numbers = np.zeros(count, np.int32)
        numbers[chosen] = np.arange(1, len(chosen) + 1)
        labels = numbers[labels]
        at = np.nonzero(labels)
    first, cell = (cells[0].start, cells[1].start), (rows.size, columns.size)
    return Pieces(place, labels, first, cell, (at[0], at[1]), tuple(pieces), count - 1 - len(chosen))


def _chosen(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """The numbers of the pieces that are told apart, all of them where they are not too many."""
    if len(scores) - 1 <= MOST_PIECES:
        return np.arange(1, len(scores))
    return np.sort(np.argsort(scores[1:], kind="stable")[-MOST_PIECES:] + 1)


def _sums(owner: NDArray[np.int32], area: FloatArray, middles: tuple[FloatArray, FloatArray], count: int) -> FloatArray:
    """Of each owner's cells: area, and area times line and column, float64 [count, 3]."""
    weights = (area, area * middles[0], area * middles[1])
    return np.stack([np.bincount(owner, each, minlength=count) for each in weights], axis=1)


def _whole(place: TilePlace, inspection: Inspection) -> Pieces:
    """The trusted part as one piece."""
    lines, columns = place.lines.trusted, place.columns.trusted
    core = place.lines.core.size * place.columns.core.size
    area = float(lines.size * columns.size)
    middle = (lines.start + lines.stop) / 2, (columns.start + columns.stop) / 2
    piece = Piece(
        lines=(lines.start, lines.stop),
        columns=(columns.start, columns.stop),
        area=area,
        core_area=float(core),
        moment=(area * middle[0], area * middle[1]),
        core_moment=(core * middle[0], core * middle[1]),
        score=inspection.score,
        base_score=inspection.base_score,
        kept=True,
    )
    only = np.zeros(1, np.intp)
    alone = TilePlace(Side(lines, lines, place.lines.core), Side(columns, columns, place.columns.core))
    return Pieces(alone, np.ones((1, 1), np.int32), (0, 0), (lines.size, columns.size), (only, only), (piece,))


def _highest(owner: NDArray[np.int32], values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The highest value of each owner; the first, nobody's, is minus infinity."""
    highest = np.full(count, -np.inf, np.float32)
    np.maximum.at(highest, owner, values)
    return highest


@dataclass(frozen=True)
class _Cells:
    """The cells of a tile's trusted part along one side, in lines or columns of the web.

    Attributes:
        size: Of one cell.
        start: Where each begins, held within the trusted part.
        stop: Where each ends.
        middle: Between the two.
        trusted: How much of each is trusted.
        core: How much of each is the tile's own.
    """

    size: float
    start: FloatArray
    stop: FloatArray
    middle: FloatArray
    trusted: FloatArray
    core: FloatArray

    @classmethod
    def of(cls, side: Side, cells: slice, count: int) -> _Cells:
        size = side.whole.size / count
        edges = side.whole.start + np.arange(cells.start, cells.stop + 1) * size
        held = np.clip(edges, side.trusted.start, side.trusted.stop)
        own = np.clip(edges, side.core.start, side.core.stop)
        return cls(size, held[:-1], held[1:], (held[:-1] + held[1:]) / 2, np.diff(held), np.diff(own))

    def span(self, first: int, count: int) -> tuple[float, float]:
        return float(self.start[first]), float(self.stop[first + count - 1])
