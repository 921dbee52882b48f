"""The report's pictures: for each normality the cells that it helped most, and those that it hurt."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2

from nand_edge.images import read_frame
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.overlay import Picture, draw_panels
from solar_cells.protocol import GroupResult

HELPED, HURT = 3, 2
_JPEG_QUALITY = 82


@dataclass(frozen=True)
class Exhibit:
    """One cell of the report.

    Attributes:
        name: The photograph's file name.
        group: What is wrong with the cell.
        before: Its score without the words.
        after: Its score with them.
        verdict_before: `pass` or `reject`.
        verdict_after: The same, with the words.
        panels: Label and data URI of frame, base map, suppression map and final map.
    """

    name: str
    group: str
    before: float
    after: float
    verdict_before: str
    verdict_after: str
    panels: tuple[tuple[str, str], ...]


def helped(result: GroupResult, inspections: Sequence[Inspection], count: int = HELPED) -> list[Exhibit]:
    """The cells that the words speak of, those first whose score fell most."""
    named = (place for place, cell in enumerate(result.cells) if cell.group == result.group.name)
    return _exhibits(result, inspections, named, count)


def hurt(result: GroupResult, inspections: Sequence[Inspection], count: int = HURT) -> list[Exhibit]:
    """Cells that stay anomalous: those first that pass by mistake, then those whose score fell most."""
    missed = set(result.missed)
    anomalous = [place for place, normal in enumerate(result.normal) if not normal]
    passing = [place for place in anomalous if result.cells[place] in missed]
    if len(passing) >= count:
        return _exhibits(result, inspections, passing, count)
    others = (place for place in anomalous if place not in passing)
    shown = _exhibits(result, inspections, passing, count)
    return shown + _exhibits(result, inspections, others, count - len(shown))


def _exhibits(
    result: GroupResult, inspections: Sequence[Inspection], places: Iterable[int], count: int
) -> list[Exhibit]:
    by_drop = sorted(places, key=lambda place: result.after[place] - result.before[place])
    return [_exhibit(result, inspections, place) for place in by_drop[:count]]


def _exhibit(result: GroupResult, inspections: Sequence[Inspection], place: int) -> Exhibit:
    cell = result.cells[place]
    verdicts: tuple[Verdict, Verdict] = (result.verdicts_before[place], result.verdicts_after[place])
    panels = draw_panels(read_frame(cell.path), inspections[place])
    return Exhibit(
        name=cell.name,
        group=cell.group,
        before=float(result.before[place]),
        after=float(result.after[place]),
        verdict_before=verdicts[0].value,
        verdict_after=verdicts[1].value,
        panels=tuple((label, data_uri(panel)) for label, panel in panels.items()),
    )


def data_uri(picture: Picture) -> str:
    """A picture as a data URI, JPEG."""
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
