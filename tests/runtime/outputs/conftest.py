"""Real peers on loopback (PLC by Modbus, OPC UA server, broker, HTTP server), a cable that can be cut, and a gate."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from nand_edge.inspection import Verdict
from nand_edge_runtime.outputs import GateSettings, OutputSettings, RejectGate
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Changed, Event, Hub, PartChanged
from nand_edge_runtime.station.records import FrameRecord, Reason

QUICK = {"timeout_ms": 300, "heartbeat_ms": 50, "reconnect_min_ms": 20, "reconnect_max_ms": 100}
"""Times of an output that a test need not wait long for."""


def wait_until(true: Callable[[], object], what: str, timeout_s: float = 5.0) -> None:
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until, f"not in {timeout_s} s: {what}"
        time.sleep(0.005)


def record_of(number: int, verdict: Verdict = Verdict.PASS, **more: Any) -> FrameRecord:
    camera = more.pop("camera", "top")
    return FrameRecord(
        FrameKey("run", camera, number), f"{camera}#{number}", 1000.0 + number, verdict, Reason.INSPECTED,
        score=0.25, base_score=0.5, threshold=0.4, **more,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Cable:
    """A TCP connection to a real server, which can be cut, hang, or be slow."""

    def __init__(self, to_port: int) -> None:
        self.to_port, self.delay_s = to_port, 0.0
        self.hanging = threading.Event()
        self.port = free_port()
        self._closed = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener: socket.socket | None = None
        self.plug_in()

    def plug_in(self) -> None:
        self.hanging.clear()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for pair in self._pairs:
            for end in pair:
                _shut(end)
        self._pairs = []

    def hang(self) -> None:
        """Accept connections and data, and answer nothing."""
        self.hanging.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to_port), timeout=2)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            other = {near: far, far: near}
            while True:
                try:
                    for ready in select.select([near, far], [], [], 1.0)[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        if self.hanging.is_set():
                            continue  # what was sent now is lost for good: the connection is no longer of use
                        if ready is far:
                            time.sleep(self.delay_s)
                        other[ready].sendall(data)
                except (OSError, ValueError):
                    return


def make_certificate(folder: Path, name: str, uri: str = "urn:nand-edge:test") -> tuple[Path, Path]:
    """A certificate for this machine, signed by itself, and its key, as PEM files."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = [x509.DNSName("localhost"), address, x509.UniformResourceIdentifier(uri)]
    now = dt.datetime.now(dt.timezone.utc)
    usage = {
        "digital_signature": True, "content_commitment": True, "key_encipherment": True, "data_encipherment": True,
        "key_agreement": False, "key_cert_sign": True, "crl_sign": False, "encipher_only": False,
        "decipher_only": False,
    }  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encryption = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    return paths


class Peer:
    """A real server and what it was told, as its own program would understand it."""

    port: int

    def __init__(self) -> None:
        self.verdicts: list[dict[str, Any]] = []
        self.beats: list[int] = []
        self.state = ""

    def settings(self, port: int, **more: Any) -> OutputSettings:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    def frames(self) -> list[int]:
        return [one["frame"] for one in self.verdicts]


def output_settings(**values: Any) -> OutputSettings:
    return TypeAdapter(OutputSettings).validate_python(values)  # type: ignore[no-any-return]  # it is one of the union


class Loop:
    """An asyncio loop in a thread, for servers."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def close(self) -> None:
        async def cancel() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


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


class Broker(Peer):
    """Debian's mosquitto, with a receiver that counts a message once by its identity."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._binary = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin:/usr/local/sbin")
        if self._binary is None:
            pytest.skip("mosquitto is not installed (`sudo apt-get install -y mosquitto`)")
        self.port, self.folder = free_port(), folder
        self.more_configuration = ""
        self.doubles = 0
        self.deliveries: list[dict[str, Any]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._receiver: Any = None
        self.credentials: tuple[str, str] | None = None

    def settings(self, port: int, **more: Any) -> OutputSettings:
        values = {"kind": "mqtt", "name": "plc", "host": "127.0.0.1", "port": port, "topic": "line/3", **QUICK}
        return output_settings(**{**values, **more})

    def start(self) -> None:
        configuration = self.folder / "mosquitto.conf"
        anonymous = "" if "password_file" in self.more_configuration else "allow_anonymous true\n"
        # Otherwise it gives root's rights up, and cannot read its own files in a folder of root's.
        configuration.write_text(
            f"user root\nset_tcp_nodelay true\nlistener {self.port} 127.0.0.1\n{anonymous}{self.more_configuration}"
        )
        assert self._binary is not None
        self._process = subprocess.Popen(
            [self._binary, "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._listens, "the broker listens")
        self._receive()

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(5)
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            # First it reads what the broker had sent.
            wait_until(lambda: not receiver.is_connected(), "the receiver sees that the broker is gone")
            receiver.disconnect()
            receiver.loop_stop()

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def _receive(self) -> None:
        from paho.mqtt import client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        subscribed = threading.Event()
        receiver = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="receiver", reconnect_on_failure=False)
        if self.credentials is not None:
            receiver.username_pw_set(*self.credentials)
        receiver.on_connect = lambda client, *_: client.subscribe("line/3/#", 1)
        receiver.on_subscribe = lambda *_: subscribed.set()
        receiver.on_message = lambda _client, _data, message: self._received(message)
        receiver.connect("127.0.0.1", self.port)
        receiver.loop_start()
        assert subscribed.wait(5)
        self._receiver = receiver

    def _received(self, message: Any) -> None:
        said = json.loads(message.payload)
        if message.topic == "line/3/verdict":
            self.deliveries.append(said)
            if any(said["id"] == known["id"] for known in self.verdicts):
                self.doubles += 1
            else:
                self.verdicts.append(said)
        elif message.topic == "line/3/heartbeat":
            self.beats.append(said["count"])
        elif message.topic == "line/3/status":
            self.state = said["state"]


class HttpServer(Peer):
    """An HTTP server that takes a verdict once by its idempotency key."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.status = 200
        self.refused: set[int] = set()
        self.authorization = ""
        self._connections: list[socket.socket] = []
        self._server: ThreadingHTTPServer | None = None

    def settings(self, port: int, **more: Any) -> OutputSettings:
        values = {"kind": "webhook", "name": "plc", "url": f"http://127.0.0.1:{port}/verdicts", **QUICK}
        return output_settings(**{**values, **more})

    def start(self) -> None:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = peer._posted(said, self.headers.get("Idempotency-Key"), self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def process_request(self, request: Any, client_address: Any) -> None:
                peer._connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, *_: object) -> None:
                """A client that went away is no error of this server."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def kill(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            for connection in self._connections:
                _shut(connection)
            self._connections = []

    def _posted(self, said: dict[str, Any], key: str | None, authorization: str) -> int:
        self.authorization = authorization
        if self.status != 200:
            return self.status
        if said["event"] == "heartbeat":
            self.beats.append(said["count"])
        elif said["event"] == "status":
            self.state = said["state"]
        elif said["frame"] in self.refused:
            return 422
        elif all(key != known["id"] for known in self.verdicts):
            assert key == said["id"]
            self.verdicts.append(said)
        return 200


class Line:
    """A gate with its outputs, the dispatcher's turns, and all that the hub was told."""

    def __init__(self, gate: GateSettings, outputs: tuple[OutputSettings, ...]) -> None:
        self.hub = Hub()
        self.events: list[Event] = []
        self.hub.listen(self.events.append)
        self.gate = RejectGate(gate, outputs, hub=self.hub)
        self.turning = threading.Event()
        self.turning.set()
        self.stopped = threading.Event()
        threading.Thread(target=self._turn, daemon=True).start()
        self.gate.start()

    def decide(self, number: int, verdict: Verdict = Verdict.PASS, **more: Any) -> FrameRecord:
        """What the accounts do with a verdict: a pass is a reject while the gate is blocked."""
        record = record_of(number, verdict, **more)
        why = self.gate.blocked() if verdict is Verdict.PASS else None
        if why is not None:
            record = FrameRecord(
                record.key, record.name, record.timestamp, Verdict.REJECT, Reason.OUTPUT_DOWN, detail=why
            )
        self.gate.decide(record, time.monotonic())
        return record

    def traffic(self) -> Traffic:
        """Frames that come every few milliseconds until it is stopped."""
        return Traffic(self)

    def facts(self, name: str = "plc") -> dict[str, float]:
        return next(part.facts for part in self.gate.statuses() if part.name == f"output {name}")

    def states(self, name: str = "plc") -> list[str]:
        return [
            event.status.state.value
            for event in self.events
            if isinstance(event, PartChanged) and event.status.name == f"output {name}"
        ]

    def on_record(self) -> list[str]:
        return [event.what for event in self.events if isinstance(event, Changed)]

    def up(self) -> None:
        wait_until(lambda: self.gate.blocked() is None, "the outputs are up")

    def stop(self) -> None:
        self.stopped.set()
        self.gate.stop()

    def _turn(self) -> None:
        while not self.stopped.wait(0.01):
            if self.turning.is_set():
                self.gate.alive()


class Traffic:
    """Frames that flow while something happens; each knows whether it could pass."""

    def __init__(self, line: Line) -> None:
        self.records: list[tuple[float, FrameRecord]] = []
        self._line = line
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    def stop(self) -> list[FrameRecord]:
        self._stopped.set()
        self._thread.join(5)
        return [record for _, record in self.records]

    def passes_between(self, begin: float, end: float) -> int:
        return sum(begin < at < end and record.verdict is Verdict.PASS for at, record in self.records)

    def _flow(self) -> None:
        while not self._stopped.wait(0.02) and not self._line.stopped.is_set():
            number = len(self.records)
            at = time.monotonic()
            self.records.append((at, self._line.decide(number, Verdict.REJECT if number % 4 == 0 else Verdict.PASS)))


@pytest.fixture
def line() -> Iterator[Callable[..., Line]]:
    """Starts gates, and stops them."""
    started: list[Line] = []

    def start(*outputs: OutputSettings, **gate: Any) -> Line:
        one = Line(GateSettings(**gate), outputs)
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def shared_opc_ua_plc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpcUaPlc]:
    """One for all tests: making its address space takes seconds."""
    made = OpcUaPlc(tmp_path_factory.mktemp("opc-ua"))
    yield made
    made.end()


@pytest.fixture
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    """The peer that a test is parametrised with, started."""
    if request.param == "opc-ua":
        made = request.getfixturevalue("shared_opc_ua_plc")
        made.forget()
    elif request.param == "mqtt":
        made = Broker(tmp_path)
    else:
        made = {"modbus-tcp": ModbusPlc, "webhook": HttpServer}[request.param]()
    made.start()
    yield made
    made.kill()


@pytest.fixture
def cable(peer: Peer) -> Iterator[Cable]:
    """The cable to that peer."""
    made = Cable(peer.port)
    yield made
    made.cut()


@pytest.fixture
def modbus_plc() -> Iterator[ModbusPlc]:
    made = ModbusPlc()
    made.start()
    yield made
    made.kill()


@pytest.fixture
def tls_modbus_plc() -> Iterator[Callable[[Path, Path], ModbusPlc]]:
    """Starts one that has this certificate and key."""
    made = ModbusPlc()

    def start(certificate: Path, key: Path) -> ModbusPlc:
        made.tls = certificate, key
        made.start()
        return made

    yield start
    made.kill()


@pytest.fixture
def opc_ua_plc(shared_opc_ua_plc: OpcUaPlc) -> Iterator[OpcUaPlc]:
    shared_opc_ua_plc.forget()
    shared_opc_ua_plc.start()
    yield shared_opc_ua_plc
    shared_opc_ua_plc.kill()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def http_server() -> Iterator[HttpServer]:
    made = HttpServer()
    made.start()
    yield made
    made.kill()


@pytest.fixture
def settings_of() -> Callable[..., OutputSettings]:
    """The least that each kind needs."""
    nodes = {name: f"ns=2;s={name}" for name in ("heartbeat", "state", "verdict", "sequence")}
    least: dict[str, dict[str, Any]] = {
        "modbus-tcp": {"host": "127.0.0.1"},
        "opc-ua": {"url": "opc.tcp://127.0.0.1:4840", "nodes": nodes},
        "mqtt": {"host": "127.0.0.1"},
        "gpio": {"chip": "/dev/gpiochip0", "gate": {"line": 17}},
        "webhook": {"url": "http://127.0.0.1:1/"},
    }
    return lambda kind, **more: output_settings(**{"kind": kind, "name": "one", **least[kind], **more})


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Makes a certificate and its key."""
    return lambda name, **more: make_certificate(tmp_path, name, **more)


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits until something is true, and fails if it does not become so."""
    return wait_until
