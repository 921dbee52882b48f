"""What a coil or line does: energised for a while after a verdict, and never for longer."""

from __future__ import annotations

from nand_edge_runtime.outputs.settings import Energised
from nand_edge_runtime.outputs.told import GateVerdict


class Pulse:
    """The level of one coil or line over time.

    Where energised means pass, a pass opens the gate for a while and a reject closes it at once. Where it means reject,
    a reject throws out for a while, and a pass does not cut that short.

    Args:
        energised: What the energised level means.
        pulse_ms: How long a verdict holds, milliseconds.
    """

    def __init__(self, energised: Energised, pulse_ms: float) -> None:
        self._energised, self._pulse_s = energised, pulse_ms / 1e3
        self._until = float("-inf")

    def told(self, verdict: GateVerdict, now: float) -> None:
        """Take a verdict into account; one in time holds from when its frame is at the gate, a late one from now."""
        until = (now if verdict.late else verdict.due) + self._pulse_s
        if self._energised is Energised.PASS:
            self._until = max(self._until, until) if verdict.passes else float("-inf")
        elif not verdict.passes:
            self._until = max(self._until, now + self._pulse_s)

    def level(self, now: float) -> bool:
        """Whether it is energised."""
        return now < self._until

    def ends(self, now: float) -> float | None:
        """When it is de-energised; None where it is already."""
        return self._until if self.level(now) else None

    def off(self) -> None:
        """De-energise it now."""
        self._until = float("-inf")
