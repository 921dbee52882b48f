"""What a roll's map shows: regions, and stretches that were not inspected, each with its place in millimetres."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nand_edge_runtime.station.frames import FrameKey


@dataclass(frozen=True)
class Box:
    """A rectangle on the web, millimetres from the roll's beginning and from the web's first column.

    Attributes:
        along_from: Where it begins in the direction of the web.
        along_to: Where it ends.
        across_from: Where it begins across the web.
        across_to: Where it ends.
    """

    along_from: float
    along_to: float
    across_from: float
    across_to: float

    def joined(self, other: Box) -> Box:
        """The smallest one that holds both."""
        return Box(
            min(self.along_from, other.along_from),
            max(self.along_to, other.along_to),
            min(self.across_from, other.across_from),
            max(self.across_to, other.across_to),
        )


@dataclass(frozen=True)
class Region:
    """A region of the web where the final map reaches the threshold, or did so before the words took it out.

    Attributes:
        number: Its number in the roll.
        suppressed: Whether the words took it out: the base map alone reaches the threshold.
        box: Where it lies.
        along: Its centroid, millimetres.
        across: Its centroid, millimetres.
        area_mm2: Its area.
        score: Highest score of the final map.
        base_score: Highest score of the base map.
        threshold: What was in force where the score is highest.
        normalities: Names of the normalities in force.
        at: Seconds since 1970 when its first part was taken.
        parts: How many pieces of tiles it is joined of.
        frames: The first of their frames, at most `MOST_FRAMES`.
        best: The frame that shows it best: most of it, with about the highest score.
        best_at: Seconds since 1970 when that one was taken.
        best_box: Left, top, right and bottom of its part there, pixels of the frame.
        outline: Boxes of its pieces, joined where there are more than `MOST_BOXES`: it is drawn by them.
    """

    number: int
    suppressed: bool
    box: Box
    along: float
    across: float
    area_mm2: float
    score: float
    base_score: float
    threshold: float
    normalities: tuple[str, ...]
    at: float
    parts: int
    frames: tuple[FrameKey, ...]
    best: FrameKey
    best_at: float
    best_box: tuple[int, int, int, int]
    outline: tuple[Box, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        keys = {"frames": [vars(key) for key in self.frames], "best": vars(self.best)}
        return {**vars(self), "box": vars(self.box), "outline": [vars(box) for box in self.outline], **keys}


MOST_FRAMES = 16
"""Of a region: one that runs along the whole roll has thousands."""

MOST_BOXES = 128
"""Of a region, likewise."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of the web that was rejected without an inspection, or that the map was never told of.

    Attributes:
        number: Its number in the roll.
        box: Where it lies.
        reason: Why.
        detail: More of it, in words.
        tiles: How many tiles it is made of.
        first: The first of their frames; None where the map was told of none.
        at: Seconds since 1970 when the first was taken.
    """

    number: int
    box: Box
    reason: str
    detail: str
    tiles: int
    first: FrameKey | None
    at: float

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Totals:
    """What a roll comes to.

    Attributes:
        tiles: Tiles that got their verdict.
        rejected: Those that are rejects.
        inspected: Those that were inspected.
        length_mm: How much of the web passed.
        width_mm: Its width.
        regions: Listed regions that the final map has.
        suppressed: Listed regions that the words took out.
        small: Regions below the least area, not listed.
        not_listed: Regions and stretches beyond what a roll lists, a tile tells apart or a full disk takes.
        untold: Tiles whose regions the map could not take in because it was too slow.
    """

    tiles: int = 0
    rejected: int = 0
    inspected: int = 0
    length_mm: float = 0.0
    width_mm: float = 0.0
    regions: int = 0
    suppressed: int = 0
    small: int = 0
    not_listed: int = 0
    untold: int = 0
