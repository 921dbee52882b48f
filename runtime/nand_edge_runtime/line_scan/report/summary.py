"""What a report of a roll says, in words and numbers that a page and paper share."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nand_edge_runtime.history.history import FOLDER as HISTORY
from nand_edge_runtime.history.history import PICTURES_FOLDER
from nand_edge_runtime.line_scan.region import Region, Stretch
from nand_edge_runtime.line_scan.report.layout import Layout
from nand_edge_runtime.line_scan.report.marks import Shade, shades
from nand_edge_runtime.line_scan.report.thumbnails import thumbnails
from nand_edge_runtime.line_scan.roll_file import Roll

_METRE = 1000.0


@dataclass(frozen=True)
class Summary:
    """A roll as it is shown.

    Attributes:
        title: Camera and roll.
        facts: Words and values, in their order.
        layout: Of the map.
        shades: Marks of regions, the topmost last.
        regions: The listed ones along the web: those with the highest scores, if there are too many.
        suppressed: Likewise, those that the words took out.
        stretches: Likewise, the longest ones of what was not inspected.
        all_stretches: For the map.
        left_out: What the lists leave out, in a sentence; empty for nothing.
        thumbnails: JPEGs by the region's number.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    layout: Layout
    shades: tuple[Shade, ...]
    regions: tuple[Region, ...]
    suppressed: tuple[Region, ...]
    stretches: tuple[Stretch, ...]
    all_stretches: tuple[Stretch, ...]
    left_out: str
    thumbnails: dict[int, bytes]


def summary_of(roll: Roll, *, state_folder: Path, most: int) -> Summary:
    """What a report says.

    Args:
        roll: The roll.
        state_folder: The station's, for pictures.
        most: Entries of each list at most.
    """
    layout = Layout.of(roll.totals.length_mm, roll.totals.width_mm)
    kept = [region for region in roll.regions if not region.suppressed]
    suppressed = [region for region in roll.regions if region.suppressed]
    by_score = sorted(kept, key=lambda region: -region.score)
    return Summary(
        title=f"{roll.header.camera}: {roll.header.name}",
        facts=_facts(roll),
        layout=layout,
        shades=tuple(shades(roll.regions, layout)),
        regions=_along(by_score[:most]),
        suppressed=_along(sorted(suppressed, key=lambda region: -region.base_score)[:most]),
        stretches=_along(sorted(roll.stretches, key=lambda stretch: -_length(stretch))[:most]),
        all_stretches=roll.stretches,
        left_out=_left_out(roll, len(kept), len(suppressed), most),
        thumbnails=thumbnails(by_score, state_folder / HISTORY / PICTURES_FOLDER),
    )


def metres(millimetres: float) -> str:
    """A place along the web."""
    return f"{millimetres / _METRE:,.3f} m"


def _facts(roll: Roll) -> tuple[tuple[str, str], ...]:
    header, totals = roll.header, roll.totals
    facts = [
        ("length", metres(totals.length_mm)),
        ("width", f"{totals.width_mm:,.1f} mm"),
        ("began", _moment(header.began)),
        (
            "ended",
            _moment(header.ended) if header.ended is not None else f"not yet, last change {_moment(header.changed)}",
        ),
        ("tiles", f"{totals.tiles:,}, of which {totals.rejected:,} are rejects"),
        ("inspected", f"{totals.inspected:,} of {totals.tiles:,} tiles"),
        ("regions", f"{totals.regions:,}"),
        ("taken out by normalities", f"{totals.suppressed:,}"),
    ]
    if totals.small:
        facts.append(("smaller than the least area, not listed", f"{totals.small:,}"))
    if totals.not_listed:
        facts.append(("more than a roll lists", f"{totals.not_listed:,}"))
    if totals.untold:
        facts.append(("tiles whose regions the map missed", f"{totals.untold:,}"))
    not_inspected = metres(_together(roll.stretches))
    facts.append(("stretches not inspected", f"{len(roll.stretches):,}, over {not_inspected} of the length"))
    return tuple(facts)


def _end(roll: Roll) -> str:
    if roll.header.ended is None:
        return f"not yet, last change {_moment(roll.header.changed)}"
    return _moment(roll.header.ended)


def _left_out(roll: Roll, regions: int, suppressed: int, most: int) -> str:
    counts = ((regions, "regions"), (suppressed, "suppressed regions"), (len(roll.stretches), "stretches"))
    too_many = [f"{most:,} of {count:,} {what}" for count, what in counts if count > most]
    if not too_many:
        return ""
    return f"Listed are {' and '.join(too_many)}: those with the highest scores, or the longest. JSON has all of them."


def _length(stretch: Stretch) -> float:
    return stretch.box.along_to - stretch.box.along_from


def _together(stretches: Iterable[Stretch]) -> float:
    """Length of the web on which something was not inspected; what lies abreast counts once."""
    total, reached = 0.0, -math.inf
    for stretch in sorted(stretches, key=lambda stretch: stretch.box.along_from):
        total += max(stretch.box.along_to - max(stretch.box.along_from, reached), 0.0)
        reached = max(reached, stretch.box.along_to)
    return total


def _along(entries: list[Any]) -> tuple[Any, ...]:
    return tuple(sorted(entries, key=lambda entry: (entry.box.along_from, entry.number)))


def _moment(timestamp: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timestamp))
