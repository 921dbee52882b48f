"""What is drawn on the map: marks in a few colours, each place once however many regions lie there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nand_edge_runtime.line_scan.region import Region
from nand_edge_runtime.line_scan.report.layout import Layout, Rectangle

COLOURS = ("#f0ad1f", "#e8702a", "#cc2936", "#6d0f2f")
"""Of regions, from those just over the threshold to the highest score; told apart in black and white too."""
SUPPRESSED = "#2b6cb0"

_GRID = 2.0
"""Marks lie on a grid of so many units, so that a hundred thousand regions are no hundred thousand marks."""


@dataclass(frozen=True)
class Shade:
    """The marks of one colour.

    Attributes:
        colour: Its colour.
        words: What it means.
        marks: Where.
    """

    colour: str
    words: str
    marks: tuple[Rectangle, ...]


def shades(regions: Sequence[Region], layout: Layout) -> list[Shade]:
    """Regions by their score, the highest last, so that they lie on top; then those that the words took out."""
    kept = [region for region in regions if not region.suppressed]
    suppressed = _marks((region for region in regions if region.suppressed), layout)
    drawn = [Shade(SUPPRESSED, "taken out by normalities", suppressed)] if suppressed else []
    if not kept:
        return drawn
    low, high = min(region.score for region in kept), max(region.score for region in kept)
    limits = [low + (high - low) * step / len(COLOURS) for step in range(len(COLOURS) + 1)]
    classes: list[list[Region]] = [[] for _ in COLOURS]
    for region in kept:
        part = (region.score - low) / (high - low) if high > low else 1.0
        classes[min(int(part * len(COLOURS)), len(COLOURS) - 1)].append(region)
    for colour, members, start, stop in zip(COLOURS, classes, limits, limits[1:], strict=False):
        if members:
            drawn.append(Shade(colour, f"score {start:.3g} to {stop:.3g}", _marks(members, layout)))
    return drawn


def _marks(regions: Iterable[Region], layout: Layout) -> tuple[Rectangle, ...]:
    places = {_on_grid(mark) for region in regions for box in region.outline for mark in layout.rectangles(box)}
    return tuple(Rectangle(*(_GRID * number for number in place)) for place in sorted(places))


def _on_grid(mark: Rectangle) -> tuple[int, int, int, int]:
    width, height = math.ceil(mark.width / _GRID), math.ceil(mark.height / _GRID)
    return round(mark.x / _GRID), round(mark.y / _GRID), width, height
