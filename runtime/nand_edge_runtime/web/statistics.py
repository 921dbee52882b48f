"""The live page's statistics: by camera and second, what became of frames and how long it took."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.hub import Decided, Event, Hub
from nand_edge_runtime.station.records import Reason

KEPT_S = 300
"""Seconds that the charts show."""

_WAITING = 20_000
_LATENCIES = 2_000

_Told = tuple[str, bool, bool, bool, float]
"""Camera, whether it passed, whether because of words, whether it was inspected, milliseconds from taken to verdict."""


class _Second:
    """One second of one camera."""

    def __init__(self) -> None:
        self.passed = self.suppressed = self.rejected = self.not_inspected = 0
        self.latencies: list[float] = []

    def add(self, told: _Told) -> None:
        _, passed, suppressed, inspected, latency_ms = told
        self.passed += passed
        self.suppressed += suppressed
        self.rejected += inspected and not passed
        self.not_inspected += not inspected
        if inspected and len(self.latencies) < _LATENCIES:
            self.latencies.append(latency_ms)

    def to_json(self, second: int) -> list[float]:
        ordered = sorted(self.latencies) or [0.0]
        latencies = [ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99)]
        counts = [self.passed, self.suppressed, self.rejected, self.not_inspected]
        return [second, *counts, *(round(latency, 2) for latency in latencies)]


class Statistics:
    """Counts frames by the second; what the station's own threads do for it is one append.

    Args:
        hub: Tells of frames.
        clock: Seconds since 1970.
    """

    def __init__(self, hub: Hub, clock: Callable[[], float] = time.time) -> None:
        self._hub, self._clock = hub, clock
        self._told: deque[_Told] = deque(maxlen=_WAITING)
        self._lock = threading.Lock()
        self._done: dict[str, deque[list[float]]] = {}
        hub.listen(self._tell)

    def close(self) -> None:
        """Count no more."""
        self._hub.forget(self._tell)

    def turn(self) -> None:
        """Make what came since the last turn one second of the charts; call it once a second."""
        seconds: dict[str, _Second] = {}
        while self._told:
            told = self._told.popleft()
            seconds.setdefault(told[0], _Second()).add(told)
        now = int(self._clock())
        with self._lock:
            for camera in {*seconds, *self._done}:
                kept = self._done.setdefault(camera, deque(maxlen=KEPT_S))
                kept.append(seconds.get(camera, _Second()).to_json(now))

    def newest(self, count: int) -> dict[str, list[list[float]]]:
        """The last seconds by camera, oldest first.

        Each is: when it ended (seconds since 1970), passed, of those because of words, rejected by the engine, not
        inspected, and the median and 99th percentile of the milliseconds from taken to verdict.
        """
        with self._lock:
            return {camera: list(kept)[-count:] for camera, kept in self._done.items()}

    def _tell(self, event: Event) -> None:
        if isinstance(event, Decided):
            record: Any = event.record
            self._told.append(
                (
                    record.key.camera,
                    record.verdict is Verdict.PASS,
                    record.suppressed,
                    record.reason is Reason.INSPECTED,
                    record.latency_ms.get("total", 0.0),
                )
            )
