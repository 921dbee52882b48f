"""The report's pictures: for each pair the frames that the words helped most, and those that they hurt most."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from nand_edge.evaluation.protocol import Pair
from nand_edge.inspection import Inspection, decide
from nand_edge_runtime.overlay import Picture, draw_panels

HELPED, HURT = 3, 2
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Exhibit:
    """One frame of the report.

    Attributes:
        name: The image's file name.
        label: What is wrong with it.
        before: Its score without the normality.
        after: Its score with it.
        verdict_before: `pass` or `reject`.
        verdict_after: The same, with the normality.
        panels: Label and data URI of frame, base map, suppression map and final map.
    """

    name: str
    label: str
    before: float
    after: float
    verdict_before: str
    verdict_after: str
    panels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Exhibits:
    """The frames of one pair.

    Attributes:
        helped: Of the group that counts as normal, those whose score fell most.
        hurt: Of the other defects, first those that pass by mistake now, then those whose score fell most.
    """

    helped: tuple[Exhibit, ...]
    hurt: tuple[Exhibit, ...]


def exhibits(pair: Pair, inspect: Callable[[int], Inspection]) -> Exhibits:
    """Choose a pair's frames and draw them.

    Args:
        pair: The scores.
        inspect: From a frame's place in the pair to its inspection with the normality in force.
    """
    missed = pair.anomalous & pair.rejected(pair.before) & ~pair.rejected(pair.after)
    by_drop = np.argsort(pair.after - pair.before, kind="stable").tolist()
    helped = [place for place in by_drop if pair.added[place]]
    hurt = [place for place in by_drop if missed[place]]
    hurt += [place for place in by_drop if pair.anomalous[place] and not missed[place]]
    return Exhibits(
        helped=tuple(_exhibit(pair, place, inspect(place)) for place in helped[:HELPED]),
        hurt=tuple(_exhibit(pair, place, inspect(place)) for place in hurt[:HURT]),
    )


def data_uri(picture: Picture) -> str:
    """A picture as a data URI, JPEG."""
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _exhibit(pair: Pair, place: int, inspection: Inspection) -> Exhibit:
    frame, before = pair.frames[place], float(pair.before[place])
    return Exhibit(
        name=frame.path.name,
        label=frame.label,
        before=before,
        after=float(pair.after[place]),
        verdict_before=decide(before, pair.threshold).value,
        verdict_after=inspection.verdict.value,
        panels=tuple((label, data_uri(panel)) for label, panel in draw_panels(frame.read(), inspection).items()),
    )
