"""Pictures: the frame and the maps of what deserves a look, written when there is time and removed when old."""

from __future__ import annotations

import functools
import io
import logging
import os
import shutil
import sys
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.history.clock import WallClock
from nand_edge_runtime.history.picture_files import MAPS_SUFFIX, PictureFiles
from nand_edge_runtime.history.settings import HistorySettings, PictureFormat
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Decided
from nand_edge_runtime.station.records import FrameRecord

_LOG = logging.getLogger(__name__)

_TIDY_EVERY_S = 60.0
_TIDY_IN_TROUBLE_S = 2.0
_MEASURE_EVERY_S = 3600.0
_LOW_PRIORITY = 15
_DAY_S = 86400.0
_FOR_EACH_LINE_OF_PIXELS = 1 << 16
_MOST_MAP_PIXELS = 1 << 24
_MAPS = ("anomaly_map", "base_map", "suppression_map")


@dataclass(frozen=True)
class Maps:
    """A frame's maps as they were kept: float32 [M, M] each, to the precision of float16.

    Attributes:
        anomaly_map: The final map.
        base_map: The base detector's.
        suppression_map: In [0, 1].
    """

    anomaly_map: NDArray[np.float32]
    base_map: NDArray[np.float32]
    suppression_map: NDArray[np.float32]


class PictureWriter:
    """A thread that writes pictures, at low priority and from a bounded queue: what finds no room is dropped, counted.

    Args:
        files: Where they go.
        settings: Which frames, in what form, and how long.
        records_bytes: What the records take of the room for both.
        on_change: Called when `trouble` changes.
        clock: Says how old pictures are.
    """

    def __init__(
        self,
        files: PictureFiles,
        settings: HistorySettings,
        *,
        records_bytes: Callable[[], int],
        on_change: Callable[[], None] = lambda: None,
        clock: WallClock | None = None,
    ) -> None:
        self._files, self._settings, self._records_bytes = files, settings, records_bytes
        self._clock, self._on_change = clock or WallClock(), on_change
        self._passes: Counter[str] = Counter()
        self._queue: deque[tuple[Decided, int]] = deque()
        self._queued_bytes = 0
        self._change = threading.Condition()
        self._stopping = False
        self._busy = False
        self._measure_at = 0.0
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self.written = 0
        """Pictures since the start."""
        self.dropped = 0
        """Pictures that should have been kept and were not."""
        self.trouble = ""
        """Why pictures are not written; empty when all is well."""

    def offer(self, decided: Decided) -> None:
        """Keep this frame's picture if the settings want it; returns at once."""
        if not self._wanted(decided.record):
            return
        size = decided.image.nbytes + (0 if decided.inspection is None else 3 * decided.inspection.anomaly_map.nbytes)
        with self._change:
            if self._queued_bytes + size > self._settings.pictures_waiting_megabytes << 20 or self._stopping:
                self.dropped += 1
                return
            self._queue.append((decided, size))
            self._queued_bytes += size
            self._change.notify_all()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Write what waits as far as the time goes."""
        until = time.monotonic() + timeout_s
        with self._change:
            self._stopping = True
            self._change.notify_all()
        if self._thread.ident is not None:
            self._thread.join(max(until - time.monotonic(), 0.0))
        with self._change:
            self.dropped += len(self._queue)
            self._queue.clear()

    def idle(self, timeout_s: float) -> bool:
        """Wait until nothing waits to be written, and say whether that is so."""
        with self._change:
            return self._change.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def _wanted(self, record: FrameRecord) -> bool:
        if record.verdict is Verdict.REJECT:
            return self._settings.picture_rejects
        if record.suppressed and self._settings.picture_suppressed:
            return True
        every = self._settings.picture_passes_every
        self._passes[record.key.camera] += 1
        return every > 0 and (self._passes[record.key.camera] - 1) % every == 0

    def _run(self) -> None:
        _lower_priority()
        tidy_at = 0.0
        while True:
            if time.monotonic() >= tidy_at:
                self._guarded(self._tidy)
                tidy_at = time.monotonic() + (_TIDY_IN_TROUBLE_S if self.trouble else _TIDY_EVERY_S)
            with self._change:
                self._change.wait_for(lambda: self._queue or self._stopping, tidy_at - time.monotonic())
                if not self._queue:
                    if self._stopping:
                        return
                    continue
                decided, size = self._queue.popleft()
                self._busy = True
            written = self._guarded(functools.partial(self._write, decided))
            if not written:
                tidy_at = min(tidy_at, time.monotonic() + _TIDY_IN_TROUBLE_S)
            with self._change:
                self._queued_bytes -= size
                self._busy = False
                self.written += written
                self.dropped += not written
                self._change.notify_all()

    def _guarded(self, action: Callable[[], None]) -> bool:
        """Do it, and say whether it went well; pictures must never end anything."""
        try:
            action()
        except OSError as error:
            self._tell(error.strerror or type(error).__name__)
        except (cv2.error, ValueError, MemoryError) as error:
            self._tell(f"a picture cannot be encoded ({type(error).__name__})")
        else:
            self._tell("")
            return True
        return False

    def _write(self, decided: Decided) -> None:
        record = decided.record
        self._require_room()
        suffix, content = _encoded(decided.image, self._settings)
        self._files.write(self._files.place(record.key, record.timestamp, suffix), content)
        if self._settings.maps and decided.inspection is not None and decided.inspection.has_maps:
            maps = _packed(decided.inspection)
            self._files.write(self._files.place(record.key, record.timestamp, MAPS_SUFFIX), maps)
        limit = self._limit()
        if self._files.total_bytes > limit:
            self._files.shrink(limit - limit // 20)

    def _limit(self) -> int:
        return max((self._settings.megabytes << 20) - self._records_bytes(), 0)

    def _tidy(self) -> None:
        self._files.folder.mkdir(parents=True, exist_ok=True)
        if time.monotonic() >= self._measure_at:
            self._files.measure()
            self._measure_at = time.monotonic() + _MEASURE_EVERY_S
        if self._clock.may_judge_age():
            self._files.remove_before(self._clock.now() - self._settings.pictures_days * _DAY_S)
        self._files.shrink(self._limit())
        self._require_room()

    def _require_room(self) -> None:
        """Leave the records their room, at the cost of the oldest pictures.

        Raises:
            OSError: There is too little without any picture.
        """
        lacking = self._lacking()
        if lacking > 0:
            self._files.shrink(max(self._files.total_bytes - lacking, 0))
            if self._lacking() > 0:
                raise OSError(0, "less room on the disk than minimum_free_megabytes")

    def _lacking(self) -> int:
        return (self._settings.minimum_free_megabytes << 20) - shutil.disk_usage(self._files.folder).free

    def _tell(self, trouble: str) -> None:
        if trouble == self.trouble:
            return
        if trouble:
            _LOG.warning("pictures are not kept: %s", trouble)
        self.trouble = trouble
        self._on_change()


def read_maps(files: PictureFiles, key: FrameKey, timestamp: float) -> Maps | None:
    """A frame's maps, if they are kept.

    Raises:
        NandEdgeError: The file is damaged.
    """
    place = files.place(key, timestamp, MAPS_SUFFIX)
    try:
        with np.load(place, allow_pickle=False, max_header_size=_FOR_EACH_LINE_OF_PIXELS) as stored:
            named = {name: stored[name].astype(np.float32) for name in _MAPS}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, BadZipFile, zlib.error) as error:
        raise _damaged(place, type(error).__name__) from None
    if any(kept.ndim != 2 or kept.size > _MOST_MAP_PIXELS for kept in named.values()):
        raise _damaged(place, "maps of another shape")
    return Maps(**named)


def _damaged(place: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"maps {place.name!r}", found=found, needed="the maps of one frame", do="remove the file; its record stays"
    )


def _encoded(image: NDArray[np.uint8], settings: HistorySettings) -> tuple[str, bytes]:
    if settings.picture_format is PictureFormat.PNG:
        suffix, parameters = ".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]
    else:
        suffix, parameters = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, settings.picture_quality]
    encoded, content = cv2.imencode(suffix, image, parameters)
    if not encoded:
        raise ValueError(f"no {suffix} of an image of shape {image.shape}")
    return suffix, content.tobytes()


def _packed(inspection: Inspection) -> bytes:
    """The maps as numpy's own archive; packed lightly, which takes half the time of more and hardly more room."""
    largest = float(np.finfo(np.float16).max)
    stream = io.BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for name in _MAPS:
            drawn = np.clip(getattr(inspection, name), -largest, largest).astype(np.float16)
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, drawn, allow_pickle=False)
    return stream.getvalue()


def _lower_priority() -> None:
    """Let frames go first. Linux alone knows a thread's own priority."""
    if sys.platform == "linux":
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
        except OSError as error:
            _LOG.debug("the priority stays as it is (%s)", error.strerror)
