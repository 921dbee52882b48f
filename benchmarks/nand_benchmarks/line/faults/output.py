"""Faults of what hears the verdicts."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import ClassVar

from nand_benchmarks.line.broker import mosquitto
from nand_benchmarks.line.faults.protocol import Fault, FaultNotHereError
from nand_benchmarks.line.line import Ear, Line, Plan
from nand_benchmarks.line.outage import Outage
from nand_benchmarks.line.processes import wait_for_port


class OutputDown(Fault):
    """The server that hears the verdicts is ended, and started again."""

    title: ClassVar[str] = "output server down"
    how: ClassVar[str] = "HTTP server killed by SIGKILL, started again after 0.2 to 1.5 s"
    trace: ClassVar[str] = "output plc is reconnecting"

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """End it and start it again."""
        with Outage.during() as outage:
            line.receiver.kill()
            time.sleep(chance.uniform(0.2, 1.5))
            line.receiver.start()
            wait_for_port(line.receiver_port)
        return outage


class BrokerRestarted(Fault):
    """The broker between the station and what hears the verdicts is ended in order, and started again."""

    title: ClassVar[str] = "broker restarted"
    how: ClassVar[str] = "mosquitto ended by SIGTERM, started again after 0 to 1 s"
    trace: ClassVar[str] = "output plc is reconnecting"

    def plan(self, folder: Path) -> Plan:  # noqa: ARG002 - as in the protocol
        """Verdicts by MQTT.

        Raises:
            FaultNotHereError: There is no broker here.
        """
        if mosquitto() is None:
            raise FaultNotHereError("mosquitto is not installed")
        return Plan(ear=Ear.MQTT)

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """End it and start it again."""
        with Outage.during() as outage:
            line.broker.stop()
            time.sleep(chance.uniform(0.0, 1.0))
            line.broker.start()
        return outage
