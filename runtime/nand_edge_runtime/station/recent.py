"""The last frames with their maps, in memory: for the live page, and to try a change on."""

from __future__ import annotations

import threading
from collections import OrderedDict

from nand_edge.inspection import Inspection
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Decided, Event, Hub


class Recent:
    """Keeps as many of the last frames as fit into a size, and the last of each camera whatever its size.

    Args:
        hub: Tells of frames that got their verdict.
        max_bytes: Of pictures and maps together.
    """

    def __init__(self, hub: Hub, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._lock = threading.Lock()
        self._frames: OrderedDict[FrameKey, Decided] = OrderedDict()
        self._latest: dict[str, Decided] = {}
        hub.listen(self._add)

    def latest(self, camera: str) -> Decided | None:
        """The last frame of a camera."""
        with self._lock:
            return self._latest.get(camera)

    def get(self, key: FrameKey) -> Decided | None:
        """A frame, if it is still here."""
        with self._lock:
            return self._frames.get(key)

    def newest(self, count: int) -> list[Decided]:
        """The last inspected frames of all cameras, newest first."""
        with self._lock:
            inspected = (frame for frame in reversed(self._frames.values()) if frame.inspection is not None)
            return [frame for frame, _ in zip(inspected, range(count), strict=False)]

    def _add(self, event: Event) -> None:
        if not isinstance(event, Decided):
            return
        with self._lock:
            self._latest[event.record.key.camera] = event
            self._frames[event.record.key] = event
            self._bytes += _bytes(event)
            while self._bytes > self._max_bytes and self._frames:
                _, oldest = self._frames.popitem(last=False)
                self._bytes -= _bytes(oldest)


def _bytes(decided: Decided) -> int:
    return int(decided.image.nbytes) + (0 if decided.inspection is None else _bytes_of_maps(decided.inspection))


def _bytes_of_maps(inspection: Inspection) -> int:
    """What the maps take: where the words left a frame alone, two are one, and the third is read-only and shared."""
    maps = {id(drawn): drawn for drawn in (inspection.anomaly_map, inspection.base_map, inspection.suppression_map)}
    return sum(int(drawn.nbytes) for drawn in maps.values() if drawn.flags.writeable)
