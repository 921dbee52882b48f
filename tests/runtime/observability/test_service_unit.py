"""The unit for systemd is one that systemd takes, and that waits for what the station says."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nand_edge_runtime.observability import ServiceManager

UNIT = Path(__file__).parents[3] / "deploy/nand-edge@.service"

pytestmark = pytest.mark.station


@pytest.fixture
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, encoding="utf-8")
    return parser["Service"]


def test_it_waits_for_ready_and_for_signs_of_life(service: configparser.SectionProxy) -> None:
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    usec = int(service["WatchdogSec"]) * 1_000_000
    manager = ServiceManager({"NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": str(usec)})
    assert manager.watchdog_s is not None
    assert manager.watchdog_s <= int(service["WatchdogSec"]) / 2


def test_it_may_do_little(service: configparser.SectionProxy) -> None:
    assert service["NoNewPrivileges"] == service["ProtectHome"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["User"] == "nand-edge"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    # Programs and users that are not on this machine would be complaints of their own.
    text = UNIT.read_text(encoding="utf-8").replace("/opt/nand-edge/bin/nand-edge", sys.executable)
    unit = tmp_path / UNIT.name
    unit.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [shutil.which("systemd-analyze") or "", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (0, [])
