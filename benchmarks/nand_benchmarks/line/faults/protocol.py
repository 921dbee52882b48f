"""What every fault is: a line that it needs, and something that happens to it."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from nand_benchmarks.line.line import Evidence, Line, Plan
from nand_benchmarks.line.outage import Outage


class FaultNotHereError(Exception):
    """This machine cannot be made to have this fault; the message says why."""


class Fault(ABC):
    """Something that goes wrong beside a conveyor.

    Attributes:
        title: What tables call it.
        how: How it is done, in a few words.
        trace: What a record's reason or the station's state says of it.
        kills_station: Whether the station itself is ended by force.
    """

    title: ClassVar[str]
    how: ClassVar[str]
    trace: ClassVar[str] = ""
    kills_station: ClassVar[bool] = False

    def plan(self, folder: Path) -> Plan:  # noqa: ARG002 - some need it
        """The line that it happens to.

        Args:
            folder: Where the line will be.

        Raises:
            FaultNotHereError: It cannot happen on this machine.
        """
        return Plan()

    @abstractmethod
    def happen(self, line: Line, chance: random.Random) -> Outage:
        """Happen once, and be over: what was taken away is there again when this returns."""

    def left_its_trace(self, evidence: Evidence) -> bool:
        """Whether the line shows that it happened: a fault that nothing feels proves nothing."""
        said = [*(record.reason for record in evidence.records), *evidence.states]
        return any(self.trace in text for text in said)

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Leave nothing behind."""
