"""Where the conveyor is: an encoder's reports made into a distance that only travel changes, not a counter's whims."""

from __future__ import annotations

import math
from collections import deque

_REPORTS = 256
"""How many reports are kept, to tell when a place was reached."""

_SPEED_S = 0.5
"""The speed is that of the last half second."""


class Conveyor:
    """Distance travelled, in the unit of the reports.

    Args:
        jump_back: Running back further than this is no travel: a new roll, or a counter that was set anew.
        counter_range: The encoder counts from 0 to below this and again from 0; None where it does not.
        estimate_s: For how long after a report the conveyor is taken to go on at its last speed.
    """

    def __init__(self, *, jump_back: float, counter_range: float | None = None, estimate_s: float = 0.0) -> None:
        self._jump_back, self._range, self._estimate_s = jump_back, counter_range, estimate_s
        self._counter: float | None = None
        self._travelled = 0.0
        self._reports: deque[tuple[float, float]] = deque(maxlen=_REPORTS)

    def report(self, counter: float, now: float) -> bool:
        """Take what the encoder says.

        Returns:
            Whether this is a jump: from here on nothing is known of the places of what lay on the conveyor before.
        """
        if not math.isfinite(counter):
            return False
        moved = 0.0 if self._counter is None else self._moved_to(counter)
        self._counter = counter
        jumped = moved < -self._jump_back
        if jumped:
            self._reports.clear()
        else:
            self._travelled += moved
        self._reports.append((now, self._travelled))
        return jumped

    def place_of(self, counter: float | None) -> float | None:
        """The distance travelled when the encoder said this; None where that is unknown.

        A frame from before a jump lies ahead of where the conveyor is by the new count: where it is, nobody knows.
        """
        if counter is None or self._counter is None or not math.isfinite(counter):
            return None
        ahead = self._moved_to(counter)
        return None if ahead > self._jump_back else self._travelled + ahead

    def travelled(self, now: float) -> float:
        """The distance travelled until now."""
        if not self._reports or self._estimate_s <= 0:
            return self._travelled
        since = min(now - self._reports[-1][0], self._estimate_s)
        return self._travelled + max(self._speed() * since, 0.0)

    def seconds_until(self, place: float, now: float) -> float | None:
        """How long it takes to this place by the estimate; None where only a report can tell."""
        left = place - self.travelled(now)
        if left <= 0:
            return 0.0
        if not self._reports or self._estimate_s <= 0:
            return None
        speed = self._speed()
        until = self._reports[-1][0] + self._estimate_s
        return left / speed if speed > 0 and now + left / speed <= until else None

    def reached(self, place: float, now: float) -> float:
        """When a place was reached that lies behind: the first of the reports that are kept which is not before it."""
        when = now
        for at, travelled in reversed(self._reports):
            if travelled < place:
                break
            when = at
        return when

    def _moved_to(self, counter: float) -> float:
        """From the last report to this count, backwards negative; the shorter way round a counter that wraps."""
        moved = counter - (self._counter or 0.0)
        if self._range is None:
            return moved
        half = self._range / 2
        return (moved + half) % self._range - half

    def _speed(self) -> float:
        """In units a second, over the last half second of reports."""
        last_at, last = self._reports[-1]
        first_at, first = last_at, last
        for at, travelled in reversed(self._reports):
            if last_at - at > _SPEED_S:
                break
            first_at, first = at, travelled
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0
