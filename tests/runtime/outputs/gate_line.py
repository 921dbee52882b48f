"""A reject gate with its outputs, and frames that flow to it."""

from __future__ import annotations

import threading
import time
from typing import Any

from outputs.cable import wait_until

from nand_edge.inspection import Verdict
from nand_edge_runtime.outputs import GateSettings, OutputSettings, RejectGate
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Changed, Event, Hub, PartChanged
from nand_edge_runtime.station.records import FrameRecord, Reason


def record_of(number: int, verdict: Verdict = Verdict.PASS, **more: Any) -> FrameRecord:
    camera = more.pop("camera", "top")
    return FrameRecord(
        FrameKey("run", camera, number), f"{camera}#{number}", 1000.0 + number, verdict, Reason.INSPECTED,
        score=0.25, base_score=0.5, threshold=0.4, **more,
    )  # fmt: skip


class Line:
    """A gate with its outputs, the dispatcher's turns, and all that the hub was told."""

    def __init__(self, gate: GateSettings, outputs: tuple[OutputSettings, ...]) -> None:
        self.hub = Hub()
        self.events: list[Event] = []
        self.hub.listen(self.events.append)
        self.gate = RejectGate(gate, outputs, hub=self.hub)
        self.turning = threading.Event()
        self.turning.set()
        self.stopped = threading.Event()
        threading.Thread(target=self._turn, daemon=True).start()
        self.gate.start()

    def decide(self, number: int, verdict: Verdict = Verdict.PASS, **more: Any) -> FrameRecord:
        """What the accounts do with a verdict: a pass is a reject while the gate is blocked."""
        record = record_of(number, verdict, **more)
        why = self.gate.blocked() if verdict is Verdict.PASS else None
        if why is not None:
            record = FrameRecord(
                record.key, record.name, record.timestamp, Verdict.REJECT, Reason.OUTPUT_DOWN, detail=why
            )
        self.gate.decide(record, time.monotonic())
        return record

    def traffic(self) -> Traffic:
        """Frames that come every few milliseconds until it is stopped."""
        return Traffic(self)

    def facts(self, name: str = "plc") -> dict[str, float]:
        return next(part.facts for part in self.gate.statuses() if part.name == f"output {name}")

    def states(self, name: str = "plc") -> list[str]:
        return [
            event.status.state.value
            for event in self.events
            if isinstance(event, PartChanged) and event.status.name == f"output {name}"
        ]

    def on_record(self) -> list[str]:
        return [event.what for event in self.events if isinstance(event, Changed)]

    def up(self) -> None:
        wait_until(lambda: self.gate.blocked() is None, "the outputs are up")

    def stop(self) -> None:
        self.stopped.set()
        self.gate.stop()

    def _turn(self) -> None:
        while not self.stopped.wait(0.01):
            if self.turning.is_set():
                self.gate.alive()


class Traffic:
    """Frames that flow while something happens; each knows whether it could pass."""

    def __init__(self, line: Line) -> None:
        self.records: list[tuple[float, FrameRecord]] = []
        self._line = line
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    def stop(self) -> list[FrameRecord]:
        self._stopped.set()
        self._thread.join(5)
        return [record for _, record in self.records]

    def passes_between(self, begin: float, end: float) -> int:
        return sum(begin < at < end and record.verdict is Verdict.PASS for at, record in self.records)

    def _flow(self) -> None:
        while not self._stopped.wait(0.02) and not self._line.stopped.is_set():
            number = len(self.records)
            at = time.monotonic()
            self.records.append((at, self._line.decide(number, Verdict.REJECT if number % 4 == 0 else Verdict.PASS)))
