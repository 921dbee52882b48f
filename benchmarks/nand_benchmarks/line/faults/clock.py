"""The wall clock of the station's processes, set back; the monotonic clock goes on, as in life."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import ClassVar

from nand_benchmarks.line.faults.protocol import Fault, FaultNotHereError
from nand_benchmarks.line.line import Line, Plan
from nand_benchmarks.line.outage import Outage
from nand_benchmarks.line.station_process import Surroundings

_LIBRARY = "faketime/libfaketimeMT.so.1"
_PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
_HOUR_S = 3600


class ClockSetBack(Fault):
    """The wall clock is set back an hour, each time."""

    title: ClassVar[str] = "clock set back an hour"
    how: ClassVar[str] = (
        "libfaketime in all of the station's processes, each time an hour more; the monotonic clock goes on"
    )

    def __init__(self) -> None:
        self._hours = 0
        self._offset: Path | None = None

    def plan(self, folder: Path) -> Plan:
        """A station whose wall clock can be set.

        Raises:
            FaultNotHereError: libfaketime is not installed.
        """
        library = next((found for place in _PLACES for found in Path(place).glob(f"**/{_LIBRARY}")), None)
        if library is None:
            raise FaultNotHereError("libfaketime is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self._offset = folder / "clock"
        self._set()
        environment = {
            "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self._offset), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip
        return Plan(surroundings=Surroundings(environment=environment))

    def happen(self, line: Line, chance: random.Random) -> Outage:  # noqa: ARG002 - as in the protocol
        """A blow: from one moment to the next it is an hour earlier."""
        self._hours += 1
        began = time.monotonic()
        self._set()
        return Outage(began, began)

    def _set(self) -> None:
        if self._offset is not None:
            part = self._offset.with_suffix(".part")
            part.write_text(f"-{self._hours * _HOUR_S}\n" if self._hours else "+0\n", encoding="ascii")
            part.replace(self._offset)
