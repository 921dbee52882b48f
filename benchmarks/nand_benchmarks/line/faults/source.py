"""Faults of what gives the frames."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import ClassVar

from nand_benchmarks.line.faults.protocol import Fault
from nand_benchmarks.line.feeder import USUAL
from nand_benchmarks.line.line import Line, Plan, Source
from nand_benchmarks.line.outage import Outage
from nand_benchmarks.line.parts import Part
from nand_benchmarks.line.processes import wait_for_port

_CAMERA_PROCESS = "camera"
"""What the command line of a process that reads a camera has in it."""


class SourceUnplugged(Fault):
    """The camera's cable is pulled, and plugged in again."""

    title: ClassVar[str] = "source unplugged and back"
    how: ClassVar[str] = "network camera behind a relay that lets nothing through, without a word, 0.5 to 2 s"
    trace: ClassVar[str] = "camera stream is reconnecting"

    def plan(self, folder: Path) -> Plan:  # noqa: ARG002 - as in the protocol
        """A stream over HTTP."""
        return Plan(source=Source.HTTP)

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """Silence, without a word, on open and new connections."""
        with Outage.during() as outage:
            line.cable.pull()
            time.sleep(chance.uniform(0.5, 2.0))
            line.cable.plug()
        return outage


class DriverHangs(Fault):
    """The process in which the camera's driver runs answers no more, for good."""

    title: ClassVar[str] = "driver hang"
    how: ClassVar[str] = "process of the camera's driver stopped by SIGSTOP in the middle of a read, for good"
    trace: ClassVar[str] = "camera stream is reconnecting"

    def plan(self, folder: Path) -> Plan:  # noqa: ARG002 - as in the protocol
        """A stream over HTTP."""
        return Plan(source=Source.HTTP)

    def happen(self, line: Line, chance: random.Random) -> Outage:  # noqa: ARG002 - it has no length
        """It hangs until the station ends it: there is no outage but the station's own."""
        began = time.monotonic()
        for pid in _camera_processes(line):
            line.station.signal(pid, signal.SIGSTOP)
        return Outage(began, began)


class RtspServerKilled(Fault):
    """The camera's RTSP server is ended, and started again."""

    title: ClassVar[str] = "RTSP server killed and restarted"
    how: ClassVar[str] = "SIGKILL, started again after 0.2 to 1 s"
    trace: ClassVar[str] = "camera stream is reconnecting"

    def plan(self, folder: Path) -> Plan:  # noqa: ARG002 - as in the protocol
        """A stream over RTSP."""
        return Plan(source=Source.RTSP)

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """End it and start it again."""
        with Outage.during() as outage:
            line.camera.kill()
            time.sleep(chance.uniform(0.2, 1.0))
            line.camera.start()
            wait_for_port(line.camera_port)
        return outage


class CorruptFrames(Fault):
    """Files come that are cut short."""

    title: ClassVar[str] = "corrupt frames"
    how: ClassVar[str] = "most files of a hot folder cut short, 0.3 to 0.8 s"
    trace: ClassVar[str] = "frame cannot be inspected"

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """Most of them are; some of the others are bad parts."""
        with Outage.during() as outage:
            line.feeder.lay_mostly({Part.CORRUPT: 0.8, Part.GOOD: 0.1, Part.BAD: 0.1})
            time.sleep(chance.uniform(0.3, 0.8))
            line.feeder.lay_mostly(USUAL)
        return outage


def _camera_processes(line: Line) -> list[int]:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        found = list(line.station.children(_CAMERA_PROCESS))
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"no process reads the camera: {line.station.children()}")
