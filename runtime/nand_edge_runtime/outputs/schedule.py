"""The schedule: holds every verdict back until its frame is at the gate, by time or by the conveyor's place."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from nand_edge.inspection import Verdict
from nand_edge_runtime.outputs.conveyor import Conveyor
from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.outputs.told import GateVerdict, Override
from nand_edge_runtime.station.records import FrameRecord


@dataclass(frozen=True, order=True)
class _OnItsWay:
    """A verdict whose frame is between camera and gate; place in seconds or in units of the conveyor.

    Frames at one place, such as the tiles of one strip, keep the order of their numbers.
    """

    place: float
    number: int
    order: int
    record: FrameRecord = field(compare=False)


class Schedule:
    """What is on its way to the gate, in the order in which it gets there. It knows no clock and no thread.

    Args:
        gate: Delays, distances, and what is a jump of the encoder.
    """

    def __init__(self, gate: GateSettings) -> None:
        self._gate = gate
        jump_back = gate.largest_delay / 2 if gate.jump_back is None else gate.jump_back
        self._conveyor = Conveyor(
            jump_back=jump_back, counter_range=gate.counter_range, estimate_s=gate.estimate_ms / 1e3
        )
        self._distance = gate.minimum_distance if gate.by_place else gate.minimum_distance / 1e3
        self._waiting: list[_OnItsWay] = []
        self._added = 0
        self._last_reject: float | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether no more verdicts can be held back."""
        return len(self._waiting) >= self._gate.waiting

    def add(self, record: FrameRecord, taken: float, now: float) -> list[GateVerdict]:
        """Take a verdict in.

        Args:
            record: What became of the frame.
            taken: When it was taken, in the seconds of `now`.
            now: The time, in seconds of a clock that nobody sets.

        Returns:
            What must be told now, this one included if its place is here, behind, or unknown.
        """
        delay = self._gate.delay(record.key.camera)
        if delay is None:
            return [GateVerdict(record, now)]
        if not self._gate.by_place:
            place: float | None = taken + delay / 1e3
        else:
            here = self._conveyor.place_of(record.position)
            place = None if here is None else here + delay
        if place is None:
            return [GateVerdict(record, now, Override.PLACE_UNKNOWN)]
        if self.full:
            return [GateVerdict(record, now, Override.TOO_MANY)]
        self._added += 1
        bisect.insort(self._waiting, _OnItsWay(place, record.key.number, self._added, record))
        return self.due(now)

    def position(self, counter: float, now: float) -> list[GateVerdict]:
        """Take what the encoder says, and return what must be told now."""
        if not self._conveyor.report(counter, now):
            return self.due(now)
        lost, self._waiting, self._last_reject = self._waiting, [], None
        return [GateVerdict(one.record, now, Override.PLACE_UNKNOWN) for one in lost]

    def due(self, now: float) -> list[GateVerdict]:
        """Take out what is at the gate now, in order."""
        here = self._conveyor.travelled(now) if self._gate.by_place else now
        count = bisect.bisect_right(self._waiting, here, key=lambda one: one.place)
        # Each sees those behind it as well, so they leave the list only afterwards.
        told = [self._told(index, now) for index in range(count)]
        del self._waiting[:count]
        return told

    def next_due(self, now: float) -> float | None:
        """In how many seconds something may be due; None where only a report of the encoder can tell."""
        if not self._waiting:
            return None
        first = self._waiting[0].place
        return self._conveyor.seconds_until(first, now) if self._gate.by_place else max(first - now, 0.0)

    def close(self, now: float) -> list[GateVerdict]:
        """Take everything out: the gate closes before these frames reach it."""
        left, self._waiting = self._waiting, []
        return [GateVerdict(one.record, now, Override.STOPPED) for one in left]

    def _told(self, index: int, now: float) -> GateVerdict:
        one = self._waiting[index]
        when = self._conveyor.reached(one.place, now) if self._gate.by_place else one.place
        if one.record.verdict is Verdict.REJECT:
            self._last_reject = one.place if self._last_reject is None else max(self._last_reject, one.place)
            return GateVerdict(one.record, when)
        return GateVerdict(one.record, when, Override.TOO_CLOSE if self._too_close(index) else None)

    def _too_close(self, index: int) -> bool:
        """Whether a reject is so near that the gate cannot let this one through alone."""
        if self._distance <= 0:
            return False
        place = self._waiting[index].place
        if self._last_reject is not None and place - self._last_reject < self._distance:
            return True
        for other in self._waiting[index + 1 :]:
            if other.place - place >= self._distance:
                break
            if other.record.verdict is Verdict.REJECT:
                return True
        return False
