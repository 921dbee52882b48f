"""A roll on the disk: one small SQLite file with its regions and stretches, whole at any moment."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.line_scan.region import Box, Region, Stretch, Totals
from nand_edge_runtime.station.frames import FrameKey

SUFFIX = ".sqlite"
SCHEMA = 1

_BUSY_S = 2.0
_TABLES = (
    """
create table roll (
    schema integer not null, camera text not null, name text not null, began real not null,
    changed real not null, ended real, settings text not null, begin_mm real not null, totals text not null
)
""",
    """
create table regions (
    number integer primary key, suppressed integer not null, along_from real not null, along_to real not null,
    across_from real not null, across_to real not null, along real not null, across real not null,
    area_mm2 real not null, score real not null, base_score real not null, threshold real not null,
    at real not null, parts integer not null, best_at real not null, lists text not null
)
""",
    """
create table stretches (
    number integer primary key, along_from real not null, along_to real not null, across_from real not null,
    across_to real not null, reason text not null, detail text not null, tiles integer not null, first text,
    at real not null
)
""",
)


@dataclass(frozen=True)
class Header:
    """What a roll is.

    Attributes:
        camera: Whose.
        name: What people call it.
        began: Seconds since 1970.
        changed: When something was last written.
        ended: When it ended; None while it goes on, or where the station ended before it.
        settings: What places were computed with.
    """

    camera: str
    name: str
    began: float
    changed: float
    ended: float | None
    settings: dict[str, Any]


class RollFile:
    """Writes one roll; each `write` is on the disk as a whole or not at all.

    Args:
        path: A new file, or that of a roll that was cut short.
        header: For a new one.

    Raises:
        OSError, sqlite3.Error: It cannot be written.
    """

    def __init__(self, path: Path, header: Header | None = None) -> None:
        self.path = path
        if header is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            # Only the last half second may be lost when the power fails; verdicts are in the history.
            self._connection.executescript("pragma journal_mode = wal; pragma synchronous = normal;")
            if header is not None:
                with self._transaction():
                    for table in _TABLES:
                        self._connection.execute(table)
                    self._insert("roll", [_roll_row(header)])
        except sqlite3.Error:
            self._connection.close()
            raise

    def write(
        self,
        *,
        regions: Iterable[Region],
        gone: Iterable[int],
        stretches: Iterable[Stretch],
        totals: Totals,
        begin_mm: float,
        at: float,
    ) -> None:
        """Write what is new or has changed, with places along as the encoder tells them.

        Args:
            regions: Take the place of those of the same number.
            gone: Numbers of regions that are no more.
            stretches: Take the place of those of the same number.
            totals: Of the whole roll.
            begin_mm: Where the roll begins; places that are read count from there.
            at: Seconds since 1970.

        Raises:
            sqlite3.Error: Nothing was written.
        """
        with self._transaction():
            self._connection.executemany("delete from regions where number = ?", [(number,) for number in gone])
            self._insert("regions", [_region_row(region) for region in regions])
            self._insert("stretches", [_stretch_row(stretch) for stretch in stretches])
            self._connection.execute(
                "update roll set changed = ?, begin_mm = ?, totals = ?", (at, begin_mm, json.dumps(asdict(totals)))
            )

    def end(self, at: float | None) -> None:
        """Write that the roll has ended, at its last change for None, and close the file.

        Raises:
            sqlite3.Error: That could not be written; the file is closed.
        """
        try:
            with self._transaction():
                self._connection.execute("update roll set ended = coalesce(?, changed) where ended is null", (at,))
            # From now on one file, which may be copied to wherever it is looked at.
            self._connection.execute("pragma journal_mode = delete")
        finally:
            self._connection.close()

    def bytes(self) -> int:
        """What the file takes."""
        return bytes_of(self.path)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            columns, values = ", ".join(rows[0]), ", ".join(f":{column}" for column in rows[0])
            # Names of tables and columns are this module's own.
            self._connection.executemany(f"insert or replace into {table} ({columns}) values ({values})", rows)  # noqa: S608 - see above


@dataclass(frozen=True)
class Roll:
    """A roll as it was read.

    Attributes:
        header: What it is.
        totals: What it comes to.
        regions: Listed regions, suppressed ones included, along the web.
        stretches: What was not inspected, along the web.
    """

    header: Header
    totals: Totals
    regions: tuple[Region, ...]
    stretches: tuple[Stretch, ...]


def read_header(path: Path) -> Header:
    """What a roll is.

    Raises:
        NandEdgeError: The file is none of a roll, or damaged.
    """
    with _reading(path) as connection:
        return _header(connection)


def read_roll(path: Path) -> Roll:
    """The whole roll, also while the station writes it.

    Raises:
        NandEdgeError: The file is none of a roll, or damaged.
    """
    with _reading(path) as connection:
        connection.execute("begin")
        header = _header(connection)
        roll = connection.execute("select totals, begin_mm from roll").fetchone()
        totals, begin = Totals(**json.loads(roll["totals"])), float(roll["begin_mm"])
        rows = connection.execute("select * from regions order by along_from, number")
        regions = tuple(_region(row, begin) for row in rows)
        rows = connection.execute("select * from stretches order by along_from, number")
        stretches = tuple(_stretch(row, begin) for row in rows)
    return Roll(header, totals, regions, stretches)


def bytes_of(path: Path) -> int:
    """What a roll takes on the disk, with what SQLite keeps beside it."""
    total = 0
    for suffix in ("", "-wal"):
        try:
            total += path.with_name(path.name + suffix).stat().st_size
        except OSError:
            continue
    return total


def remove(path: Path) -> None:
    """Remove a roll.

    Raises:
        OSError: It cannot be removed.
    """
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise NandEdgeError(f"roll {path.stem!r}", found="no such file", needed="a roll's file", do="check its name")
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as connection:
            connection.execute("pragma query_only = on")
            connection.row_factory = sqlite3.Row
            yield connection
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        raise NandEdgeError(
            f"roll {path.stem!r}",
            found=f"a file that cannot be read ({type(error).__name__})",
            needed="the file of a roll, written by this version",
            do="remove it, or ask for another roll; the verdicts are in the history",
        ) from None


def _header(connection: sqlite3.Connection) -> Header:
    row = connection.execute("select * from roll").fetchone()
    if row is None or row["schema"] != SCHEMA:
        raise ValueError("no roll of this schema")
    named = {name: row[name] for name in ("camera", "name", "began", "changed", "ended")}
    return Header(**named, settings=json.loads(row["settings"]))


def _roll_row(header: Header) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        **asdict(header),
        "settings": json.dumps(header.settings),
        "begin_mm": 0.0,
        "totals": "{}",
    }


def _region_row(region: Region) -> dict[str, Any]:
    row = {name: getattr(region, name) for name in _PLAIN}
    return {
        **row,
        **asdict(region.box),
        "suppressed": int(region.suppressed),
        "lists": json.dumps(
            [
                region.normalities,
                [_key_text(key) for key in region.frames],
                _key_text(region.best),
                region.best_box,
                # The outline of a region of one piece is its box.
                [astuple(box) for box in region.outline] if region.parts > 1 else [],
            ]
        ),
    }


def _region(row: sqlite3.Row, begin: float) -> Region:
    normalities, frames, best, best_box, outline = json.loads(row["lists"])
    box = _box(row, begin)
    return Region(
        **{**{name: row[name] for name in _PLAIN}, "along": row["along"] - begin},
        box=box,
        suppressed=bool(row["suppressed"]),
        normalities=tuple(normalities),
        frames=tuple(map(_key, frames)),
        best=_key(best),
        best_box=tuple(best_box),
        outline=tuple(Box(start - begin, stop - begin, *across) for start, stop, *across in outline) or (box,),
    )


_PLAIN = (
    "number", "along", "across", "area_mm2", "score", "base_score", "threshold", "at", "parts", "best_at"
)  # fmt: skip


def _stretch_row(stretch: Stretch) -> dict[str, Any]:
    first = None if stretch.first is None else json.dumps(_key_text(stretch.first))
    named = {name: getattr(stretch, name) for name in ("number", "reason", "detail", "tiles", "at")}
    return {**named, **asdict(stretch.box), "first": first}


def _stretch(row: sqlite3.Row, begin: float) -> Stretch:
    first = None if row["first"] is None else _key(json.loads(row["first"]))
    named = {name: row[name] for name in ("number", "reason", "detail", "tiles", "at")}
    return Stretch(**named, box=_box(row, begin), first=first)


def _box(row: sqlite3.Row, begin: float) -> Box:
    return Box(row["along_from"] - begin, row["along_to"] - begin, row["across_from"], row["across_to"])


def _key_text(key: FrameKey) -> list[str | int]:
    return [key.run, key.camera, key.number]


def _key(text: list[Any]) -> FrameKey:
    run, camera, number = text
    return FrameKey(str(run), str(camera), int(number))
