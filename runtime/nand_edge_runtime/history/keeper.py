"""The keeper: a thread that takes the journal over into the database, waits where it is away and mends what it can."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.history import segments
from nand_edge_runtime.history.clock import WallClock
from nand_edge_runtime.history.database import Database, DatabaseAway, DatabaseDamaged
from nand_edge_runtime.history.journal import Journal
from nand_edge_runtime.history.retention import remove_old_records
from nand_edge_runtime.history.segments import Position
from nand_edge_runtime.history.settings import HistorySettings
from nand_edge_runtime.history.store import PositionMoved, Store
from nand_edge_runtime.station.hub import Changed

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 2.0
_TIDY_EVERY_S = 60.0


class Keeper:
    """Takes over, from where the database says that it is, until there is no more; then waits a moment.

    Args:
        journal: What is taken over.
        database: Where to.
        store: Writes it.
        settings: How often, and how much is kept.
        station: Whose records are removed when they are old.
        on_change: Called when `trouble` changes.
        clock: Says how old records are.
    """

    def __init__(
        self,
        journal: Journal,
        database: Database,
        store: Callable[[], Store],
        settings: HistorySettings,
        *,
        station: str,
        on_change: Callable[[], None],
        clock: WallClock | None = None,
    ) -> None:
        self._journal, self._database, self._make_store = journal, database, store
        self._settings, self._on_change, self._clock = settings, on_change, clock or WallClock()
        self._station = station
        self._store: Store | None = None
        self._known = False
        self._position: Position | None = None
        self._wake, self._stopping, self._suspected = threading.Event(), threading.Event(), threading.Event()
        self._taken = threading.Condition()
        self._reached: Position | None = None
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._tidy_at = time.monotonic()  # at once: a station that often starts anew tidies too
        self._ahead = 0
        self._told = ("", "")
        self.damaged = 0
        """Lines of the journal that could not be read."""
        self.trouble = ""
        """Why the database does not take facts now; empty when all is well."""

    @property
    def backlog(self) -> int:
        """Facts in the journal that the database lacks; only those of this run until the database has answered."""
        return max(self._ahead + self._journal.written, 0)

    @property
    def refused(self) -> int:
        """Facts that the database does not take at all."""
        return self._store.refused if self._store is not None else 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Take over once more, as far as the time goes."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._database.close()

    def suspect(self) -> None:
        """Say that a reader found the SQLite file damaged."""
        self._suspected.set()
        self._wake.set()

    def reached(self, end: Position, timeout_s: float) -> bool:
        """Wait until the database has everything up to this place, and say whether it has."""
        self._wake.set()
        with self._taken:
            return self._taken.wait_for(lambda: self._reached is not None and self._reached >= end, timeout_s)

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            is_last = self._stopping.is_set()
            trouble = self._turn()
            self._tell(trouble)
            if is_last:
                return
            pause = min(pause * 2, _LONGEST_PAUSE_S) if trouble else _FIRST_PAUSE_S
            self._wake.wait(pause if trouble else self._settings.write_every_s)
            self._wake.clear()

    def _turn(self) -> str:
        """Do what is to do, and say what prevents it."""
        try:
            self._journal.retry()
            self._journal.prepare()
            # Before the database: it must never be ahead of what a power cut leaves of the journal.
            self._journal.sync()
            self._take_over()
            self._tidy()
        except DatabaseDamaged as error:
            self._known = False
            return self._begin_anew(str(error))
        except (DatabaseAway, PositionMoved) as error:
            self._known = False
            return str(error) or "another process writes to the same history"
        except OSError as error:
            return f"the journal cannot be read ({error.strerror})"
        except NandEdgeError as error:
            self._known = False
            return str(error)
        except Exception as error:  # noqa: BLE001 - what nobody foresaw must not end the taking over
            self._known = False
            _LOG.exception("the history stumbled; it tries again")
            return f"unexpected {type(error).__name__}"
        return ""

    def _take_over(self) -> None:
        if self._suspected.is_set():
            self._suspected.clear()
            if not self._database.is_sound():
                raise DatabaseDamaged("a reader found it damaged")
        if not self._database.is_in_place():
            with self._database.left():
                pass  # the new file is made when it is next written to
            self._journal.audit(Changed("station", "began a new database: the file of the old one was removed"))
            raise DatabaseAway("its file was removed; a new one is filled from the journal")
        if not self._known:
            self._database.prepare()
            self._store = self._store or self._make_store()
            position = self._store.position()
            if position is None or position != self._position:
                written = self._journal.mark()[1]
                self._ahead = segments.lines_after(self._journal.folder, position) - written
            self._position, self._known = position, True
        more = True
        while more:
            more = self._take_some()

    def _take_some(self) -> bool:
        store, (written, count) = self._store, self._journal.mark()
        if store is None or not written.segment:
            return False  # a full disk: the journal has no segment yet
        start = segments.first(self._journal.folder, self._position, written.segment)
        batch = segments.read(self._journal.folder, start, written)
        if batch.end != self._position:
            store.take_over(batch.facts, self._position, batch.end)
            self._position = batch.end
        self._ahead = self._ahead - len(batch.facts) if batch.more else -count
        if batch.damaged:
            self.damaged += batch.damaged
            _LOG.error("%d lines of the journal are damaged and left out", batch.damaged)
        with self._taken:
            self._reached = batch.end
            self._taken.notify_all()
        return batch.more

    def _tidy(self) -> None:
        if self._position is not None:
            self._journal.forget(self._position.segment, self._settings.journal_megabytes << 20)
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + _TIDY_EVERY_S
            remove_old_records(self._database, self._settings, self._clock, station=self._station)

    def _begin_anew(self, said: str) -> str:
        """Put a damaged file aside and fill a new one with what the journal still has."""
        try:
            aside = self._database.put_aside()
        except DatabaseAway as error:
            return f"the database is damaged ({said}), and {error}"
        _LOG.error("the history's database is damaged (%s); it is put aside as %s", said, aside.name)
        what = f"put a damaged database aside as {aside.name!r} and filled a new one from the journal"
        self._journal.audit(Changed("station", what, {"fault": said}))
        self._wake.set()
        return f"the database was damaged ({said})"

    def _tell(self, trouble: str) -> None:
        if trouble and not self.trouble:
            _LOG.error("the history does not reach its database: %s; records wait in the journal", trouble)
        elif self.trouble and not trouble:
            _LOG.info("the history reaches its database again")
        self.trouble = trouble
        told, self._told = self._told, (trouble, self._journal.trouble)
        if told != self._told:
            self._on_change()
