"""The roll that passes under a camera now: verdicts of its tiles become regions and stretches, and go to the disk."""

from __future__ import annotations

import itertools
import logging
import math
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.line_scan.coverage import Coverage
from nand_edge_runtime.line_scan.joining import Growing, Joiner, Seen
from nand_edge_runtime.line_scan.pieces import Pieces, base_regions_of, regions_of
from nand_edge_runtime.line_scan.place import Span, TilePlace
from nand_edge_runtime.line_scan.region import Box, Region, Stretch, Totals
from nand_edge_runtime.line_scan.roll_file import Header, RollFile
from nand_edge_runtime.line_scan.settings import LineScanSettings
from nand_edge_runtime.station.records import FrameRecord, Reason

_LOG = logging.getLogger(__name__)

_UNTOLD = "not on this map"
_ASK_THE_HISTORY = "the map was too slow to take the verdict in; the history has it"
_WAITING_MOST = 50_000
"""Regions that wait for a disk that takes nothing; more are counted alone."""
_TOUCH_MM = 1e-6
_ONE_COLUMN = Span(0, 1)

_REGION, _SUPPRESSED, _SMALL, _NOT_LISTED, _HIDDEN = "regions", "suppressed", "small", "not_listed", "hidden"


class OpenRoll:
    """One roll; for one thread at a time.

    Args:
        path: Its file, which does not exist yet.
        header: What it is.
        settings: The camera's.

    Raises:
        OSError, sqlite3.Error: The file cannot be made.
    """

    def __init__(self, path: Path, header: Header, settings: LineScanSettings) -> None:
        self.name, self.path = header.name, path
        self._file = RollFile(path, header)
        self._settings = settings
        numbers = itertools.count(1)
        self._regions, self._base_regions = Joiner(settings, numbers), Joiner(settings, numbers)
        self._stretch_numbers = itertools.count(1)
        self._coverage = Coverage()
        self._standing: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        self._changed: dict[int, Region] = {}
        self._gone: set[int] = set()
        self._stretches: dict[int, Stretch] = {}
        self._open_stretches: dict[tuple[str, Span], Stretch] = {}
        self._reference: tuple[int, float] | None = None
        self._begin, self._end = math.inf, -math.inf
        self._newest = 0
        self._width = 0.0
        self._full = False
        self._written_tiles = 0
        self.trouble = ""
        """Why nothing can be written; empty when all is well."""

    @property
    def tiles(self) -> int:
        """Tiles that got their verdict."""
        return self._counts["tiles"]

    def tell(
        self, record: FrameRecord, place: TilePlace, inspection: Inspection | None, *, unseen: bool = False
    ) -> None:
        """Take a verdict in.

        Args:
            record: The tile's.
            place: Where it lies.
            inspection: With its maps; None where it was not inspected, or where it is known to have no region.
            unseen: Whether it may have regions that the map cannot take in.
        """
        along = self._along(record, place)
        self._counts["tiles"] += 1
        self._counts["rejected"] += record.verdict is Verdict.REJECT
        self._counts["inspected"] += record.reason in (Reason.INSPECTED, Reason.OUTPUT_DOWN)
        self._coverage.add(place)
        self._width = max(self._width, place.columns.core.stop * self._settings.millimetres_per_column)
        if record.reason is not Reason.INSPECTED:
            self._add_stretch(record, place, record.reason.value, record.detail)
        if unseen:
            self._counts["untold"] += 1
            self._add_stretch(record, place, _UNTOLD, _ASK_THE_HISTORY)
        if inspection is not None and record.reason is not Reason.NOT_A_NUMBER:
            threshold, normalities = inspection.threshold, inspection.normalities
            seen = Seen(record.key, place, along, record.timestamp, threshold, normalities)
            self._add(self._regions, regions_of(place, inspection), seen, self._standing_of)
            self._add(self._base_regions, base_regions_of(place, inspection), seen, self._standing_of_base)
        self._newest = max(self._newest, place.lines.whole.start)
        self._settle(self._newest - 2 * self._settings.tile_height)

    def untold(self, count: int) -> None:
        """So many verdicts were missed."""
        self._counts["untold"] += count

    def totals(self) -> Totals:
        """What it comes to so far."""
        counts = {name: self._counts[name] for name in ("tiles", "rejected", "inspected", "untold")}
        standings = {name: self._counts[name] for name in (_REGION, _SUPPRESSED, _SMALL, _NOT_LISTED)}
        return Totals(**counts, **standings, length_mm=max(self._end - self._begin, 0.0), width_mm=self._width)

    def write_changes(self, at: float) -> None:
        """Bring what has changed to the disk, if anything has."""
        if self.tiles != self._written_tiles:
            self.write(at)

    def write(self, at: float) -> None:
        """Bring what has changed to the disk; what it does not take is tried again the next time."""
        try:
            self._file.write(
                regions=self._changed.values(),
                gone=self._gone,
                stretches=self._stretches.values(),
                totals=self.totals(),
                begin_mm=self._begin if self.tiles else 0.0,
                at=at,
            )
        except sqlite3.Error as error:
            self._tell_trouble(str(error))
        else:
            self._tell_trouble("")
            self._written_tiles = self.tiles
            self._changed.clear()
            self._gone.clear()
            self._stretches.clear()
            self._full = self._file.bytes() > self._settings.rolls_megabytes << 20

    def end(self, at: float) -> None:
        """End it and close its file."""
        self._settle(None)
        self.write(at)
        try:
            self._file.end(at)
        except sqlite3.Error as error:
            self._tell_trouble(str(error))

    def _along(self, record: FrameRecord, place: TilePlace) -> float:
        """The place of the tile's first line, millimetres."""
        line, per_position = place.lines.whole.start, self._settings.millimetres_per_position
        if record.position is not None and per_position is not None:
            self._reference = (line, record.position * per_position)
        elif self._reference is None:
            self._reference = (line, line * self._settings.millimetres_per_line)
        # Not the first one told of, but the one that lies first.
        self._begin = min(self._begin, self._millimetres(place.lines.core.start))
        self._end = max(self._end, self._millimetres(place.lines.core.stop))
        return self._millimetres(line)

    def _millimetres(self, line: int) -> float:
        """A line's place as the encoder, or the number of lines, tells it."""
        known, at = self._reference or (0, 0.0)
        return at + (line - known) * self._settings.millimetres_per_line

    def _add(self, joiner: Joiner, pieces: Pieces | None, seen: Seen, standing: Callable[[Growing], str]) -> None:
        if pieces is None:
            return
        changed, gone = joiner.add(pieces, seen)
        self._counts[_NOT_LISTED] += pieces.left_out
        for number in gone:
            self._counts[self._standing.pop(number, _HIDDEN)] -= 1
            self._changed.pop(number, None)
            self._gone.add(number)
        for growing in changed:
            self._stand(growing, standing(growing))

    def _stand(self, growing: Growing, standing: str) -> None:
        """Count a region as what it is now, and have it written if it is listed."""
        number = growing.number
        before = self._standing.get(number)
        if standing in (_REGION, _SUPPRESSED) and before not in (_REGION, _SUPPRESSED) and self._has_no_room():
            standing = _NOT_LISTED
        if before is not None:
            self._counts[before] -= 1
        self._counts[standing] += 1
        self._standing[number] = standing
        if standing in (_REGION, _SUPPRESSED):
            self._changed[number] = growing.region(suppressed=standing == _SUPPRESSED)
        elif before is not None:
            self._changed.pop(number, None)
            self._gone.add(number)

    def _has_no_room(self) -> bool:
        listed = self._counts[_REGION] + self._counts[_SUPPRESSED]
        return self._full or listed >= self._settings.regions_per_roll or len(self._changed) >= _WAITING_MOST

    def _standing_of(self, growing: Growing) -> str:
        return _SMALL if growing.area_mm2 < self._settings.minimum_area_mm2 else _REGION

    def _standing_of_base(self, growing: Growing) -> str:
        if growing.kept:
            return _HIDDEN
        return _SMALL if growing.area_mm2 < self._settings.minimum_area_mm2 else _SUPPRESSED

    def _add_stretch(self, record: FrameRecord, place: TilePlace, reason: str, detail: str) -> None:
        box = self._box(place.lines.core, place.columns.core)
        stretch = Stretch(0, box, reason, detail, 1, record.key, record.timestamp)
        self._stretch(reason, place.columns.core, stretch)

    def _stretch(self, reason: str, columns: Span, stretch: Stretch) -> None:
        """Note a stretch, as part of the one before it where it follows that."""
        before = self._open_stretches.get((reason, columns))
        if before is not None and abs(stretch.box.along_from - before.box.along_to) < _TOUCH_MM:
            stretch = replace(before, box=before.box.joined(stretch.box), tiles=before.tiles + stretch.tiles)
        else:
            stretch = replace(stretch, number=next(self._stretch_numbers))
            if stretch.number > self._settings.regions_per_roll or len(self._stretches) >= _WAITING_MOST:
                self._counts[_NOT_LISTED] += 1
                return
        self._open_stretches[reason, columns] = stretch
        self._stretches[stretch.number] = stretch

    def _box(self, lines: Span, columns: Span) -> Box:
        across = self._settings.millimetres_per_column
        # Lines that were lost before the width was known lie under the whole of it.
        right = self._width if columns == _ONE_COLUMN else columns.stop * across
        return Box(self._millimetres(lines.start), self._millimetres(lines.stop), columns.start * across, right)

    def _settle(self, line: int | None) -> None:
        """No tile before this line will come any more; None for the roll's end."""
        for lines, columns in self._coverage.settle(line):
            box = self._box(lines, columns)
            self._stretch(_UNTOLD, columns, Stretch(0, box, _UNTOLD, _ASK_THE_HISTORY, 1, None, 0.0))
        if line is not None:
            for joiner in (self._regions, self._base_regions):
                joiner.forget(line)
            growing = {*self._regions.growing, *self._base_regions.growing}
            if len(self._standing) > len(growing):
                self._standing = {number: self._standing[number] for number in growing if number in self._standing}

    def _tell_trouble(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            _LOG.error("the map of roll %r cannot be written: %s", self.name, trouble)
        self.trouble = trouble
