"""Faults of the station itself."""

from __future__ import annotations

import random
import time
from typing import ClassVar

from nand_benchmarks.line.faults.protocol import Fault
from nand_benchmarks.line.line import Evidence, Line
from nand_benchmarks.line.outage import Outage

_RESTART_S = 30.0


class StationKilled(Fault):
    """The station's process is ended by `kill -9`, and started again by whoever watches it."""

    title: ClassVar[str] = "kill -9 of the station"
    how: ClassVar[str] = "SIGKILL of its main process, started again at once"
    kills_station: ClassVar[bool] = True

    def left_its_trace(self, evidence: Evidence) -> bool:
        """It was started again."""
        return evidence.restarts > 0

    def happen(self, line: Line, chance: random.Random) -> Outage:  # noqa: ARG002 - it has no length of its own
        """The outage is over when its process is started again: the rest is its own affair."""
        known = len(line.station.restarts)
        began = time.monotonic()
        line.station.kill()
        while len(line.station.restarts) == known:
            if time.monotonic() > began + _RESTART_S:
                raise TimeoutError("the station was not started again")
            time.sleep(0.005)
        return Outage(began, line.station.restarts[-1])
