"""The store: takes facts of the journal over into the database, each exactly once."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Insert, Table, Update, and_, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError

from nand_edge_runtime.history import facts
from nand_edge_runtime.history.database import Database
from nand_edge_runtime.history.rows import row_of
from nand_edge_runtime.history.segments import Fact, Position
from nand_edge_runtime.history.tables import AUDIT, FRAMES, POSITIONS, STATES, WAITING

_LOG = logging.getLogger(__name__)

_REFUSED_FILE = "refused.jsonl"
_REFUSED_BYTES = 16 << 20

_FAULTS_OF_A_FACT = (DataError, IntegrityError, KeyError, ValueError, TypeError, OverflowError, AttributeError)


class PositionMoved(Exception):  # noqa: N818 - no error: somebody else was first
    """The journal was taken over from this place already."""


@dataclass
class _Rows:
    """What a batch of facts changes."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    entered: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)
    decided: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)


class Store:
    """Rows and the journal's position change in one transaction, so that each fact counts once, whatever ends when.

    Args:
        database: Where.
        journal: The journal's identity.
        station: The station's name.
        folder: Where facts that the database refuses are put aside.
    """

    def __init__(self, database: Database, *, journal: str, station: str, folder: Path) -> None:
        self._database, self._journal, self._station = database, journal, station
        self._refused_file = folder / _REFUSED_FILE
        self.refused = 0
        """Facts that no row could be made of."""

    def position(self) -> Position | None:
        """How far the journal is taken over; None for not at all.

        Raises:
            DatabaseAway, DatabaseDamaged: See there.
        """
        wanted = select(POSITIONS.c.segment, POSITIONS.c.offset).where(POSITIONS.c.journal == self._journal)
        with self._database.writing() as connection:
            found = connection.execute(wanted).one_or_none()
        return None if found is None else Position(found.segment, found.offset)

    def take_over(self, batch: Sequence[Fact], start: Position | None, end: Position) -> None:
        """Write facts that follow each other.

        Args:
            batch: The facts from `start` to `end`.
            start: What `position` says.
            end: What it says afterwards.

        Raises:
            PositionMoved: It says something else by now; nothing was written.
            DatabaseAway, DatabaseDamaged: See there.
        """
        try:
            with self._database.writing() as connection:
                self._move(connection, start, end)
                self._write(connection, batch)
        except _FAULTS_OF_A_FACT as error:
            self._one_by_one(batch, start, end, error)

    def _one_by_one(self, batch: Sequence[Fact], start: Position | None, end: Position, error: Exception) -> None:
        """One fact that the database refuses must not stop all that come after it."""
        if len(batch) <= 1:
            for fact in batch:
                self._put_aside(fact.content, error)
            with self._database.writing() as connection:
                self._move(connection, start, end)
            return
        middle = len(batch) // 2
        self.take_over(batch[:middle], start, batch[middle].at)
        self.take_over(batch[middle:], batch[middle].at, end)

    def _write(self, connection: Connection, batch: Sequence[Fact]) -> None:
        rows = _Rows()
        for fact in batch:
            if fact.content["fact"] == facts.RUN:
                self._flush(connection, rows)
                rows = _Rows()
                self._finish_earlier_runs(connection, str(fact.content["run"]))
            else:
                self._add(rows, fact)
        self._flush(connection, rows)

    def _add(self, rows: _Rows, fact: Fact) -> None:
        content, kind = fact.content, fact.content["fact"]
        source = {"station": self._station, "source": f"{self._journal}/{fact.at.segment}:{fact.at.offset}"}
        if kind == facts.ENTERED:
            rows.entered[_key(content)] = content
        elif kind == facts.DECIDED:
            rows.frames.append(row_of(facts.record_of(content), self._station))
            if rows.entered.pop(_key(content), None) is None:
                rows.decided.append(dict(zip(("b_run", "b_camera", "b_number"), _key(content), strict=True)))
        elif kind == facts.AUDIT:
            rows.audit.append(source | {name: content[name] for name in ("at", "who", "what", "detail")})
        elif kind == facts.STATE:
            rows.states.append(source | {name: content[name] for name in ("at", "state", "why")})
        else:
            raise ValueError(f"no fact of kind {kind!r}")

    def _flush(self, connection: Connection, rows: _Rows) -> None:
        _insert(connection, FRAMES, rows.frames)
        _insert(connection, AUDIT, rows.audit)
        _insert(connection, STATES, rows.states)
        waiting = [
            {"journal": self._journal, "run": run, "camera": camera, "number": number, "entered": content}
            for (run, camera, number), content in rows.entered.items()
        ]
        _insert(connection, WAITING, waiting)
        if rows.decided:
            these = and_(
                WAITING.c.journal == self._journal,
                WAITING.c.run == bindparam("b_run"),
                WAITING.c.camera == bindparam("b_camera"),
                WAITING.c.number == bindparam("b_number"),
            )
            connection.execute(delete(WAITING).where(these), rows.decided)

    def _finish_earlier_runs(self, connection: Connection, run: str) -> None:
        """Frames that entered in a run that ended without their verdict are rejects, now that another run began."""
        these = and_(WAITING.c.journal == self._journal, WAITING.c.run != run)
        waiting = connection.execute(select(WAITING.c.entered).where(these)).scalars().all()
        _insert(connection, FRAMES, [row for entered in waiting if (row := self._killed_row(entered)) is not None])
        connection.execute(delete(WAITING).where(these))
        if waiting:
            _LOG.warning("%d frames of an earlier run had no verdict when it ended: they are rejects", len(waiting))

    def _killed_row(self, entered: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return row_of(facts.killed(entered), self._station)
        except _FAULTS_OF_A_FACT as error:
            self._put_aside(entered, error)
            return None

    def _move(self, connection: Connection, start: Position | None, end: Position) -> None:
        if start is None:
            values = {"journal": self._journal, "segment": end.segment, "offset": end.offset}
            change: Insert | Update = _inserting(connection, POSITIONS).values(**values)
        else:
            from_here = and_(
                POSITIONS.c.journal == self._journal,
                POSITIONS.c.segment == start.segment,
                POSITIONS.c.offset == start.offset,
            )
            change = update(POSITIONS).where(from_here).values(segment=end.segment, offset=end.offset)
        moved = connection.execute(change.execution_options(preserve_rowcount=True)).rowcount
        if moved != 1:
            raise PositionMoved

    def _put_aside(self, fact: dict[str, Any], error: Exception) -> None:
        self.refused += 1
        _LOG.error("a fact cannot be written to the database (%s); it is put aside in %s", type(error).__name__,
                   self._refused_file.name)  # fmt: skip
        try:
            if not self._refused_file.exists() or self._refused_file.stat().st_size < _REFUSED_BYTES:
                with self._refused_file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(fact) + "\n")
        except OSError as fault:
            _LOG.error("nor can it be put aside (%s)", fault.strerror)


def _key(content: dict[str, Any]) -> tuple[str, str, int]:
    return content["run"], content["camera"], int(content["number"])


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, those left out that are there already."""
    if rows:
        connection.execute(_inserting(connection, table), rows)


def _inserting(connection: Connection, table: Table) -> Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
