"""The verdict of a tile from the part of its maps that is trusted, so that seams make no difference."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nand_edge.inspection import Inspection, Verdict, decide
from nand_edge_runtime.line_scan.place import Side, Span, TilePlace


def judge_trusted(frame: str, inspection: Inspection) -> Inspection:
    """The inspection with score, base score and verdict of the trusted part of the maps.

    What lies at a tile's edge lies farther inside of its neighbour, which judges it. Where that cannot be told for
    certain, the verdict stays that of the whole tile: maps that the bundle does not give, a score that is no number,
    and a reject whose maps are bounds after an early exit.

    Args:
        frame: The frame's name: it tells the place of a tile; nothing changes for a frame that is none.
        inspection: As the engine gave it.
    """
    place = TilePlace.of(frame)
    if place is None or not inspection.has_maps or not _finite(inspection):
        return inspection
    if inspection.score_is_bound and inspection.verdict is Verdict.REJECT:
        return inspection
    cells = trusted_cells(place, inspection.anomaly_map)
    score, base_score = float(inspection.anomaly_map[cells].max()), float(inspection.base_map[cells].max())
    return replace(inspection, score=score, base_score=base_score, verdict=decide(score, inspection.threshold))


def trusted_cells(place: TilePlace, maps: NDArray[np.float32]) -> tuple[slice, slice]:
    """Rows and columns of a map whose cells reach into the trusted part of a tile."""
    rows, columns = maps.shape[-2:]
    return cells_of(place.lines, place.lines.trusted, rows), cells_of(place.columns, place.columns.trusted, columns)


def cells_of(side: Side, span: Span, count: int) -> slice:
    """The cells of a map along one side of its tile that have something of a span, at least one.

    Args:
        side: The tile.
        span: Lines or columns within the tile.
        count: Cells of the map on this side.
    """
    start, stop = span.start - side.whole.start, span.stop - side.whole.start
    size = max(side.whole.size, 1)
    first = max(min(start * count // size, count - 1), 0)
    return slice(first, max(min(-(-stop * count // size), count), first + 1))


def _finite(inspection: Inspection) -> bool:
    return math.isfinite(inspection.score) and math.isfinite(inspection.base_score)
