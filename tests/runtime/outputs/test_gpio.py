"""GPIO: built, not run. No machine of these tests has a GPIO chip or the kernel's simulator.

So `request_lines` is the one thing that stands in here; each call is bound to the signature of the real one, and all
values, settings and errors are the real module's.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest

from nand_edge.inspection import Verdict

gpiod = pytest.importorskip("gpiod", reason="gpiod is for Linux")

Until = Callable[..., None]


class Chip:
    """Lines that remember when they had which level."""

    def __init__(self) -> None:
        self.config: dict[int | str, Any] = {}
        self.levels: dict[int | str, list[bool]] = {}
        self.consumer = ""
        self.released = False
        self.broken = False

    def request_lines(self, path: str, **named: Any) -> Chip:
        assert path == "/dev/gpiochip0"
        # The function of the module opens a chip and hands all else to this method of it.
        bound = _REAL_REQUEST.bind(self, **named).arguments
        self.config, self.consumer, self.broken = bound["config"], bound["consumer"], False
        for line, settings in self.config.items():
            assert settings.direction is gpiod.line.Direction.OUTPUT
            self.levels.setdefault(line, []).append(settings.output_value is gpiod.line.Value.ACTIVE)
        return self

    def set_value(self, *arguments: Any, **named: Any) -> None:
        bound = inspect.signature(gpiod.LineRequest.set_value).bind(self, *arguments, **named).arguments
        if self.broken:
            raise OSError(5, "Input/output error")
        assert isinstance(bound["value"], gpiod.line.Value)
        self.levels[bound["line"]].append(bound["value"] is gpiod.line.Value.ACTIVE)

    def release(self, *arguments: Any) -> None:
        inspect.signature(gpiod.LineRequest.release).bind(self, *arguments)
        self.released = True


_REAL_REQUEST = inspect.signature(gpiod.Chip.request_lines)


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    made = Chip()
    monkeypatch.setattr(gpiod, "request_lines", made.request_lines)
    return made


@pytest.fixture
def settings(settings_of: Callable[..., Any]) -> Callable[..., Any]:
    """Settings of the lines 17 and HEART."""
    heartbeat = {"line": "HEART", "active_low": True}
    usual = {"name": "relay", "heartbeat": heartbeat, "heartbeat_ms": 30, "reconnect_min_ms": 20}
    return lambda **more: settings_of("gpio", **{**usual, **more})


def test_a_chip_that_is_not_there_is_said(line: Any, until: Until, settings: Any) -> None:
    """This one is the real module, on a machine without a chip."""
    running = line(settings(chip="/dev/gpiochip99"))
    until(lambda: "no lines of /dev/gpiochip99 (No such file" in (running.gate.blocked() or ""), "said")


def test_a_pass_opens_the_gate_for_the_pulse_and_a_reject_shuts_it(
    chip: Chip, line: Any, until: Until, settings: Any
) -> None:
    running = line(settings(), pulse_ms=80)
    running.up()
    assert chip.levels[17] == [False], "de-energised from the first moment"
    assert chip.config["HEART"].active_low
    assert not chip.config[17].active_low
    running.decide(0)
    until(lambda: chip.levels[17] == [False, True, False], "a pulse")
    running.decide(1)
    until(lambda: chip.levels[17][-1] is True, "open")
    running.decide(2, Verdict.REJECT)
    until(lambda: chip.levels[17][-1] is False, "shut")
    running.stop()
    assert chip.levels[17][-1] is chip.levels["HEART"][-1] is False
    until(lambda: chip.released, "the lines are given back")


def test_the_heartbeat_toggles_while_the_station_inspects(chip: Chip, line: Any, until: Until, settings: Any) -> None:
    running = line(settings(), heartbeat_timeout_ms=200)
    until(lambda: len(chip.levels.get("HEART", [])) > 6, "beats")
    beats = chip.levels["HEART"][2:6]
    assert beats in ([True, False, True, False], [False, True, False, True])
    running.turning.clear()
    time.sleep(0.35)
    still = chip.levels["HEART"][-1]
    counted = len(chip.levels["HEART"])
    time.sleep(0.1)
    assert set(chip.levels["HEART"][counted:]) <= {still}, "a watchdog relay falls"


def test_a_line_that_fails_is_taken_again(chip: Chip, line: Any, until: Until, settings: Any) -> None:
    running = line(settings())
    running.up()
    chip.broken = True
    until(lambda: "relay" in (running.gate.blocked() or ""), "blocked")
    running.up()
    assert running.facts("relay")["reconnects"] >= 1


def test_every_name_is_one_of_the_real_module() -> None:
    """What the output uses, in the module that is installed."""
    assert set(_REAL_REQUEST.parameters) >= {"config", "consumer"}
    assert "path" in inspect.signature(gpiod.request_lines).parameters
    assert set(inspect.signature(gpiod.LineSettings).parameters) >= {"direction", "output_value", "active_low"}
    for name in ("set_value", "release"):
        assert callable(getattr(gpiod.LineRequest, name))
    assert issubclass(gpiod.RequestReleasedError, Exception)
