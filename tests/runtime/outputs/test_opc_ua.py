"""OPC UA: variables of any type, the acknowledgement, signing in, and encrypted sessions."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from nand_edge.inspection import Verdict
from nand_edge_runtime.outputs.opc_ua_values import Value, variant
from nand_edge_runtime.outputs.protocol import OutputFault

Until = Callable[..., None]


def test_each_value_has_its_variable(opc_ua_plc: Any, line: Any, until: Until) -> None:
    running = line(opc_ua_plc.settings(opc_ua_plc.port))
    running.up()
    running.decide(7, position=12.5)
    running.decide(8, Verdict.REJECT)
    until(lambda: len(opc_ua_plc.verdicts) == 2, "two verdicts")
    first, second = (one["written"] for one in opc_ua_plc.verdicts)
    told = {key: value for key, value in first.items() if key != "message"}
    assert told == {
        "verdict": True, "sequence": 1, "reason": 0, "late": False, "camera": "top", "frame": 7, "position": 12.5,
        "score": 0.25, "identity": "run/top#7",
    }  # fmt: skip
    assert list(first)[-1] == "sequence", "written last"
    assert (second["verdict"], second["sequence"]) == (False, 2)
    assert math.isnan(second["position"])


def test_only_the_named_variables_are_written(opc_ua_plc: Any, line: Any, until: Until) -> None:
    needed = {name: f"ns=2;s=Nand.{name}" for name in ("heartbeat", "state", "verdict", "sequence", "message")}
    running = line(opc_ua_plc.settings(opc_ua_plc.port).model_copy(update={"nodes": _nodes(needed)}))
    running.up()
    running.decide(0)
    until(lambda: opc_ua_plc.verdicts, "a verdict")
    assert set(opc_ua_plc.verdicts[0]["written"]) == {"verdict", "message", "sequence"}


def test_the_next_verdict_waits_for_the_acknowledgement(opc_ua_plc: Any, line: Any, until: Until) -> None:
    nodes = {"acknowledge": "ns=2;s=Nand.acknowledge"}
    running = line(opc_ua_plc.settings(opc_ua_plc.port, nodes=nodes, timeout_ms=400), late_after_ms=5000)
    running.up()
    for number in range(4):
        running.decide(number, Verdict.REJECT)
    time.sleep(0.15)
    assert opc_ua_plc.frames() == [0]
    opc_ua_plc.acknowledges = True
    until(lambda: running.facts()["sent"] == 4, "all acknowledged")
    assert opc_ua_plc.frames() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("node", "said"),
    [("ns=2;s=Nand.nothing", "no variable 'ns=2;s=Nand.nothing' for verdict"), ("verdict!", "is no node identifier")],
)
def test_a_variable_that_is_not_there_is_said(opc_ua_plc: Any, line: Any, until: Until, node: str, said: str) -> None:
    running = line(opc_ua_plc.settings(opc_ua_plc.port, nodes={"verdict": node}))
    until(lambda: said in (running.gate.blocked() or ""), "said")


def test_a_wrong_password_is_said_and_never_shown(
    opc_ua_plc: Any, line: Any, until: Until, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PLC_PASSWORD", "not-the-right-one")
    signing_in = {"username": "line", "password_env": "PLC_PASSWORD"}
    settings = opc_ua_plc.settings(opc_ua_plc.port, **signing_in)
    running = line(settings)
    until(lambda: "the server refuses (BadUserAccessDenied)" in (running.gate.blocked() or ""), "said")
    assert "not-the-right-one" not in caplog.text + repr(running.events) + repr(settings)
    running.stop()
    monkeypatch.setenv("PLC_PASSWORD", "correct-password")
    line(settings).up()


def test_an_encrypted_session_with_the_stations_certificate(
    opc_ua_plc: Any, line: Any, until: Until, certificate: Callable[..., tuple[Path, Path]]
) -> None:
    own, key = certificate("station", uri="urn:nand-edge:station")
    running = line(
        opc_ua_plc.settings(
            opc_ua_plc.port, security="sign-and-encrypt", certificate_file=own, key_file=key,
            server_certificate_file=opc_ua_plc.certificate, timeout_ms=2000,
        )
    )  # fmt: skip
    running.up()
    running.decide(0)
    until(lambda: opc_ua_plc.verdicts, "a verdict")


def test_no_thread_stays_after_many_connections(opc_ua_plc: Any, line: Any, until: Until) -> None:
    running = line(opc_ua_plc.settings(opc_ua_plc.port))
    for _ in range(3):
        running.up()
        opc_ua_plc.kill()
        until(running.gate.blocked, "blocked")
        opc_ua_plc.start()
    running.up()
    until(lambda: sum(thread.name == "opc-ua plc" for thread in threading.enumerate()) == 1, "one loop's thread")


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        (Value(1, "pass"), "Boolean", True),
        (Value(0, "reject"), "String", "reject"),
        (Value(0, "reject"), "Byte", 0),
        (Value(70_000, "70000", counts=True), "UInt16", 4_465),
        (Value(255, "255", counts=True), "Byte", 255),
        (Value(256, "256", counts=True), "Byte", 1),
        (Value(-3.6, "-3.6"), "Int16", -4),
        (Value(1e12, "1e12"), "Int32", (1 << 31) - 1),
        (Value(None, ""), "Int32", -(1 << 31)),
        (Value(0.5, "0.5"), "Double", 0.5),
    ],
)
def test_a_value_in_the_servers_type(value: Value, kind: str, written: object) -> None:
    made = variant("position", value, ua.VariantType[kind])
    assert made.Value == written
    assert type(made.Value) is type(written)


@pytest.mark.parametrize(("name", "kind"), [("verdict", "DateTime"), ("identity", "UInt32")])
def test_a_type_that_cannot_hold_it_is_said(name: str, kind: str) -> None:
    with pytest.raises(OutputFault, match=f"the variable for {name} is of type {kind}"):
        variant(name, Value(None if name == "identity" else 1, "x"), ua.VariantType[kind])


def _nodes(named: dict[str, str]) -> Any:
    from nand_edge_runtime.outputs.settings import OpcUaNodes

    return OpcUaNodes(**named)
