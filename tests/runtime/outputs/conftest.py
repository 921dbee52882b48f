"""Real peers on loopback (PLC by Modbus, OPC UA server, broker, HTTP server), a cable that can be cut, and a gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outputs.broker import Broker
from outputs.cable import Cable, wait_until
from outputs.certificates import make_certificate
from outputs.gate_line import Line
from outputs.http_server import HttpServer
from outputs.modbus_plc import ModbusPlc
from outputs.opc_ua_plc import OpcUaPlc
from outputs.peer import Peer, output_settings

from nand_edge_runtime.outputs import GateSettings, OutputSettings


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
