"""Frames between their camera and the engine: the newest alone, or each in its turn."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque

from nand_edge_runtime.cameras.protocol import BLACK_PIXEL
from nand_edge_runtime.cameras.settings import Policy
from nand_edge_runtime.station.frames import CameraFrame


class Waiting:
    """Holds frames until they are taken; every method is safe from any thread.

    Args:
        policy: Which frames are kept.
        size: How many wait at most with `every`.
    """

    def __init__(self, policy: Policy, size: int) -> None:
        self._policy, self._size = policy, 1 if policy is Policy.LATEST else size
        self._changed = threading.Condition()
        self._frames: deque[CameraFrame] = deque()
        self._overdue: list[CameraFrame] = []
        self._is_closed = False

    def __len__(self) -> int:
        with self._changed:
            return len(self._frames) + len(self._overdue)

    def put(self, frame: CameraFrame) -> CameraFrame | None:
        """Add a frame, and give the older one that is dropped for it, if any.

        With `every`, one that finds no room is overdue; of many of those only the first keep their images.
        """
        with self._changed:
            if len(self._frames) < self._size:
                self._frames.append(frame)
                return None
            if self._policy is Policy.EVERY:
                keeps_image = len(self._overdue) < self._size
                self._overdue.append(frame if keeps_image else dataclasses.replace(frame, image=BLACK_PIXEL))
                return None
            older = self._frames.popleft()
            self._frames.append(dataclasses.replace(frame, dropped_before=older.dropped_before + 1))
            return older

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until a frame would find room, and say whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._frames) < self._size or self._is_closed, timeout_s)

    def take(self) -> CameraFrame | None:
        """The oldest frame, or None."""
        with self._changed:
            if not self._frames:
                return None
            frame = self._frames.popleft()
            self._changed.notify_all()
            return frame

    def take_overdue(self) -> list[CameraFrame]:
        """The frames that found no room."""
        with self._changed:
            overdue, self._overdue = self._overdue, []
            return overdue

    def oldest_taken(self) -> float | None:
        """When the oldest frame was taken, seconds of `time.monotonic()`; None without one."""
        with self._changed:
            return self._frames[0].taken if self._frames else None

    def wake(self) -> None:
        """Let nobody wait for room any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


class Rate:
    """How many frames a second came of late."""

    _OVER_S = 5.0

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=128)

    def count(self) -> None:
        """A frame came."""
        self._times.append(time.monotonic())

    def per_second(self) -> float:
        """Frames a second over the last few seconds; 0 when none came."""
        now = time.monotonic()
        times = [when for when in self._times.copy() if now - when < self._OVER_S]
        if len(times) < 2:
            return 0.0
        return (len(times) - 1) / max(max(times[-1], now - 1.0) - times[0], 1e-3)
