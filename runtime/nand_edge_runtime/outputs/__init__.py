"""The reject gate: verdicts at their place and time, told to PLCs, brokers and relays, with a sign of life."""

from __future__ import annotations

from nand_edge_runtime.outputs.gate import RejectGate
from nand_edge_runtime.outputs.kinds import OUTPUTS
from nand_edge_runtime.outputs.settings import GateSettings, OutputSettings

__all__ = ["OUTPUTS", "GateSettings", "OutputSettings", "RejectGate"]
