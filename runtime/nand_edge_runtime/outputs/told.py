"""What an output is told of one frame: what the gate shall do with it, and why, in words and in numbers for a PLC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.records import FrameRecord, Reason


class GateState(IntEnum):
    """What a peer is told of the station as a whole; 0, what an empty register holds, is the closed gate."""

    STOPPED = 0
    """It stopped cleanly: the gate is closed, everything is a reject."""
    RUNNING = 1
    STALLED = 2
    """Its process lives, but no frame is inspected: the heartbeat stands still, everything is a reject."""

    @property
    def word(self) -> str:
        """As messages have it."""
        return self.name.lower()


class Override(str, Enum):
    """Why the gate does something else with a frame than its verdict on record says: always a reject."""

    LATE = "late at the gate"
    TOO_CLOSE = "too close to a reject"
    PLACE_UNKNOWN = "place on the line unknown"
    TOO_MANY = "too many verdicts on their way to the gate"
    STOPPED = "station stopped before the gate"


REASON_CODES: dict[Reason | Override, int] = {
    Reason.INSPECTED: 0,
    Reason.NOT_A_NUMBER: 1,
    Reason.DEADLINE: 2,
    Reason.QUEUE_FULL: 3,
    Reason.ENGINE_FAILED: 4,
    Reason.ENGINE_NOT_READY: 5,
    Reason.FRAME_REFUSED: 6,
    Reason.PAUSED: 7,
    Reason.OUTPUT_DOWN: 8,
    Reason.STOPPED: 9,
    Reason.KILLED: 10,
    Override.LATE: 20,
    Override.TOO_CLOSE: 21,
    Override.PLACE_UNKNOWN: 22,
    Override.TOO_MANY: 23,
    Override.STOPPED: 24,
}
"""The numbers that registers hold; they never change, because programs of PLCs know them."""


@dataclass(frozen=True)
class GateVerdict:
    """One frame at the gate.

    Attributes:
        record: The frame's record, with the verdict that is kept in the history.
        due: When the frame is at the gate, seconds of `time.monotonic()`.
        override: Why the gate rejects it whatever its record says; None where both agree.
        late: Whether it is told after its time.
        sequence: Its number among those that this output is told of in this run, from 1.
    """

    record: FrameRecord
    due: float
    override: Override | None = None
    late: bool = False
    sequence: int = 0

    @property
    def verdict(self) -> Verdict:
        """What the gate shall do."""
        return self.record.verdict if self.override is None else Verdict.REJECT

    @property
    def passes(self) -> bool:
        """Whether the gate shall let it through."""
        return self.verdict is Verdict.PASS

    @property
    def reason(self) -> Reason | Override:
        """Why; a frame that was a reject before it came to the gate keeps its own reason."""
        if self.override is None or self.record.verdict is Verdict.REJECT:
            return self.record.reason
        return self.override

    @property
    def identity(self) -> str:
        """What tells it from all others for ever, so that a receiver can tell a double."""
        return str(self.record.key)

    def to_json(self) -> dict[str, Any]:
        """The message of MQTT, webhooks and OPC UA."""
        record = self.record
        return {
            "event": "verdict",
            "id": self.identity,
            "run": record.key.run,
            "sequence": self.sequence,
            "camera": record.key.camera,
            "frame": record.key.number,
            "verdict": self.verdict.value,
            "reason": self.reason.value,
            "late": self.late,
            "recorded_verdict": record.verdict.value,
            "recorded_reason": record.reason.value,
            "detail": record.detail,
            "taken": record.timestamp,
            "position": record.position,
            "score": record.score,
            "base_score": record.base_score,
            "threshold": record.threshold,
            "suppressed": record.suppressed,
            "normalities": list(record.normalities),
        }


def counted(number: int, largest: int) -> int:
    """A count from 1 as a register holds it: after the largest value comes 1 again, never 0.

    Args:
        number: The count.
        largest: What the register can hold.
    """
    return 0 if number <= 0 else 1 + (number - 1) % largest
