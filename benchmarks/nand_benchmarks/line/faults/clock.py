"""The wall clock of the station's processes, set back; the monotonic clock goes on, as in life."""

from __future__ import annotations

import mmap
import random
import shutil
import struct
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from nand_benchmarks.line.faults.protocol import Fault, FaultNotHereError
from nand_benchmarks.line.line import Evidence, Line, Plan
from nand_benchmarks.line.outage import Outage
from nand_benchmarks.line.station_process import Surroundings

_HOUR_S = 3600
_SOURCE = Path(__file__).with_name("wall_clock.c")
_OFFSET = struct.Struct("=q")


class ClockSetBack(Fault):
    """The wall clock is set back an hour, each time.

    libfaketime will not do: with it, waits of the monotonic clock end at the wrong time as well.
    """

    title: ClassVar[str] = "clock set back an hour"
    how: ClassVar[str] = "wall clock of all the station's processes, each time an hour more; the monotonic one goes on"

    def __init__(self) -> None:
        self._hours = 0
        self._offset: Path | None = None

    def plan(self, folder: Path) -> Plan:
        """A station whose wall clock can be set.

        Raises:
            FaultNotHereError: There is no C compiler here, or this is no Linux.
        """
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None or sys.platform != "linux":
            raise FaultNotHereError("there is no C compiler for the library that sets the clock")
        folder.mkdir(parents=True, exist_ok=True)
        library, self._offset = folder / "wall_clock.so", folder / "clock"
        self._offset.write_bytes(_OFFSET.pack(0))
        command = (compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl")
        made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a constant command
        if made.returncode:
            raise FaultNotHereError(f"the library that sets the clock cannot be compiled: {made.stderr[-300:]}")
        environment = {"LD_PRELOAD": str(library), "NAND_BENCHMARKS_CLOCK": str(self._offset)}
        return Plan(surroundings=Surroundings(environment=environment))

    def happen(self, line: Line, chance: random.Random) -> Outage:  # noqa: ARG002 - as in the protocol
        """A blow: from one moment to the next it is an hour earlier."""
        if self._offset is None:
            raise RuntimeError("its line was not planned")
        self._hours += 1
        began = time.monotonic()
        with self._offset.open("r+b") as stream, mmap.mmap(stream.fileno(), _OFFSET.size) as place:
            place[:] = _OFFSET.pack(-self._hours * _HOUR_S)
        return Outage(began, began)

    def left_its_trace(self, evidence: Evidence) -> bool:
        """A frame was taken an hour before the one that came before it."""
        moments = [record.timestamp for record in evidence.records]
        return any(later < earlier - _HOUR_S / 2 for earlier, later in pairwise(moments))
