"""How long records are kept."""

from __future__ import annotations

import logging

from sqlalchemy import ColumnElement, Select, Table, delete, select, true

from nand_edge_runtime.history.clock import WallClock
from nand_edge_runtime.history.database import Database
from nand_edge_runtime.history.settings import HistorySettings
from nand_edge_runtime.history.tables import AUDIT, FRAMES, STATES

_LOG = logging.getLogger(__name__)

_DAY_S = 86400.0
_AT_A_TIME = 500
_PAGES_AT_A_TIME = 4096
_MOST_TURNS = 200
"""So that the journal gets its turn between; the next round goes on."""


def remove_old_records(database: Database, settings: HistorySettings, clock: WallClock, *, station: str) -> int:
    """Remove records that are too old, or the oldest ones of a SQLite file that is too large, and say how many.

    Raises:
        DatabaseAway, DatabaseDamaged: See there.
    """
    removed = 0
    if clock.may_judge_age():
        before = clock.now() - settings.records_days * _DAY_S
        removed += sum(
            _remove_before(database, table, _of(station, table, database) & (table.c[column] < before))
            for table, column in _TIMED
        )
    for _ in range(_MOST_TURNS):
        if database.used_bytes() <= settings.megabytes << 20:
            break
        removed += (some := _remove(database, FRAMES, select(FRAMES.c.id).order_by(FRAMES.c.id)))
        if not some:
            break
    if removed:
        _LOG.info("removed %d old records", removed)
        database.give_back(_PAGES_AT_A_TIME)
    return removed


_TIMED = ((FRAMES, "timestamp"), (AUDIT, "at"), (STATES, "at"))


def _of(station: str, table: Table, database: Database) -> ColumnElement[bool]:
    """On a server each station looks after its own; a file is one station's, whatever its name was before."""
    return true() if database.is_sqlite else table.c.station == station


def _remove_before(database: Database, table: Table, old: ColumnElement[bool]) -> int:
    removed = 0
    for _ in range(_MOST_TURNS):
        some = _remove(database, table, select(table.c.id).where(old))
        removed += some
        if some < _AT_A_TIME:
            break
    return removed


def _remove(database: Database, table: Table, which: Select[tuple[int]]) -> int:
    oldest = which.limit(_AT_A_TIME).scalar_subquery()
    with database.writing() as connection:
        return connection.execute(delete(table).where(table.c.id.in_(oldest))).rowcount
