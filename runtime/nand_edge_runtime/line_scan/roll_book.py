"""The roll book: listens to the verdicts of line-scan cameras and keeps a map of every roll, in a thread of its own."""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection, Verdict, decide
from nand_edge_runtime.line_scan.open_roll import OpenRoll
from nand_edge_runtime.line_scan.place import TilePlace
from nand_edge_runtime.line_scan.roll_file import SUFFIX, Header, RollFile, bytes_of, read_header, remove
from nand_edge_runtime.line_scan.settings import LineScanSettings
from nand_edge_runtime.station.hub import Decided, Event, Hub, PartChanged
from nand_edge_runtime.station.records import FrameRecord
from nand_edge_runtime.station.states import PartState, PartStatus

_LOG = logging.getLogger(__name__)

FOLDER = "rolls"

_WAITING_MOST = 4096
_WITH_MAPS_MOST = 64
_WRITE_EVERY_S = 0.5
_STOP_S = 0.4
_AT_ONCE = 16
"""Verdicts between two looks at the clock."""
_NAME_MOST = 200


@dataclass(frozen=True)
class _Told:
    """What is needed of a verdict; the inspection only where it may have regions, for its maps are large.

    Attributes:
        unseen: Whether it may have regions, and too many maps wait already.
    """

    record: FrameRecord
    inspection: Inspection | None
    unseen: bool = False


class RollBook:
    """Keeps the maps of rolls in `FOLDER` of the state folder, one file a roll.

    A roll begins by itself with the first tile of a run, or of what comes after `end_roll`.

    Args:
        cameras: The line-scan cameras by name.
        folder: The station's state folder.
        hub: Tells of verdicts, and is told when the disk takes nothing.
    """

    def __init__(self, cameras: Mapping[str, LineScanSettings], folder: Path, hub: Hub) -> None:
        self._cameras, self._folder, self._hub = dict(cameras), folder / FOLDER, hub
        self._rolls: dict[str, OpenRoll] = {}
        self._waiting: deque[_Told] = deque()
        self._with_maps = 0
        self._missed: Counter[str] = Counter()
        self._queue_lock, self._rolls_lock = threading.Lock(), threading.Lock()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._since, self._trouble = time.time(), ""
        self._thread = threading.Thread(target=self._run, name="rolls", daemon=True)
        self.dropped = 0
        """Verdicts that came faster than they could be taken in; their stretches are on the map as not told."""

    def start(self) -> None:
        """Begin to listen; rolls that were cut short by the end of the station are closed."""
        for camera in self._cameras:
            for path in roll_files(self._folder.parent, camera):
                _close_cut_short(path)
        self._hub.listen(self._put)
        self._thread.start()

    def stop(self) -> None:
        """Take in what waits, as far as the time goes, and end the rolls."""
        self._hub.forget(self._put)
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def begin_roll(self, camera: str, name: str) -> None:
        """End the camera's roll, if there is one, and begin another; what is decided from now on belongs to it.

        Raises:
            NandEdgeError: There is no such line-scan camera, the name is empty or too long, or the disk takes no file.
        """
        self._require(camera)
        if not name.strip() or len(name) > _NAME_MOST or not name.isprintable():
            raise NandEdgeError(
                f"roll {name[:80]!r}",
                found="no name that can be printed",
                needed=f"1 to {_NAME_MOST} printable characters",
                do="give the roll another name",
            )
        with self._rolls_lock:
            self._take_in(_WAITING_MOST)
            self._end(camera)
            try:
                self._begin(camera, name.strip())
            except (OSError, sqlite3.Error) as error:
                raise NandEdgeError(
                    f"roll {name[:80]!r}",
                    found=f"a file that cannot be made ({type(error).__name__})",
                    needed="room on the disk, and a state folder that can be written",
                    do="look after the disk; until then tiles are on record in the history alone",
                ) from None

    def end_roll(self, camera: str) -> None:
        """End the camera's roll; the next tile begins another one.

        Raises:
            NandEdgeError: There is no such line-scan camera.
        """
        self._require(camera)
        with self._rolls_lock:
            self._take_in(_WAITING_MOST)
            self._end(camera)

    def current(self, camera: str) -> str | None:
        """The name of the camera's roll; None when none has begun."""
        roll = self._rolls.get(camera)
        return None if roll is None else roll.name

    def status(self) -> PartStatus:
        """The roll book as a part of the station."""
        facts = {"waiting": float(len(self._waiting)), "dropped": float(self.dropped)}
        facts["tiles"] = float(sum(roll.tiles for roll in list(self._rolls.values())))
        state = PartState.FAILED if self._trouble else PartState.RUNNING
        return PartStatus("rolls", state, self._trouble, self._since, facts)

    def _put(self, event: Event) -> None:
        """Take a verdict over from the thread that publishes it, within microseconds."""
        if not isinstance(event, Decided) or event.record.key.camera not in self._cameras:
            return
        inspection = event.inspection
        if inspection is not None and _has_nothing(event.record, inspection):
            inspection = None
        with self._queue_lock:
            if len(self._waiting) >= _WAITING_MOST:
                self.dropped += 1
                self._missed[event.record.key.camera] += 1
                return
            unseen = inspection is not None and self._with_maps >= _WITH_MAPS_MOST
            self.dropped += unseen
            self._waiting.append(_Told(event.record, None if unseen else inspection, unseen))
            self._with_maps += inspection is not None and not unseen
        self._wake.set()

    def _run(self) -> None:
        written = time.monotonic()
        while not self._stopping.is_set():
            if not self._waiting:
                self._wake.wait(_WRITE_EVERY_S)
                self._wake.clear()
            with self._rolls_lock:
                self._take_in(_AT_ONCE)
                if time.monotonic() - written >= _WRITE_EVERY_S:
                    self._write()
                    written = time.monotonic()
        with self._rolls_lock:
            until = time.monotonic() + _STOP_S / 2
            while self._waiting and time.monotonic() < until:
                self._take_in(_AT_ONCE)
            self._give_up_waiting()
            for camera in list(self._rolls):
                self._end(camera)

    def _give_up_waiting(self) -> None:
        """Have the rolls say how many verdicts they did not hear of."""
        with self._queue_lock:
            self.dropped += len(self._waiting)
            missed = self._missed + Counter(told.record.key.camera for told in self._waiting)
            self._waiting.clear()
            self._missed.clear()
        for camera, count in missed.items():
            if camera in self._rolls:
                self._rolls[camera].untold(count)

    def _take_in(self, most: int) -> None:
        """Take in verdicts that wait."""
        for _ in range(most):
            with self._queue_lock:
                if not self._waiting:
                    return
                told = self._waiting.popleft()
                self._with_maps -= told.inspection is not None
                missed = self._missed.pop(told.record.key.camera, 0)
            try:
                self._tell_roll(told, missed)
            except Exception:  # noqa: BLE001 - what nobody foresaw in one tile must not end the map
                _LOG.exception("a verdict could not be taken into the map of its roll")

    def _tell_roll(self, told: _Told, missed: int) -> None:
        place = TilePlace.of(told.record.name)
        if place is None:
            return
        roll = self._roll(told.record.key.camera)
        if roll is None:
            self.dropped += 1
            return
        roll.untold(missed)
        roll.tell(told.record, place, told.inspection, unseen=told.unseen)

    def _roll(self, camera: str) -> OpenRoll | None:
        """The camera's roll, begun if need be; None while the disk takes no file."""
        roll = self._rolls.get(camera)
        if roll is None:
            try:
                roll = self._begin(camera, time.strftime("%Y-%m-%d %H:%M:%S"))
            except (OSError, sqlite3.Error) as error:
                self._tell(f"no map of camera {camera!r} can be begun ({type(error).__name__})")
        return roll

    def _begin(self, camera: str, name: str) -> OpenRoll:
        settings, now = self._cameras[camera], time.time()
        moment = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{int(now % 1 * 1e6):06d}"
        file = f"{moment}-{secrets.token_hex(2)}{SUFFIX}"
        header = Header(camera, name, now, now, None, settings.model_dump(mode="json"))
        _make_room(roll_files(self._folder.parent, camera), settings)
        roll = OpenRoll(self._folder / quote(camera, safe="") / file, header, settings)
        self._rolls[camera] = roll
        return roll

    def _end(self, camera: str) -> None:
        roll = self._rolls.pop(camera, None)
        if roll is None:
            return
        roll.end(time.time())
        if not roll.tiles and not roll.trouble:
            _quietly_remove(roll.path)

    def _write(self) -> None:
        now = time.time()
        for roll in self._rolls.values():
            roll.write_changes(now)
        troubles = [roll.trouble for roll in self._rolls.values() if roll.trouble]
        self._tell(f"the map of a roll cannot be written ({troubles[0]})" if troubles else "")

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble, self._since = trouble, time.time()
            self._hub.publish(PartChanged(self.status()))

    def _require(self, camera: str) -> None:
        if camera not in self._cameras:
            raise NandEdgeError(
                f"camera {camera[:80]!r}",
                found="no line-scan camera of that name",
                needed=f"one of {', '.join(self._cameras) or 'none'}",
                do="correct the name, or give the camera a table line_scan in the settings",
            )


def roll_files(state_folder: Path, camera: str | None = None) -> list[Path]:
    """The files of a camera's rolls, or of all cameras', oldest first."""
    folder = state_folder / FOLDER
    try:
        folders = [each for each in folder.iterdir() if camera is None or unquote(each.name) == camera]
        files = [
            path for each in folders if each.is_dir() and not each.is_symlink() for path in each.glob(f"*{SUFFIX}")
        ]
    except OSError:
        return []
    return sorted(files, key=lambda path: path.name)


def _has_nothing(record: FrameRecord, inspection: Inspection) -> bool:
    """Whether neither map reaches the threshold."""
    return record.verdict is Verdict.PASS and decide(inspection.base_score, inspection.threshold) is Verdict.PASS


def _make_room(files: list[Path], settings: LineScanSettings) -> None:
    """Remove the oldest rolls until the rest, and one more, are what is kept."""
    sizes = {path: bytes_of(path) for path in files}
    total = sum(sizes.values())
    for removed, path in enumerate(files):
        if len(files) - removed < settings.rolls_kept and total <= settings.rolls_megabytes << 20:
            return
        _quietly_remove(path)
        total -= sizes[path]


def _close_cut_short(path: Path) -> None:
    """End a roll whose station ended before it."""
    try:
        if read_header(path).ended is None:
            RollFile(path).end(None)
    except (NandEdgeError, OSError, sqlite3.Error) as error:
        _LOG.warning("%s", error)


def _quietly_remove(path: Path) -> None:
    try:
        remove(path)
    except OSError as error:
        _LOG.warning("roll %r cannot be removed (%s)", path.stem, error.strerror)
