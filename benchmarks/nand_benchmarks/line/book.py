"""What the station wrote down of each frame, read from its SQLite file and its pictures."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from nand_benchmarks.line.code import read_code
from nand_benchmarks.line.parts import Part, number_of
from nand_edge_runtime.history.picture_files import PictureFiles
from nand_edge_runtime.station.frames import FrameKey

DATABASE = Path("history", "history.sqlite")
PICTURES = Path("history", "pictures")
_COLUMNS = "run, camera, number, name, timestamp, verdict, reason, dropped_before, normalities, latency_ms"


@dataclass(frozen=True)
class Recorded:
    """One frame on record.

    Attributes:
        key: Its identity.
        name: Its name: a path, or the camera's name and number.
        timestamp: When it was taken, seconds since 1970.
        verdict: `pass` or `reject`.
        reason: Why.
        dropped_before: Frames of its camera that were dropped before it.
        normalities: What was in force, as JSON.
        latency_ms: As JSON.
    """

    key: FrameKey
    name: str
    timestamp: float
    verdict: str
    reason: str
    dropped_before: int
    normalities: str
    latency_ms: str

    @property
    def number(self) -> int | None:
        """Its part's number, where its name tells it."""
        return number_of(self.name)

    @property
    def is_inspected_pass(self) -> bool:
        """Whether it passed because it was inspected: the only way to pass."""
        return self.verdict == "pass" and self.reason == "inspected"


class Book:
    """The records of a station.

    Args:
        state_folder: The station's.
    """

    def __init__(self, state_folder: Path) -> None:
        self._file = state_folder / DATABASE
        self._pictures = PictureFiles(state_folder / PICTURES)

    def records(self) -> list[Recorded]:
        """All of them, in the order in which they came on record."""
        return list(self._rows())

    def states(self) -> list[str]:
        """Why the station was in each of its states."""
        with contextlib.closing(self._connection()) as connection:
            return [row[0] for row in connection.execute("SELECT why FROM nand_edge_states ORDER BY id")]

    def inspected_lately(self) -> list[int]:
        """Numbers of the parts that were inspected last."""
        wanted = "SELECT name FROM nand_edge_frames WHERE reason = 'inspected' ORDER BY id DESC LIMIT 20"
        with contextlib.closing(self._connection()) as connection:
            names = [row[0] for row in connection.execute(wanted)]
        return [number for name in names if (number := number_of(name)) is not None]

    def code(self, record: Recorded) -> tuple[Part, int] | None:
        """What the picture of a stream's frame says; None where it was not kept, or has no whole code."""
        path = self._pictures.picture(record.key, record.timestamp)
        image = None if path is None else cv2.imread(str(path))
        return None if image is None else read_code(image.astype("uint8"))

    def _rows(self) -> Iterator[Recorded]:
        with contextlib.closing(self._connection()) as connection:
            for row in connection.execute(f"SELECT {_COLUMNS} FROM nand_edge_frames ORDER BY id"):  # noqa: S608 - a constant
                yield Recorded(FrameKey(row[0], row[1], row[2]), *row[3:])

    def _connection(self) -> sqlite3.Connection:
        # Not read-only: without the station, SQLite itself takes the write-ahead log over.
        return sqlite3.connect(self._file, timeout=10)
