"""MQTT: messages, the last will of a station that was killed, signing in, topics that are refused, TLS."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nand_edge.inspection import Verdict

Until = Callable[..., None]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_verdict_is_one_json_object(broker: Any, line: Any, until: Until, version: str) -> None:
    broker.start()
    running = line(broker.settings(broker.port, version=version))
    running.up()
    running.decide(3, Verdict.REJECT, position=7.0, normalities=("stain",))
    until(lambda: broker.verdicts, "a verdict")
    assert broker.verdicts[0] == {
        "event": "verdict", "id": "run/top#3", "run": "run", "sequence": 1, "camera": "top", "frame": 3,
        "verdict": "reject", "reason": "inspected", "late": False, "recorded_verdict": "reject",
        "recorded_reason": "inspected", "detail": "", "taken": 1003.0, "position": 7.0, "score": 0.25,
        "base_score": 0.5, "threshold": 0.4, "suppressed": False, "normalities": ["stain"],
    }  # fmt: skip
    until(lambda: broker.state == "running" and len(broker.beats) > 2, "state and heartbeats")


_STATION = """
import sys, time
from pydantic import TypeAdapter
from nand_edge_runtime.outputs import GateSettings, OutputSettings, RejectGate
from nand_edge_runtime.station.hub import Hub
values = dict(kind="mqtt", name="plc", host="127.0.0.1", port=int(sys.argv[1]), topic="line/3", heartbeat_ms=50)
gate = RejectGate(GateSettings(), [TypeAdapter(OutputSettings).validate_python(values)], hub=Hub())
gate.start()
while True:
    gate.alive()
    time.sleep(0.02)
"""


def test_everybody_hears_when_the_station_is_killed(broker: Any, until: Until) -> None:
    broker.start()
    with subprocess.Popen([sys.executable, "-c", _STATION, str(broker.port)]) as station:
        until(lambda: len(broker.beats) > 2, "the station lives", 20.0)
        os.kill(station.pid, signal.SIGKILL)
        until(lambda: broker.state == "gone", "the last will")


def test_wrong_credentials_are_said_never_shown_and_mended_by_the_broker(
    broker: Any, line: Any, until: Until, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BROKER_USER", "line-3")
    monkeypatch.setenv("BROKER_PASSWORD", "hunter2-hunter2")
    passwords = broker.folder / "passwords"
    broker.more_configuration = f"password_file {passwords}\n"
    broker.credentials = ("line-3", "another-password")
    _write_password(passwords, *broker.credentials)
    broker.start()
    variables = {"username_env": "BROKER_USER", "password_env": "BROKER_PASSWORD"}
    settings = broker.settings(broker.port, **variables)
    running = line(settings)
    until(lambda: "the broker refuses the station (Not authorized)" in (running.gate.blocked() or ""), "said")
    assert "hunter2" not in caplog.text + repr(running.events) + repr(settings)
    broker.kill()
    broker.credentials = ("line-3", "hunter2-hunter2")
    _write_password(passwords, *broker.credentials)
    broker.start()
    running.up()


def test_a_topic_that_the_broker_refuses_is_said(broker: Any, line: Any, until: Until) -> None:
    acl = broker.folder / "acl"
    acl.write_text("topic readwrite line/3/status\ntopic readwrite line/3/heartbeat\ntopic read line/3/#\n")
    broker.more_configuration = f"acl_file {acl}\n"
    broker.start()
    running = line(broker.settings(broker.port))
    running.decide(0, Verdict.REJECT)
    until(lambda: "refuses topic 'line/3/verdict'" in (running.gate.blocked() or ""), "said")


def test_tls_with_a_certificate_that_is_trusted_or_not(
    broker: Any, line: Any, until: Until, certificate: Callable[..., tuple[Path, Path]]
) -> None:
    server, key = certificate("broker")
    port = broker.port
    broker.start()  # with an open port beside, for the receiver
    broker.kill()
    from socket import socket

    with socket() as one:
        one.bind(("127.0.0.1", 0))
        tls_port = one.getsockname()[1]
    broker.more_configuration = f"listener {tls_port} 127.0.0.1\ncertfile {server}\nkeyfile {key}\n"
    broker.start()
    trusting = line(broker.settings(tls_port, tls={"ca_file": server}, timeout_ms=1000))
    trusting.up()
    trusting.decide(0)
    until(lambda: broker.verdicts, "a verdict over TLS")
    distrusting = line(broker.settings(tls_port, tls={}))
    until(lambda: "its certificate is not trusted" in (distrusting.gate.blocked() or ""), "said")
    plain = line(broker.settings(tls_port))
    until(lambda: plain.states()[-1] == "reconnecting", "no answer without TLS")
    assert port != tls_port


def _write_password(path: Path, user: str, password: str) -> None:
    tool = shutil.which("mosquitto_passwd")
    assert tool is not None
    path.unlink(missing_ok=True)
    subprocess.run([tool, "-b", "-c", str(path), user, password], check=True, capture_output=True)
    path.chmod(0o644)  # the broker gives root's rights up
