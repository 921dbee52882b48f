"""Modbus TCP: the station writes verdict, sequence number and sign of life into a PLC's registers, and a coil."""

from __future__ import annotations

import math
import socket
import ssl
import struct
import time
from typing import Any

from pymodbus.client import ModbusTcpClient, ModbusTlsClient
from pymodbus.exceptions import ModbusException

from nand_edge_runtime.outputs.credentials import client_context
from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.outputs.protocol import Output, OutputFault, in_words, quiet
from nand_edge_runtime.outputs.pulse import Pulse
from nand_edge_runtime.outputs.settings import ModbusSettings
from nand_edge_runtime.outputs.told import REASON_CODES, GateState, GateVerdict, counted

HEARTBEAT, STATE, VERDICT, REASON, FLAGS, CAMERA, FRAME, POSITION, SCORE, SEQUENCE = 0, 1, 2, 3, 4, 5, 6, 8, 10, 12
"""Where each value is, counted from the settings' `first_register`; frame, position and score take two registers."""

REGISTERS = 13

LATE, NOT_AS_RECORDED = 1, 2
"""Bits of the flags."""

NO_POSITION = -(1 << 31)
"""The position of a frame that has none."""

_LARGEST = 0xFFFF
_ASK_AGAIN_S = 0.004


class ModbusOutput(Output):
    """A PLC that is a Modbus TCP server.

    Args:
        settings: Its address, and where it wants what.
        gate: How long a coil is energised.
    """

    def __init__(self, settings: ModbusSettings, gate: GateSettings) -> None:
        self._settings = settings
        self._timeout_s = settings.timeout_ms / 1e3
        self._context: ssl.SSLContext | None = None
        if settings.tls is not None:
            self._context = client_context(settings.tls, settings.name)
        self._client: Any = None  # its methods have no types, and their names changed over time
        quiet("pymodbus")
        self._pulse = Pulse(settings.energised, gate.pulse_ms)
        self._coil = False
        self._beats = 0
        self._known = False

    def connect(self, state: GateState) -> None:
        """Connect, de-energise the coil and write the state.

        Raises:
            OutputFault: The PLC does not answer.
        """
        host, port = self._settings.host, self._settings.port
        more: dict[str, Any] = {"port": port, "timeout": self._timeout_s, "retries": 0, "name": self._settings.name}
        kind = ModbusTcpClient if self._context is None else ModbusTlsClient
        self._client = kind(host, **more)
        # Not by the client's own `connect`, which keeps the fault to itself and does not check a certificate's name.
        self._client.socket = self._open_socket(host, port)
        self._pulse.off()
        self._write_coil(energised=False, anyway=True)
        if not self._known:
            # The PLC may hold the verdicts of an earlier run: 0 is no sequence number, and its verdict is a reject.
            self._write(VERDICT, [0] * (REGISTERS - VERDICT))
            self._known = True
        self.beat(self._beats, state)

    def tell(self, verdict: GateVerdict) -> None:
        """Write the coil and the registers, and wait for the PLC's acknowledgement where it gives one.

        Raises:
            OutputFault: The PLC did not confirm in time.
        """
        now = time.monotonic()
        self._pulse.told(verdict, now)
        self._write_coil(energised=self._pulse.level(now))
        if time.monotonic() - now > self._timeout_s:
            raise OutputFault("no answer in time")  # what comes now would be late, and not marked so
        sequence = counted(verdict.sequence, _LARGEST)
        self._write(VERDICT, self._words_of(verdict, sequence))
        self._await_acknowledgement(sequence, now + self._timeout_s)

    def beat(self, count: int, state: GateState) -> None:
        """Write the count and the state.

        Raises:
            OutputFault: The PLC did not confirm.
        """
        self._beats = count
        self._write(HEARTBEAT, [counted(count, _LARGEST), int(state)])

    def rest(self, now: float) -> float | None:
        """De-energise the coil when its time is over."""
        if self._settings.coil is None:
            return None
        self._write_coil(energised=self._pulse.level(now))
        return self._pulse.ends(now)

    def farewell(self) -> None:
        """De-energise the coil, and write a reject and that the station stopped."""
        self._pulse.off()
        self._write_coil(energised=False)
        self._write(STATE, [int(GateState.STOPPED), 0])

    def disconnect(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open_socket(self, host: str, port: int) -> socket.socket:
        try:
            connection = socket.create_connection((host, port), timeout=self._timeout_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                return connection
            return self._context.wrap_socket(connection, server_hostname=host)
        except (OSError, ValueError) as error:
            raise OutputFault(f"no connection to {host}:{port} ({in_words(error)})") from None

    def _words_of(self, verdict: GateVerdict, sequence: int) -> list[int]:
        record = verdict.record
        flags = (LATE if verdict.late else 0) | (NOT_AS_RECORDED if verdict.verdict is not record.verdict else 0)
        return [
            int(verdict.passes),
            REASON_CODES[verdict.reason],
            flags,
            self._settings.number_of(record.key.camera),
            *self._two(">I", record.key.number & 0xFFFFFFFF),
            *self._two(">i", _position(record.position)),
            *self._two(">f", _score(record.score)),
            sequence,
        ]

    def _two(self, form: str, value: float) -> list[int]:
        """A number of 32 bits as two registers."""
        high, low = struct.unpack(">HH", struct.pack(form, value))
        return [high, low] if self._settings.word_order == "big" else [low, high]

    def _await_acknowledgement(self, sequence: int, until: float) -> None:
        register = self._settings.acknowledge_register
        if register is None:
            return
        while True:
            answer = self._ask("read_holding_registers", register, count=1)
            if list(answer.registers) == [sequence]:
                return
            if time.monotonic() > until:
                raise OutputFault("it did not acknowledge a verdict in time")
            time.sleep(_ASK_AGAIN_S)

    def _write(self, place: int, words: list[int]) -> None:
        self._ask("write_registers", self._settings.first_register + place, words)

    def _write_coil(self, *, energised: bool, anyway: bool = False) -> None:
        coil = self._settings.coil
        if coil is None or (energised == self._coil and not anyway):
            return
        self._ask("write_coil", coil, energised)
        self._coil = energised

    def _ask(self, request: str, *arguments: Any, **more: Any) -> Any:
        if self._client is None:
            raise OutputFault("not connected")
        try:
            answer = getattr(self._client, request)(*arguments, device_id=self._settings.unit, **more)
        except (ModbusException, OSError) as error:
            raise OutputFault(f"no answer ({in_words(error)})") from None
        if answer.isError():
            code = getattr(answer, "exception_code", None)
            raise OutputFault(f"it refuses {request.replace('_', ' ')} (Modbus exception {code})")
        return answer


def _position(position: float | None) -> int:
    """As 32 bits that go round like a counter; `NO_POSITION` for none."""
    if position is None or not math.isfinite(position):
        return NO_POSITION
    return (round(position) + (1 << 31)) % (1 << 32) - (1 << 31)


def _score(score: float | None) -> float:
    """As 32 bits; what is too large for them is the largest."""
    if score is None:
        return math.nan
    largest = 3.4e38
    return min(max(score, -largest), largest)
