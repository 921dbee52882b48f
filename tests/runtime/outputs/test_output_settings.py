"""The settings of gate and outputs: what is refused, and that secrets never stand in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.outputs import OUTPUTS, GateSettings, OutputSettings
from nand_edge_runtime.outputs.credentials import client_context, secret
from nand_edge_runtime.outputs.settings import TlsSettings
from nand_edge_runtime.station.settings_base import Settings


class Station(Settings):
    """As much of a station's settings as outputs need."""

    output: tuple[OutputSettings, ...]


def made(**values: Any) -> Any:
    return Station(output=(values,)).output[0]  # type: ignore[arg-type]  # as TOML has it


@pytest.mark.parametrize("kind", list(OUTPUTS))
def test_every_kind_has_safe_defaults(kind: str, settings_of: Callable[[str], Any]) -> None:
    settings = settings_of(kind)
    assert settings.required
    assert settings.timeout_ms <= 1000
    assert getattr(settings, "energised", "pass") == "pass"
    assert all(field.description for field in type(settings).model_fields.values())


def test_the_gates_defaults_are_safe() -> None:
    gate = GateSettings()
    assert (gate.when_late, gate.when_down) == ("reject", "reject")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"delay_ms": 1, "delay_ticks": 2}, "found delay_ms and delay_ticks, needed one of them"),
        ({"minimum_distance": 5}, "without a delay"),
        ({"camera_delays": {"top": 5}}, "without a delay"),
        ({"delay_ms": -1}, "greater than or equal to 0"),
        ({"delay_ms": float("nan")}, "finite"),
        ({"pulse_ms": 0}, "greater than or equal to 1"),
        ({"when_down": "pass"}, "'reject' or 'go-on'"),
        ({"dellay_ms": 1}, "Extra inputs"),
    ],
)
def test_a_gate_that_cannot_be(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GateSettings(**values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "smoke-signal", "name": "one"}, "modbus-tcp"),
        ({"kind": "modbus-tcp", "name": "one", "host": "plc/../x"}, "pattern"),
        ({"kind": "modbus-tcp", "name": "one\nwith a second line", "host": "plc"}, "pattern"),
        ({"kind": "modbus-tcp", "name": "one", "host": "plc", "password": "secret"}, "Extra inputs"),
        ({"kind": "webhook", "name": "one", "url": "https://user:pass@example.com/"}, "in environment variables"),
        ({"kind": "webhook", "name": "one", "url": "file:///etc/passwd"}, "needed http://"),
        ({"kind": "webhook", "name": "one"}, "needed one of them"),
        ({"kind": "webhook", "name": "one", "url": "http://a/", "username_env": "A"}, "needed both or none"),
        ({"kind": "mqtt", "name": "one", "host": "broker", "topic": "line/#"}, "pattern"),
        ({"kind": "mqtt", "name": "one", "host": "broker", "tls": {"key_file": "key.pem"}}, "needed both or none"),
        ({"kind": "gpio", "name": "one", "chip": "/dev/../etc/passwd", "gate": {"line": 1}}, "pattern"),
    ],
)
def test_an_output_that_cannot_be(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        made(**values)
    assert "secret" not in str(refused.value)


def test_opc_ua_sends_no_password_over_an_open_line() -> None:
    nodes = {name: f"ns=2;s={name}" for name in ("heartbeat", "state", "verdict", "sequence")}
    values = {"kind": "opc-ua", "name": "one", "url": "opc.tcp://plc:4840", "nodes": nodes}
    assert made(**values).security == "none"
    with pytest.raises(ValidationError, match='needed security = "sign-and-encrypt"'):
        made(**values, username="line")
    with pytest.raises(ValidationError, match="needed certificate_file, key_file and server_certificate_file"):
        made(**values, security="sign")


def test_a_secret_comes_from_the_environment_or_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert secret(None, "one") is None
    monkeypatch.setenv("A_PASSWORD", "hunter2-hunter2")
    assert secret("A_PASSWORD", "one") == "hunter2-hunter2"
    with pytest.raises(NandEdgeError, match="output 'one': found no environment variable B_PASSWORD"):
        secret("B_PASSWORD", "one")


def test_certificates_that_are_not_there_or_none(tmp_path: Path, certificate: Callable[..., tuple[Path, Path]]) -> None:
    own, key = certificate("own")
    _, other = certificate("other")
    assert client_context(TlsSettings(certificate_file=own, key_file=key), "one").check_hostname
    assert not client_context(TlsSettings(verify="chain"), "one").check_hostname
    with pytest.raises(NandEdgeError, match="found no file"):
        client_context(TlsSettings(ca_file=tmp_path / "none.pem"), "one")
    with pytest.raises(NandEdgeError, match="cannot be used"):
        client_context(TlsSettings(ca_file=key), "one")
    with pytest.raises(NandEdgeError, match="cannot be used"):
        client_context(TlsSettings(certificate_file=own, key_file=other), "one")
