"""A hot folder as a camera: images that another program lays down, each taken once, also over a restart."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Collection
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.arrivals import Arrival, Arrivals, Identity
from nand_edge_runtime.cameras.image_files import take_file
from nand_edge_runtime.cameras.protocol import BLACK_PIXEL, Camera, CameraError, Recorded, Taken, showable
from nand_edge_runtime.cameras.settings import CameraSettings, DeadlineFrom
from nand_edge_runtime.cameras.taken_files import TakenFiles, taken_files

_LOG = logging.getLogger(__name__)

_LOOK_S = 0.02
_LOOK_SHARE = 0.1
"""How often the folder is looked at; where a look takes long, looking takes at most this share of the time."""

_AFTER_S = 2.0

_LATE = "its deadline came while it waited in the hot folder"


class HotFolderCamera(Camera):
    """Takes each image when it was written to its end; one that never becomes an image is a frame with the fault.

    A file is put away when its frame is on record. Whatever ends the station before that leaves the file where it is,
    and it is taken at the next start: none is lost. One that was on record already, and was not put away any more, is
    known by its name and its time, and is put away untaken: none is doubled.

    A thread of its own looks at the folder and puts files away, since both may take long on a network drive.

    Args:
        settings: `source` is the folder.
    """

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(settings)
        self._folder = Path(settings.source)
        self._lock = threading.Lock()
        self._ready: deque[tuple[Arrival, float]] = deque()
        self._is_ready = threading.Event()
        self._held: dict[str, Arrival] = {}
        self._entered: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._of_earlier_runs: set[Recorded] = set()
        self._watch: threading.Thread | None = None
        self._closing = threading.Event()
        self._fault = ""

    def open(self) -> None:
        """Begin to watch the folder.

        Raises:
            CameraError: There is no such folder, or it cannot be used.
        """
        self.close()
        if not self._folder.is_dir():
            raise CameraError(f"there is no folder {str(self._folder)!r}")
        try:
            files = taken_files(self.settings, self._folder)
        except (OSError, NandEdgeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise CameraError(f"hot folder {str(self._folder)!r} cannot be used: {why}") from None
        self._closing, self._fault = threading.Event(), ""
        self._watch = threading.Thread(
            target=self._look_after, args=(files, self._closing), name="hot folder", daemon=True
        )
        self._watch.start()

    def read(self, timeout_s: float) -> Taken | None:
        """The next file that lies there whole; see `Camera`."""
        if self._fault or self._watch is None:
            raise CameraError(self._fault or "it is closed")
        if not self._is_ready.wait(timeout_s):
            return None
        with self._lock:
            arrival, ready = self._ready.popleft()
            if not self._ready:
                self._is_ready.clear()
        path = self._folder / arrival.name
        from_ready = self.settings.deadline_from is DeadlineFrom.READY
        waited_s = time.monotonic() - ready
        if from_ready and waited_s > self.settings.deadline_ms / 1e3:
            # Decoding it would only make those behind it late as well.
            wall = time.time() - waited_s
            return Taken(BLACK_PIXEL, str(path), ready, wall, arrival.identity[1], fault=_LATE)
        taken = take_file(path, self.settings.max_megapixels, ready if from_ready else None)
        if taken.fault and not self._is_hopeless(arrival):
            with self._lock:
                self._held.pop(self._frame_name(arrival), None)
            return None
        return taken

    def close(self) -> None:
        """Watch no more; what is put on record within the next moments is still put away."""
        with self._lock:
            self._watch = None
            self._closing.set()
            # What waits was not taken; it is found again.
            for arrival, _ in self._ready:
                self._held.pop(self._frame_name(arrival), None)
            self._ready.clear()
            self._is_ready.clear()

    def entered(self, name: str) -> None:
        """Put the file away, now that its frame is on record."""
        self._entered.put(name)

    def recorded(self, frames: Collection[Recorded]) -> None:
        """What the run before put on record just before it was killed need not be taken again."""
        self._of_earlier_runs = set(frames)

    def _frame_name(self, arrival: Arrival) -> str:
        """What the frame of a file is called."""
        return showable(str(self._folder / arrival.name))

    def _is_hopeless(self, arrival: Arrival) -> bool:
        """Whether a file that is no image has had its time to become one."""
        unchanged_s = time.monotonic() - arrival.changed
        return unchanged_s >= (self.settings.settle_s if arrival.is_whole else self.settings.give_up_s)

    def _look_after(self, files: TakenFiles, closing: threading.Event) -> None:
        arrivals = Arrivals(self._folder, self.settings.settle_s)
        next_look = time.monotonic()
        while not closing.is_set():
            try:
                self._put_recorded_away(files, wait_s=max(next_look - time.monotonic(), 0.0))
                started = time.monotonic()
                if started < next_look:
                    continue
                self._look(arrivals, files, closing)
            except Exception as error:  # noqa: BLE001 - whatever it is, the folder is opened again
                why = getattr(error, "strerror", None) or type(error).__name__
                self._fault = f"hot folder {str(self._folder)!r} cannot be read: {why}"
                return
            ended = time.monotonic()
            next_look = max(started + _LOOK_S, ended + (ended - started) / _LOOK_SHARE)
        # A station that stops puts its last frames on record after it has stopped its cameras.
        until = time.monotonic() + _AFTER_S
        while time.monotonic() < until:
            self._put_recorded_away(files, wait_s=_LOOK_S)

    def _look(self, arrivals: Arrivals, files: TakenFiles, closing: threading.Event) -> None:
        with self._lock:
            held = {arrival.name for arrival in self._held.values()}
        there: set[str] = set()

        def is_left_out(name: str, identity: Identity) -> bool:
            there.add(name)
            return name in held or files.was_taken(name, identity)

        ready = [arrival for arrival in arrivals.ready(is_left_out) if not self._is_of_an_earlier_run(arrival, files)]
        files.forget_missing(there)
        now = time.monotonic()
        with self._lock:
            if ready and not closing.is_set():
                self._held.update((self._frame_name(arrival), arrival) for arrival in ready)
                self._ready.extend((arrival, now) for arrival in ready)
                self._is_ready.set()

    def _is_of_an_earlier_run(self, arrival: Arrival, files: TakenFiles) -> bool:
        """Put a file away whose frame is on record since before the start."""
        recorded = (self._frame_name(arrival), arrival.identity[1])
        if recorded not in self._of_earlier_runs:
            return False
        self._of_earlier_runs.discard(recorded)
        _LOG.info("%s is on record since before the start, and is put away", recorded[0])
        files.put_away(arrival.name, arrival.identity)
        return True

    def _put_recorded_away(self, files: TakenFiles, wait_s: float = 0.0) -> None:
        """Put away the files whose frames are on record, after waiting for the first."""
        while True:
            try:
                name = self._entered.get(timeout=wait_s) if wait_s > 0 else self._entered.get_nowait()
            except queue.Empty:
                return
            wait_s = 0.0
            with self._lock:
                arrival = self._held.get(name)
            if arrival is not None:
                files.put_away(arrival.name, arrival.identity)
                with self._lock:
                    self._held.pop(name, None)
