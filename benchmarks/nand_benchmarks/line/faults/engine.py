"""Faults of the engine."""

from __future__ import annotations

import random
import signal
import time
from typing import ClassVar

from nand_benchmarks.line.faults.protocol import Fault
from nand_benchmarks.line.feeder import USUAL
from nand_benchmarks.line.line import Line
from nand_benchmarks.line.outage import Outage
from nand_benchmarks.line.parts import Part

_ENGINE_PROCESS = "engine_process"
"""What the command line of the engine's process has in it."""


class EngineKilled(Fault):
    """The engine's process is ended from one moment to the next, as by a crash of its driver."""

    title: ClassVar[str] = "engine process killed"
    how: ClassVar[str] = "SIGKILL"
    trace: ClassVar[str] = "engine is reconnecting"

    def happen(self, line: Line, chance: random.Random) -> Outage:  # noqa: ARG002 - it has no length
        """A blow: nothing stands in the way of its return."""
        until = time.monotonic() + 10
        while not (found := line.station.children(_ENGINE_PROCESS)):
            if time.monotonic() > until:
                raise TimeoutError(f"no process is the engine's: {line.station.children()}")
            time.sleep(0.02)
        began = time.monotonic()
        for pid in found:
            line.station.signal(pid, signal.SIGKILL)
        return Outage(began, began)


class EngineGivesNaN(Fault):
    """The engine gives maps that are not a number."""

    title: ClassVar[str] = "engine returns NaN"
    how: ClassVar[str] = "most pictures such that the detector gives NaN for them, 0.3 to 0.8 s"
    trace: ClassVar[str] = "score is not a number"

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """For most parts it does."""
        with Outage.during() as outage:
            line.feeder.lay_mostly({Part.NAN: 0.8, Part.GOOD: 0.1, Part.BAD: 0.1})
            time.sleep(chance.uniform(0.3, 0.8))
            line.feeder.lay_mostly(USUAL)
        return outage
