"""The accounts: every frame that enters gets exactly one verdict, which is on record before anything acts on it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Protocol

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided, Dropped, Entered, Event, Hub
from nand_edge_runtime.station.records import FrameRecord, Reason, not_inspected


class Book(Protocol):
    """Where frames and verdicts are written down; it raises nothing: trouble with it must not cost a verdict."""

    def entered(self, frame: CameraFrame) -> None:
        """A frame entered."""

    def decided(self, decided: Decided) -> None:
        """A frame got its verdict."""


class Gate(Protocol):
    """What acts on verdicts."""

    def decide(self, record: FrameRecord, taken: float) -> None:
        """Act on a verdict, later, at the gate's place."""

    def blocked(self) -> str | None:
        """Why every frame must be a reject now; None when nothing is in the way."""


@dataclass(frozen=True)
class Counts:
    """What happened since the start.

    Attributes:
        frames: Frames that entered.
        verdicts: How often each verdict was given.
        reasons: How often each reason.
        suppressed: Frames that pass only because of a normality.
        dropped: Frames that free-running cameras dropped.
    """

    frames: int
    verdicts: dict[str, int]
    reasons: dict[str, int]
    suppressed: int
    dropped: int

    def to_json(self) -> dict[str, int]:
        """One flat JSON object."""
        return {
            "frames": self.frames,
            Verdict.PASS.value: self.verdicts.get(Verdict.PASS.value, 0),
            Verdict.REJECT.value: self.verdicts.get(Verdict.REJECT.value, 0),
            "suppressed": self.suppressed,
            "dropped": self.dropped,
            **self.reasons,
        }


class Accounts:
    """Opens an account when a frame enters and closes it with its verdict; whoever comes second is told so.

    Args:
        book: Journal and history.
        gate: The reject gate.
        hub: Told of everything.
    """

    def __init__(self, book: Book, gate: Gate, hub: Hub) -> None:
        self._book, self._gate, self._hub = book, gate, hub
        self._lock = threading.Lock()
        self._open: dict[FrameKey, CameraFrame] = {}
        self._frames = 0
        self._counted: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        hub.listen(self._count_drops)

    def enter(self, frame: CameraFrame) -> None:
        """Take a frame in: from here on it gets a verdict, whatever happens."""
        self._book.entered(frame)
        with self._lock:
            self._open[frame.key] = frame
            self._frames += 1
        self._hub.publish(Entered(frame))

    def decide(self, frame: CameraFrame, record: FrameRecord, inspection: Inspection | None = None) -> bool:
        """Give a frame its verdict.

        Returns:
            Whether this is the verdict; False when it has one already, and nothing happens.
        """
        with self._lock:
            if self._open.pop(frame.key, None) is None:
                return False
        record = self._held_back(record)
        decided = Decided(record, frame.image, inspection)
        self._book.decided(decided)
        self._gate.decide(record, frame.taken)
        with self._lock:
            self._counted[record.verdict.value] += 1
            self._counted["suppressed"] += record.suppressed
            self._reasons[record.reason.value] += 1
        self._hub.publish(decided)
        return True

    def reject(self, frame: CameraFrame, reason: Reason, detail: str = "") -> bool:
        """Reject a frame that was not inspected; see `decide`."""
        latency = {"total": (time.monotonic() - frame.taken) * 1e3}
        return self.decide(frame, not_inspected(frame, reason, detail, latency_ms=latency))

    def reject_open(self, reason: Reason, detail: str = "") -> int:
        """Reject all frames that have no verdict yet, and say how many."""
        with self._lock:
            waiting = list(self._open.values())
        return sum(self.reject(frame, reason, detail) for frame in waiting)

    def settled(self) -> bool:
        """Whether every frame that entered has its verdict."""
        with self._lock:
            return not self._open

    def counts(self) -> Counts:
        """What happened since the start."""
        with self._lock:
            return Counts(
                self._frames,
                {verdict.value: self._counted[verdict.value] for verdict in Verdict},
                dict(self._reasons),
                self._counted["suppressed"],
                self._counted["dropped"],
            )

    def _held_back(self, record: FrameRecord) -> FrameRecord:
        """The record, as a reject while the gate cannot be told of a pass."""
        why = self._gate.blocked() if record.verdict is Verdict.PASS else None
        if why is None:
            return record
        return replace(record, verdict=Verdict.REJECT, reason=Reason.OUTPUT_DOWN, detail=why, suppressed=False)

    def _count_drops(self, event: Event) -> None:
        if isinstance(event, Dropped):
            with self._lock:
                self._counted["dropped"] += event.count
