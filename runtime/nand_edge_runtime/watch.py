"""Watching what may hang, without taking a moment in which the watcher itself stood still for the other's silence."""

from __future__ import annotations

import time

_IN_PACE_S = 0.3
"""Who looks every tenth of a second and comes so late was held up, most likely with all others, or did other work."""


class Watch:
    """Looks at something again and again, in one thread, at least every tenth of a second.

    A machine that stands still for a second is no driver that hangs. Moments in which the watcher was held up do not
    count; what hangs is found out by so much later.
    """

    def __init__(self) -> None:
        self._looked = time.monotonic()
        self._sign: float | None = None
        self._held_up_s = 0.0

    def silent_s(self, sign: float | None) -> float:
        """Seconds since the last sign of life, without those in which the watcher was held up.

        Args:
            sign: When it was, seconds of `time.monotonic()`; None while none is due.
        """
        now = time.monotonic()
        away_s, self._looked = now - self._looked, now
        if sign != self._sign:
            self._sign, self._held_up_s = sign, 0.0
        if sign is None:
            return 0.0
        if away_s > _IN_PACE_S:
            self._held_up_s += min(away_s, now - sign)
        return now - sign - self._held_up_s
