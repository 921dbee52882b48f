"""All of the machine that probes ask for: system, processor, memory and GPUs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nand_edge_runtime.doctor.graphics import Graphics, read_graphics
from nand_edge_runtime.doctor.memory import Memory, read_memory
from nand_edge_runtime.doctor.platforms import Platform, read_platform
from nand_edge_runtime.doctor.processor import Processor, read_processor
from nand_edge_runtime.doctor.remedies import Remedies


@dataclass(frozen=True)
class Machine:
    """The machine.

    Attributes:
        platform: The system.
        processor: The processor.
        memory: Its memory.
        graphics: Its NVIDIA GPUs.
    """

    platform: Platform
    processor: Processor
    memory: Memory
    graphics: Graphics

    @property
    def remedies(self) -> Remedies:
        """The commands of this platform."""
        return Remedies(self.platform)

    def to_json(self) -> dict[str, Any]:
        """The machine as one JSON object."""
        return asdict(self)


def read_machine() -> Machine:
    """Read what this machine is."""
    return Machine(read_platform(), read_processor(), read_memory(), read_graphics())
