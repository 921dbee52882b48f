"""The history of a station: journal, database and pictures behind one door."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nand_edge_runtime.history.database import Database, DatabaseAway, DatabaseDamaged
from nand_edge_runtime.history.journal import Journal
from nand_edge_runtime.history.keeper import Keeper
from nand_edge_runtime.history.lately import lately_entered
from nand_edge_runtime.history.picture_files import PictureFiles
from nand_edge_runtime.history.pictures import PictureWriter
from nand_edge_runtime.history.reading import Reader
from nand_edge_runtime.history.settings import HistorySettings
from nand_edge_runtime.history.store import Store
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Changed, Decided, Hub, PartChanged, StateChanged
from nand_edge_runtime.station.states import PartState, PartStatus

_LOG = logging.getLogger(__name__)

FOLDER = "history"
JOURNAL_FOLDER = "journal"
PICTURES_FOLDER = "pictures"

_TELL_EVERY_S = 1.0
_POLL_S = 0.02
_LATELY = 1000


class History(Reader):
    """Every frame that entered is on record exactly once, whatever is killed, full, locked, damaged or away.

    Facts go to the journal first, in the calling thread; a thread takes them over into the database, another writes
    pictures. No method for facts raises.

    Args:
        settings: What is kept, where, and how long.
        folder: The station's state folder.
        hub: Told when the history stumbles and when it is well again.
        station: The station's name.
        run: This run's identity.

    Raises:
        NandEdgeError: The database's password or package is missing.
    """

    def __init__(self, settings: HistorySettings, *, folder: Path, hub: Hub, station: str, run: str) -> None:
        self._folder = folder / FOLDER
        self._hub, self._run_identity = hub, run
        self._journal = Journal(self._folder / JOURNAL_FOLDER, backlog_bytes=settings.backlog_megabytes << 20)
        self._records = Database(settings, self._folder)
        self._files = PictureFiles(self._folder / PICTURES_FOLDER)
        self._keeper = Keeper(
            self._journal,
            self._records,
            lambda: Store(self._records, journal=self._journal.identity, station=station, folder=self._folder),
            settings,
            station=station,
            on_change=self._publish,
        )
        self._writer = PictureWriter(self._files, settings, records_bytes=self._records_bytes, on_change=self._publish)
        self._state, self._since = PartState.STARTING, time.time()
        super().__init__(self._records, self._files, station=station, on_damage=self._keeper.suspect)

    def start(self) -> None:
        """Begin a run; frames of earlier ones that have no verdict become rejects as soon as the database takes them.

        A database that is away, locked or damaged is no reason not to start.

        Raises:
            NandEdgeError: The state folder cannot be written, or the database is of a newer version.
        """
        self._journal.open(self._run_identity)
        # The keeper meets what is away or damaged again, and deals with it.
        with suppress(DatabaseAway, DatabaseDamaged):
            self._records.prepare()
        self._state = PartState.RUNNING
        self._keeper.start()
        self._writer.start()

    def lately_entered(self, camera: str) -> list[tuple[str, int | None]]:
        """Name and device timestamp of a camera's last frames of earlier runs, to be asked for before `start`."""
        return lately_entered(self._folder / JOURNAL_FOLDER, camera, _LATELY)

    def entered(self, frame: CameraFrame) -> None:
        """Write down that a frame entered."""
        with self._harmless():
            self._journal.entered(frame)

    def decided(self, decided: Decided) -> None:
        """Write down a verdict, and keep the picture if it deserves that."""
        with self._harmless():
            self._journal.decided(decided.record)
        with self._harmless():
            self._writer.offer(decided)

    def audit(self, changed: Changed) -> None:
        """Write down that somebody changed something."""
        with self._harmless():
            self._journal.audit(changed)

    def state(self, changed: StateChanged) -> None:
        """Write down that the station went into another state."""
        with self._harmless():
            self._journal.state(changed)

    def stop(self, timeout_s: float) -> None:
        """End within this time; what the database lacks then is taken over at the next start."""
        until = time.monotonic() + timeout_s
        self._journal.close()
        self._keeper.stop(timeout_s)
        self._writer.stop(max(until - time.monotonic(), 0.0))
        self._state, self._since = PartState.STOPPED, time.time()

    def flushed(self, timeout_s: float) -> bool:
        """Wait until the database has all that was written down so far, and say whether it has."""
        until = time.monotonic() + timeout_s
        while self._journal.waiting and time.monotonic() < until:
            self._journal.retry()
            time.sleep(_POLL_S)
        return not self._journal.waiting and self._keeper.reached(
            self._journal.end(), max(until - time.monotonic(), 0.0)
        )

    def pictures_written(self, timeout_s: float) -> bool:
        """Wait until no picture waits to be written, and say whether that is so."""
        return self._writer.idle(timeout_s)

    def status(self) -> PartStatus:
        """How the history is."""
        journal, keeper, writer = self._journal, self._keeper, self._writer
        why = (
            journal.trouble or keeper.trouble or (f"pictures are not kept: {writer.trouble}" if writer.trouble else "")
        )
        state = self._state
        if state is PartState.RUNNING and (journal.trouble or keeper.trouble):
            state = PartState.RECONNECTING
        return PartStatus(
            "history",
            state,
            why,
            self._since,
            {
                "written": journal.written,
                "backlog": keeper.backlog + journal.waiting,
                "lost": journal.lost,
                "refused": keeper.refused,
                "damaged_lines": keeper.damaged,
                "pictures": writer.written,
                "pictures_dropped": writer.dropped,
                "pictures_megabytes": self._files.total_bytes / (1 << 20),
            },
        )

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """Log what nobody foresaw; the record is counted as lost."""
        try:
            yield
        except Exception:  # noqa: BLE001 - trouble with a record must not cost a verdict
            _LOG.exception("the history stumbled over a fact")
            self._journal.lost += 1

    def _records_bytes(self) -> int:
        file = self._records.file
        try:
            return file.stat().st_size if file is not None else 0
        except OSError:
            return 0

    def _publish(self) -> None:
        self._since = time.time()
        self._hub.publish(PartChanged(self.status()))
