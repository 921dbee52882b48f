"""What may be asked of the history."""

from __future__ import annotations

from dataclasses import dataclass

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.records import Reason

MOST = 10_000
"""Records of one answer at most."""


@dataclass(frozen=True)
class Query:
    """Which frames; what is None, empty or no number does not narrow.

    Attributes:
        camera: Of this camera.
        verdict: With this verdict.
        reason: With this reason.
        suppressed: Whether the words turned a reject into a pass.
        since: Taken at this moment or later, seconds since 1970.
        until: Taken before this moment.
        lowest_score: With this score or a higher one.
        highest_score: With this score or a lower one.
        name: With this text in the frame's name, upper and lower case alike.
        run: Of this run of the station.
        station: Of this station, where several write into one database.
        limit: How many at most, newest first; never more than `MOST`.
        before: Only frames that came on record before this one: the last of a page gives the next page.
    """

    camera: str | None = None
    verdict: Verdict | None = None
    reason: Reason | None = None
    suppressed: bool | None = None
    since: float | None = None
    until: float | None = None
    lowest_score: float | None = None
    highest_score: float | None = None
    name: str = ""
    run: str | None = None
    station: str | None = None
    limit: int = 100
    before: FrameKey | None = None


@dataclass(frozen=True)
class Rate:
    """What became of a camera's frames in a stretch of time.

    Attributes:
        start: Its beginning, seconds since 1970.
        camera: The camera.
        frames: How many frames.
        rejected: How many of them were rejects.
        suppressed: How many pass only because of a normality.
    """

    start: float
    camera: str
    frames: int
    rejected: int
    suppressed: int
