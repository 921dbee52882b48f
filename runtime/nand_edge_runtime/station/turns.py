"""Whose turn it is: cameras that share one engine wait no longer than they must, and none starves."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from nand_edge_runtime.station.frames import CameraFrame

_URGENT_SHARE = 0.25
"""A frame is urgent when less than this share of its deadline is left."""

_URGENT_RUNS = 3.0
"""Or when less is left than so many runs of the engine take."""

_RUNS_KEPT = 32
_HALF = 0.5


class Feed(Protocol):
    """A camera as the dispatcher sees it; every method is safe from any thread."""

    def take(self) -> CameraFrame | None:
        """The next frame, or None."""

    def overdue(self) -> list[CameraFrame]:
        """Frames that found the queue full."""

    def peek_deadline(self) -> float | None:
        """When the oldest waiting frame's deadline is, seconds of `time.monotonic()`; None without a frame."""


class Turns:
    """Picks the feed whose frame goes next.

    The one that was served longest ago, so that the phases of free-running cameras cannot starve one of them; but a
    frame whose deadline is near goes first.

    Args:
        feeds: The feeds with the milliseconds that their frames may take.
    """

    def __init__(self, feeds: Sequence[tuple[Feed, float]]) -> None:
        self._feeds = tuple(feeds)
        self._served = [0] * len(self._feeds)
        self._turn = 0
        self._run_s = 0.0
        self._runs: deque[float] = deque(maxlen=_RUNS_KEPT)

    def ran(self, seconds: float) -> None:
        """Say how long the engine took, for the sense of what is urgent."""
        self._run_s = seconds if self._run_s == 0.0 else 0.9 * self._run_s + 0.1 * seconds
        self._runs.append(seconds)

    def is_hopeless(self, left_s: float, deadline_s: float) -> bool:
        """Whether a frame has less time left than the engine took at the least of late.

        With more frames than the engine can do, all would wait until little time is left; it would work on none but
        those for which it comes too late, and nothing would be inspected. A frame that has half of its time left is
        never hopeless: the engine may be faster again.
        """
        return left_s < min(self._runs, default=0.0) and left_s < _HALF * deadline_s

    def next(self) -> Feed | None:
        """The feed whose turn it is, or None when none has a frame."""
        now = time.monotonic()
        waiting = []
        for place, (feed, deadline_ms) in enumerate(self._feeds):
            deadline = feed.peek_deadline()
            if deadline is not None:
                left = deadline - now
                urgent = left < max(_URGENT_SHARE * deadline_ms / 1e3, _URGENT_RUNS * self._run_s)
                waiting.append((not urgent, left if urgent else self._served[place], place))
        if not waiting:
            return None
        place = min(waiting)[2]
        self._turn += 1
        self._served[place] = self._turn
        return self._feeds[place][0]
