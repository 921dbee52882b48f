"""Whether the wall clock may be trusted to say how old something is: a clock that jumps must not empty a history."""

from __future__ import annotations

import time
from collections.abc import Callable

_JUMP_S = 600.0
_SETTLE_S = 3600.0
"""A clock without a battery is set right within this time after the start; so is one that jumped."""


class WallClock:
    """The wall clock, watched by the one that cannot be set.

    Args:
        wall: Seconds since 1970.
        steady: Seconds that only go forward.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._settled_at = steady() + _SETTLE_S
        self._apart = wall() - steady()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._wall()

    def may_judge_age(self) -> bool:
        """Whether the clock has gone without a jump for an hour."""
        apart, now = self._wall() - self._steady(), self._steady()
        if abs(apart - self._apart) > _JUMP_S:
            self._settled_at = now + _SETTLE_S
        self._apart = apart
        return now >= self._settled_at
