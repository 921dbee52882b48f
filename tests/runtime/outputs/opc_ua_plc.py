"""A PLC by OPC UA: asyncua's own server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from outputs.cable import free_port
from outputs.certificates import make_certificate
from outputs.peer import QUICK, Loop, Peer, output_settings

from nand_edge_runtime.outputs import OutputSettings

OPC_UA_TYPES = {
    "heartbeat": "UInt16", "state": "Byte", "verdict": "Boolean", "sequence": "UInt32", "reason": "Int16",
    "late": "Boolean", "camera": "String", "frame": "UInt32", "position": "Double", "score": "Float",
    "identity": "String", "message": "String", "acknowledge": "UInt32",
}  # fmt: skip
"""The variables of the OPC UA server."""


class OpcUaPlc(Peer):
    """asyncua's own server; a verdict is taken when the sequence number changes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.port = free_port()
        self.forget()
        self.folder = folder
        self.certificate, self._key = make_certificate(folder, "server")
        self._loop: Any = None
        self._server: Any = None
        self._listening = False

    def settings(self, port: int, **more: Any) -> OutputSettings:
        nodes = {name: f"ns=2;s=Nand.{name}" for name in OPC_UA_TYPES if name != "acknowledge"}
        nodes.update(more.pop("nodes", {}))
        values = {"kind": "opc-ua", "name": "plc", "url": f"opc.tcp://127.0.0.1:{port}/", "nodes": nodes, **QUICK}
        return output_settings(**{**values, **more})

    def start(self) -> None:
        if self._server is None:
            self._loop = Loop()
            self._server = self._loop.run(self._serve())
        else:
            self._run(self._server.bserver.start())
        self._listening = True

    def kill(self) -> None:
        """Close the port and all connections; the variables stay, as those of a PLC do."""
        if self._listening:
            self._run(self._shut())
            self._listening = False

    async def _shut(self) -> None:
        self._server.bserver._server.close()
        for transport in list(self._server.iserver.asyncio_transports):
            transport.abort()

    def end(self) -> None:
        if self._server is not None:
            self._run(self._server.stop())
            self._loop.close()

    def forget(self) -> None:
        """Know nothing of earlier verdicts."""
        self.verdicts, self.beats, self.values, self.state = [], [], {}, ""
        self.sequence, self.acknowledges = 0, False

    def _run(self, coroutine: Any) -> Any:
        return self._loop.run(coroutine)

    async def _serve(self) -> Any:
        from asyncua import Server, ua
        from asyncua.common.callback import CallbackType

        server = Server(user_manager=self)
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/")
        await server.set_application_uri("urn:nand-edge:test")
        server.set_security_policy(
            [ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
        )
        await server.load_certificate(str(self.certificate))
        await server.load_private_key(str(self._key), format="pem")
        await server.register_namespace("urn:nand-edge:test")
        starting = {"Boolean": False, "String": "", "Double": 0.0, "Float": 0.0}
        for name, kind in OPC_UA_TYPES.items():
            node = await server.nodes.objects.add_variable(
                ua.NodeId(f"Nand.{name}", 2), f"2:{name}", starting.get(kind, 0), varianttype=ua.VariantType[kind]
            )
            await node.set_writable()
            if name == "acknowledge":
                self._acknowledge = node
        server.subscribe_server_callback(CallbackType.PostWrite, self._written)
        await server.start()
        return server

    def get_user(self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> Any:
        """As asyncua asks who signs in: anybody without a name, and the user `line` with the right password."""
        del iserver, certificate
        from asyncua.crypto.permission_rules import User, UserRole

        if username is None or (username, password) == ("line", "correct-password"):
            return User(role=UserRole.Admin)
        return None

    async def _written(self, event: Any, _dispatcher: Any) -> None:
        written = {
            one.NodeId.Identifier.partition(".")[2]: one.Value.Value.Value
            for one in event.request_params.NodesToWrite
            if str(one.NodeId.Identifier).startswith("Nand.")
        }
        self.values.update(written)
        if "heartbeat" in written:
            self.beats.append(written["heartbeat"])
        if "state" in written:
            self.state = {0: "stopped", 1: "running", 2: "stalled"}[written["state"]]
        if written.get("sequence", 0) not in (0, self.sequence):
            self.verdicts.append({**json.loads(written["message"]), "written": written})
        self.sequence = written.get("sequence", self.sequence)
        if self.acknowledges and "sequence" in written:
            from asyncua import ua

            await self._acknowledge.write_value(ua.Variant(self.sequence, ua.VariantType.UInt32))
