"""A PLC by Modbus TCP: pymodbus' own server."""

from __future__ import annotations

import ssl
import threading
import time
from pathlib import Path
from typing import Any

from outputs.cable import free_port
from outputs.peer import QUICK, Loop, Peer, output_settings

from nand_edge_runtime.outputs import OutputSettings


class ModbusPlc(Peer):
    """pymodbus' own server; a verdict is taken when the sequence number changes, as a PLC's program does it."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.coils: list[tuple[float, bool]] = []
        self.sequence = 0
        self.tls: tuple[Path, Path] | None = None
        self._loop: Loop | None = None
        self._server: Any = None

    def settings(self, port: int, **more: Any) -> OutputSettings:
        values = {
            "kind": "modbus-tcp",
            "name": "plc",
            "host": "127.0.0.1",
            "port": port,
            "first_register": 100,
            **QUICK,
        }
        return output_settings(**{**values, **more})

    def start(self) -> None:
        from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
        from pymodbus.server import ModbusTcpServer, ModbusTlsServer

        blocks = {"hr": ModbusSequentialDataBlock(1, [0] * 1000), "co": ModbusSequentialDataBlock(1, [False] * 100)}
        context = ModbusServerContext(devices={1: ModbusDeviceContext(**blocks)}, single=False)
        self._loop = Loop()

        async def serve() -> Any:
            kind: Any = ModbusTcpServer
            more: dict[str, Any] = {"address": ("127.0.0.1", self.port), "trace_pdu": self._asked}
            if self.tls is not None:
                kind, more["sslctx"] = ModbusTlsServer, ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                more["sslctx"].load_cert_chain(*self.tls)
            server = kind(context, **more)
            await server.serve_forever(background=True)
            return server

        self._server = self._loop.run(serve())

    def kill(self) -> None:
        if self._loop is not None:
            self._loop.run(self._server.shutdown())
            self._loop.close()
            self._loop = None

    def acknowledge_all(self, register: int, stopped: threading.Event) -> None:
        """What a PLC's program does with every turn: copy the sequence number into the register for it."""
        from pymodbus.client import ModbusTcpClient

        with ModbusTcpClient("127.0.0.1", port=self.port) as program:
            while not stopped.wait(0.01):
                program.write_register(register, self.sequence)

    def _asked(self, sending: bool, request: Any) -> Any:  # noqa: FBT001 - pymodbus calls it so
        if not sending and type(request).__name__ == "WriteMultipleRegistersRequest":
            self._written(request.address, list(request.registers))
        elif not sending and type(request).__name__ == "WriteSingleCoilRequest":
            self.coils.append((time.monotonic(), bool(request.bits[0])))
        return request

    def _written(self, address: int, values: list[int]) -> None:
        if address == 100:
            self.beats.append(values[0])
            self.state = {0: "stopped", 1: "running", 2: "stalled"}[values[1]]
        elif address == 101:
            self.state = "stopped"
            assert values == [0, 0], "the gate is closed at the end"
        elif address == 102:
            verdict, reason, flags, camera, high, low, *_, sequence = values
            if sequence not in (0, self.sequence):
                self.verdicts.append({
                    "frame": (high << 16) + low, "verdict": "pass" if verdict else "reject", "reason": reason,
                    "late": bool(flags & 1), "camera": camera, "sequence": sequence, "words": values,
                })  # fmt: skip
            self.sequence = sequence
