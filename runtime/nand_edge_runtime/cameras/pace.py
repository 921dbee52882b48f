"""The pace of a source that has none of its own: a folder or a video shown as if it came from a line."""

from __future__ import annotations

import time


class Pace:
    """Says when the next frame is due.

    Args:
        frames_per_second: The pace; None is as fast as frames are wanted.
    """

    def __init__(self, frames_per_second: float | None) -> None:
        self._period_s = 0.0 if frames_per_second is None else 1.0 / frames_per_second
        self._due = time.monotonic()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the next frame's time, and say whether it came; then the one after it is next."""
        if self._period_s == 0.0:
            return True
        now = time.monotonic()
        if self._due - now > timeout_s:
            time.sleep(timeout_s)
            return False
        if self._due > now:
            time.sleep(self._due - now)
        # One that was held back does not hurry to catch up.
        self._due = max(self._due, time.monotonic() - self._period_s) + self._period_s
        return True
