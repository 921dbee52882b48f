"""The faults that are put into a line: one class each, in a file for each part that they befall."""

from __future__ import annotations

from nand_benchmarks.line.faults.clock import ClockSetBack
from nand_benchmarks.line.faults.engine import EngineGivesNaN, EngineKilled
from nand_benchmarks.line.faults.history import DatabaseLocked, DiskFull
from nand_benchmarks.line.faults.output import BrokerRestarted, OutputDown
from nand_benchmarks.line.faults.pages import SlowPageClients
from nand_benchmarks.line.faults.protocol import Fault, FaultNotHereError
from nand_benchmarks.line.faults.source import CorruptFrames, DriverHangs, RtspServerKilled, SourceUnplugged
from nand_benchmarks.line.faults.station import StationKilled

__all__ = ["FAULTS", "Fault", "FaultNotHereError"]

FAULTS: dict[str, type[Fault]] = {
    "source-unplugged": SourceUnplugged,
    "driver-hang": DriverHangs,
    "rtsp-server-killed": RtspServerKilled,
    "corrupt-frames": CorruptFrames,
    "engine-killed": EngineKilled,
    "engine-nan": EngineGivesNaN,
    "output-down": OutputDown,
    "broker-restarted": BrokerRestarted,
    "disk-full": DiskFull,
    "database-locked": DatabaseLocked,
    "slow-page-clients": SlowPageClients,
    "clock-set-back": ClockSetBack,
    "station-killed": StationKilled,
}
"""By the name that the command line and the results know."""
