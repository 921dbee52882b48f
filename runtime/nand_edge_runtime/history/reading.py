"""Reading the history: questions with limits, answered from the database by any thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, Table, and_, case, cast, false, func, select

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.history.database import Database, DatabaseAway, DatabaseDamaged
from nand_edge_runtime.history.picture_files import MAPS_SUFFIX, PictureFiles
from nand_edge_runtime.history.pictures import Maps, read_maps
from nand_edge_runtime.history.query import MOST, Query, Rate
from nand_edge_runtime.history.rows import record_of_row
from nand_edge_runtime.history.tables import AUDIT, FRAMES, STATES
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Changed, StateChanged
from nand_edge_runtime.station.records import FrameRecord
from nand_edge_runtime.station.states import StationState

_COLUMNS = [column for column in FRAMES.c if column.name not in {"id", "station"}]
_LARGEST = 2**63 - 1


class Reader:
    """Answers questions; all of them raise `NandEdgeError` while the database is away.

    Args:
        database: Where records are.
        pictures: Where pictures are.
        station: Whose records, on a server that several stations write to, unless a query names another; all by
            default. A SQLite file is one station's.
        on_damage: Called when the database is found damaged.
    """

    def __init__(
        self,
        database: Database,
        pictures: PictureFiles,
        *,
        station: str | None = None,
        on_damage: Callable[[], None] = lambda: None,
    ) -> None:
        self._database, self._pictures, self._on_damage = database, pictures, on_damage
        self._station = None if database.is_sqlite else station

    def find(self, query: Query) -> list[FrameRecord]:
        """The records that a query asks for, the last on record first."""
        limit = max(0, min(query.limit, MOST))
        wanted = self._where(select(*_COLUMNS), query).order_by(FRAMES.c.id.desc()).limit(limit)
        with self._connection() as connection:
            return [record_of_row(row) for row in connection.execute(wanted)]

    def pages(self, query: Query) -> Iterator[list[FrameRecord]]:
        """All records that a query asks for, beyond its limit, page by page."""
        page = self.find(query)
        while page:
            yield page
            page = self.find(replace(query, before=page[-1].key))

    def count(self, query: Query) -> dict[str, int]:
        """How many frames a query asks for: `frames`, `pass`, `reject`, `suppressed` and each reason's value."""
        columns = (FRAMES.c.verdict, FRAMES.c.reason, FRAMES.c.suppressed)
        wanted = self._where(select(*columns, func.count().label("frames")), query).group_by(*columns)
        counts = {"frames": 0, Verdict.PASS.value: 0, Verdict.REJECT.value: 0, "suppressed": 0}
        with self._connection() as connection:
            for verdict, reason, suppressed, frames in connection.execute(wanted):
                for name in ("frames", verdict, reason, *(["suppressed"] if suppressed else [])):
                    counts[name] = counts.get(name, 0) + int(frames)
        return counts

    def get(self, key: FrameKey) -> FrameRecord | None:
        """One frame's record."""
        if not _can_be(key):
            return None
        with self._connection() as connection:
            row = connection.execute(select(*_COLUMNS).where(_is(key))).one_or_none()
        return None if row is None else record_of_row(row)

    def picture(self, key: FrameKey) -> Path | None:
        """One frame's picture, JPEG or PNG, if it is kept."""
        record = self.get(key)
        return None if record is None else self._pictures.picture(key, record.timestamp)

    def maps_file(self, key: FrameKey) -> Path | None:
        """The file of one frame's maps, NumPy's .npz, if they are kept."""
        record = self.get(key)
        file = None if record is None else self._pictures.place(key, record.timestamp, MAPS_SUFFIX)
        return file if file is not None and file.is_file() else None

    def maps(self, key: FrameKey) -> Maps | None:
        """One frame's maps, if they are kept."""
        record = self.get(key)
        return None if record is None else read_maps(self._pictures, key, record.timestamp)

    def audits(self, limit: int = 100, before: float | None = None) -> list[Changed]:
        """Who changed what, newest first; `before`: only what was changed before this moment, seconds since 1970."""
        wanted = self._own(select(AUDIT.c.who, AUDIT.c.what, AUDIT.c.detail, AUDIT.c.at), AUDIT)
        with self._connection() as connection:
            rows = connection.execute(_newest(wanted, AUDIT.c.at, AUDIT.c.id, limit, before))
            return [Changed(row.who, row.what, dict(row.detail), row.at) for row in rows]

    def states(self, limit: int = 100, before: float | None = None) -> list[StateChanged]:
        """The states that the station went into, newest first; see `audits`."""
        wanted = self._own(select(STATES.c.state, STATES.c.why, STATES.c.at), STATES)
        with self._connection() as connection:
            rows = connection.execute(_newest(wanted, STATES.c.at, STATES.c.id, limit, before))
            return [StateChanged(StationState(row.state), row.why, row.at) for row in rows]

    def rates(self, since: float, bucket_s: float) -> list[Rate]:
        """Counts by camera and stretch of `bucket_s` seconds, oldest first: the newest `MOST` at most."""
        length = max(1.0, float(bucket_s))
        whole = FRAMES.c.timestamp / length
        # SQLite has no floor and its cast cuts off, which is the same from 1970 on; PostgreSQL's cast rounds.
        bucket = cast(whole, Integer) if self._database.is_sqlite else func.floor(whole)
        labelled = bucket.label("bucket")
        wanted = self._own(
            select(
                labelled,
                FRAMES.c.camera,
                func.count().label("frames"),
                func.sum(case((FRAMES.c.verdict == Verdict.REJECT.value, 1), else_=0)).label("rejected"),
                func.sum(case((FRAMES.c.suppressed, 1), else_=0)).label("suppressed"),
            ),
            FRAMES,
        )
        wanted = wanted.where(FRAMES.c.timestamp >= since).group_by(labelled, FRAMES.c.camera)
        wanted = wanted.order_by(labelled.desc(), FRAMES.c.camera).limit(MOST)
        with self._connection() as connection:
            rows = connection.execute(wanted).all()
        return [
            Rate(float(row.bucket * length), row.camera, int(row.frames), int(row.rejected), int(row.suppressed))
            for row in reversed(rows)
        ]

    def _own(self, wanted: Select[Any], table: Table) -> Select[Any]:
        return wanted if self._station is None else wanted.where(table.c.station == self._station)

    def _where(self, wanted: Select[Any], query: Query) -> Select[Any]:
        return (wanted if query.station is not None else self._own(wanted, FRAMES)).where(*_narrowing(query))

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._database.reading() as connection:
                yield connection
        except DatabaseDamaged as error:
            self._on_damage()
            raise _unreadable(error, "a database that is damaged") from None
        except DatabaseAway as error:
            raise _unreadable(error, "no answer") from None


def _unreadable(error: Exception, found: str) -> NandEdgeError:
    return NandEdgeError(
        "the history",
        found=f"{found} ({error})",
        needed="a database that answers",
        do="wait a moment and try again, or look after the database; new records are kept in the journal meanwhile",
    )


def _is(key: FrameKey) -> ColumnElement[bool]:
    return and_(FRAMES.c.run == key.run, FRAMES.c.camera == key.camera, FRAMES.c.number == key.number)


def _can_be(key: FrameKey) -> bool:
    """Whether a record can have this key, however strange what somebody typed is."""
    return 0 <= key.number <= _LARGEST and _can_be_kept(key.run) and _can_be_kept(key.camera)


def _can_be_kept(text: str | None) -> bool:
    """Whether a record can have this text: neither NUL nor half a character comes into the database."""
    return text is None or ("\0" not in text and text == text.encode("utf-8", "replace").decode("utf-8"))


def _narrowing(query: Query) -> list[ColumnElement[bool]]:
    texts = (query.camera, query.run, query.station, query.name)
    if not all(map(_can_be_kept, texts)) or (query.before is not None and not _can_be(query.before)):
        return [false()]
    narrowing: list[ColumnElement[bool]] = []
    equal = (
        (FRAMES.c.camera, query.camera),
        (FRAMES.c.verdict, None if query.verdict is None else query.verdict.value),
        (FRAMES.c.reason, None if query.reason is None else query.reason.value),
        (FRAMES.c.suppressed, query.suppressed),
        (FRAMES.c.run, query.run),
        (FRAMES.c.station, query.station),
    )
    narrowing += [column == value for column, value in equal if value is not None]
    bounds = ((FRAMES.c.timestamp, query.since), (FRAMES.c.score, query.lowest_score))
    narrowing += [column >= value for column, value in bounds if _is_number(value)]
    if _is_number(query.until):
        narrowing.append(FRAMES.c.timestamp < query.until)
    if _is_number(query.highest_score):
        narrowing.append(FRAMES.c.score <= query.highest_score)
    if query.name:
        narrowing.append(FRAMES.c.name.icontains(query.name, autoescape=True))
    if query.before is not None:
        narrowing.append(FRAMES.c.id < select(FRAMES.c.id).where(_is(query.before)).scalar_subquery())
    return narrowing


def _is_number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _newest(
    wanted: Select[Any], at: ColumnElement[float], order: ColumnElement[int], limit: int, before: float | None
) -> Select[Any]:
    if before is not None:
        wanted = wanted.where(at < before)
    return wanted.order_by(at.desc(), order.desc()).limit(max(0, min(limit, MOST)))
