"""GPIO: a line that opens or shuts the gate, and one that toggles while the station lives, through Linux' chips."""

from __future__ import annotations

import time

import gpiod
from gpiod.line import Direction, Value

from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.outputs.protocol import Output, OutputFault, in_words
from nand_edge_runtime.outputs.pulse import Pulse
from nand_edge_runtime.outputs.settings import GpioLine, GpioSettings
from nand_edge_runtime.outputs.told import GateState, GateVerdict

_CONSUMER = "nand-edge"


class GpioOutput(Output):
    """Lines of one chip.

    Args:
        settings: The chip and its lines.
        gate: How long the gate's line is energised.
    """

    def __init__(self, settings: GpioSettings, gate: GateSettings) -> None:
        self._settings = settings
        self._pulse = Pulse(settings.energised, gate.pulse_ms)
        self._request: gpiod.LineRequest | None = None
        self._energised = False
        self._beats = 0

    def connect(self, state: GateState) -> None:
        """Take the lines, de-energised from the first moment on.

        Raises:
            OutputFault: The chip or a line is not there, or another program has it.
        """
        lines = [self._settings.gate, *([] if self._settings.heartbeat is None else [self._settings.heartbeat])]
        try:
            self._request = gpiod.request_lines(
                self._settings.chip, config={line.line: _as_output(line) for line in lines}, consumer=_CONSUMER
            )
        except (OSError, ValueError) as error:
            raise OutputFault(f"no lines of {self._settings.chip} ({in_words(error)})") from None
        self._pulse.off()
        self._energised = False
        self.beat(self._beats, state)

    def tell(self, verdict: GateVerdict) -> None:
        """Energise or de-energise the gate's line.

        Raises:
            OutputFault: The chip does not take it.
        """
        now = time.monotonic()
        self._pulse.told(verdict, now)
        self._drive(energised=self._pulse.level(now))

    def beat(self, count: int, state: GateState) -> None:
        """Toggle the heartbeat's line; the count stands still, and with it the line, while the station is stalled.

        Raises:
            OutputFault: The chip does not take it.
        """
        del state
        self._beats = count
        if self._settings.heartbeat is not None:
            self._set(self._settings.heartbeat, energised=count % 2 == 1)

    def rest(self, now: float) -> float | None:
        """De-energise the gate's line when its time is over."""
        self._drive(energised=self._pulse.level(now))
        return self._pulse.ends(now)

    def farewell(self) -> None:
        """De-energise both lines."""
        self._pulse.off()
        self._drive(energised=False)
        if self._settings.heartbeat is not None:
            self._set(self._settings.heartbeat, energised=False)

    def disconnect(self) -> None:
        """Let go of the lines; what level they keep is the chip's affair."""
        request, self._request = self._request, None
        if request is not None:
            request.release()

    def _drive(self, *, energised: bool) -> None:
        if energised != self._energised:
            self._set(self._settings.gate, energised=energised)
            self._energised = energised

    def _set(self, line: GpioLine, *, energised: bool) -> None:
        if self._request is None:
            raise OutputFault("its lines are not taken")
        try:
            self._request.set_value(line.line, Value.ACTIVE if energised else Value.INACTIVE)
        except (OSError, ValueError, gpiod.RequestReleasedError) as error:
            raise OutputFault(f"line {line.line} cannot be set ({in_words(error)})") from None


def _as_output(line: GpioLine) -> gpiod.LineSettings:
    return gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE, active_low=line.active_low)
