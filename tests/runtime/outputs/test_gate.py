"""The reject gate as a whole: when it tells what to whom, when it blocks passes, what it puts on record."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from pace import within

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.outputs import OUTPUTS, GateSettings, RejectGate
from nand_edge_runtime.outputs.kinds import open_output
from nand_edge_runtime.outputs.told import REASON_CODES, Override
from nand_edge_runtime.outputs.waiting import WaitingVerdicts
from nand_edge_runtime.station.hub import Hub
from nand_edge_runtime.station.records import Reason

Until = Callable[..., None]


def test_without_outputs_nothing_is_in_the_way() -> None:
    gate = RejectGate(GateSettings(), (), hub=Hub())
    gate.start()
    assert gate.blocked() is None
    assert gate.statuses() == ()
    gate.stop()


def test_a_verdict_comes_to_the_gate_after_its_delay(http_server: Any, line: Any, until: Until) -> None:
    running = line(http_server.settings(http_server.port), delay_ms=200, late_after_ms=1000)
    running.up()
    begin = time.monotonic()
    with within(0.35):
        running.decide(0, Verdict.REJECT)
        assert running.facts()["on_their_way"] == 1
        until(lambda: http_server.verdicts, "told")
    assert time.monotonic() - begin >= 0.2
    assert running.facts()["on_their_way"] == 0


def test_by_ticks_it_waits_for_the_conveyor(http_server: Any, line: Any, until: Until) -> None:
    running = line(http_server.settings(http_server.port), delay_ticks=500)
    running.up()
    running.gate.position(1000)
    running.decide(0, Verdict.REJECT, position=1000.0)
    running.gate.position(1499)
    time.sleep(0.1)
    assert http_server.verdicts == []
    running.gate.position(1500)
    until(lambda: http_server.verdicts, "told")
    assert http_server.verdicts[0]["late"] is False


def test_an_output_that_does_the_delay_itself_is_told_at_once(http_server: Any, line: Any, until: Until) -> None:
    running = line(http_server.settings(http_server.port, wait_for_gate=False), delay_ms=60_000)
    running.up()
    running.decide(0, Verdict.REJECT)
    until(lambda: http_server.frames() == [0], "told")
    running.stop()
    assert http_server.frames() == [0], "once"


def test_a_pass_that_comes_late_is_told_as_a_reject_and_on_record(http_server: Any, line: Any, until: Until) -> None:
    running = line(http_server.settings(http_server.port), delay_ms=50)
    running.up()
    running.decide(0)
    until(lambda: http_server.verdicts, "in time")
    running.gate.decide(_record(1), time.monotonic() - 5.0)
    until(lambda: len(http_server.verdicts) == 2, "late")
    late = http_server.verdicts[1]
    assert (late["verdict"], late["reason"], late["late"]) == ("reject", "late at the gate", True)
    assert (late["recorded_verdict"], late["recorded_reason"]) == ("pass", "inspected")
    until(lambda: any("told late as a reject" in what for what in running.on_record()), "in the audit log")


def test_a_late_verdict_as_it_is_where_that_is_wanted(http_server: Any, line: Any, until: Until) -> None:
    running = line(http_server.settings(http_server.port), delay_ms=50, when_late="tell")
    running.up()
    running.gate.decide(_record(1), time.monotonic() - 5.0)
    until(lambda: http_server.verdicts, "told")
    assert (http_server.verdicts[0]["verdict"], http_server.verdicts[0]["late"]) == ("pass", True)


def test_what_is_down_and_not_required_blocks_nothing(http_server: Any, line: Any, until: Until) -> None:
    http_server.kill()
    running = line(http_server.settings(http_server.port, required=False))
    until(lambda: running.states()[-1] == "reconnecting", "down")
    assert running.gate.blocked() is None


def test_going_on_is_a_choice(http_server: Any, line: Any, until: Until) -> None:
    http_server.kill()
    running = line(http_server.settings(http_server.port), when_down="go-on")
    until(lambda: running.states()[-1] == "reconnecting", "down")
    assert running.gate.blocked() is None


def test_each_output_hears_of_its_cameras(http_server: Any, modbus_plc: Any, line: Any, until: Until) -> None:
    left = http_server.settings(http_server.port, name="left", cameras=["left"])
    running = line(left, modbus_plc.settings(modbus_plc.port))
    running.up()
    running.decide(0, Verdict.REJECT, camera="left")
    running.decide(0, Verdict.REJECT, camera="right")
    running.decide(1, Verdict.REJECT, camera="left")
    until(lambda: len(http_server.verdicts) == 2 and len(modbus_plc.verdicts) == 3, "told")
    assert [one["camera"] for one in http_server.verdicts] == ["left", "left"]
    assert [one["sequence"] for one in http_server.verdicts] == [1, 2], "without gaps"


def test_a_full_queue_gives_up_the_oldest_and_says_so(http_server: Any, line: Any, until: Until) -> None:
    http_server.kill()
    running = line(http_server.settings(http_server.port, queue=3))
    for number in range(5):
        running.decide(number, Verdict.REJECT)
    assert running.facts()["dropped"] == 2
    until(lambda: any("2 verdicts never told" in what for what in running.on_record()), "on record")
    http_server.start()
    until(lambda: len(http_server.verdicts) == 3, "the others")
    assert [one["sequence"] for one in http_server.verdicts] == [3, 4, 5], "the gap can be seen"


def test_too_many_on_their_way_block_the_gate(http_server: Any, line: Any, until: Until) -> None:
    running = line(http_server.settings(http_server.port), delay_ms=60_000, waiting=2)
    running.up()
    for number in range(3):
        running.decide(number)
    assert running.gate.blocked() == "too many verdicts are on their way to the gate"
    until(lambda: http_server.frames() == [2], "the one too many, at once")
    assert http_server.verdicts[0]["verdict"] == "reject"


def test_the_first_of_a_queue_is_never_given_up_while_it_is_told() -> None:
    waiting = WaitingVerdicts(2)
    verdicts = [_gate_verdict(number) for number in range(4)]
    for verdict in verdicts[:2]:
        assert waiting.put(verdict, 0.0) is None
    first = waiting.first()
    given_up = waiting.put(verdicts[2], 0.0)
    assert first is not None
    assert given_up is not None
    assert (first.sequence, given_up.sequence) == (1, 2)
    waiting.returned()
    given_up = waiting.put(verdicts[3], 0.0)
    assert given_up is not None
    assert given_up.sequence == 1
    assert [verdict.sequence for verdict in waiting.close()] == [3, 4]


def test_deciding_takes_microseconds(http_server: Any, line: Any) -> None:
    running = line(http_server.settings(http_server.port, queue=100_000), delay_ms=1000)
    records = [_record(number) for number in range(2000)]
    with within(0.001 * len(records)):
        for record in records:
            running.gate.decide(record, time.monotonic())
            running.gate.alive()
            running.gate.blocked()


def test_the_package_alone_loads_no_protocol() -> None:
    program = "import sys, nand_edge_runtime.outputs; print(*sorted(name for name in sys.modules if '.' not in name))"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert not {"pymodbus", "asyncua", "paho", "gpiod", "httpx2"} & set(loaded)


def test_every_reason_has_its_number_once() -> None:
    assert set(REASON_CODES) == {*Reason, *Override}
    assert len(set(REASON_CODES.values())) == len(REASON_CODES)


@pytest.mark.parametrize("kind", list(OUTPUTS))
def test_a_package_that_is_missing_is_said_in_a_sentence(
    kind: str, monkeypatch: pytest.MonkeyPatch, settings_of: Callable[[str], Any]
) -> None:
    package = {"modbus-tcp": "pymodbus", "opc-ua": "asyncua", "mqtt": "paho", "gpio": "gpiod", "webhook": "httpx2"}[
        kind
    ]
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, OUTPUTS[kind].partition(":")[0], raising=False)
    with pytest.raises(NandEdgeError, match=rf"output 'one' of kind '{kind}': found no Python package '{package}'"):
        open_output(settings_of(kind), GateSettings())


def _record(number: int) -> Any:
    from nand_edge_runtime.station.frames import FrameKey
    from nand_edge_runtime.station.records import FrameRecord

    return FrameRecord(FrameKey("run", "top", number), "", 0.0, Verdict.PASS, Reason.INSPECTED)


def _gate_verdict(number: int) -> Any:
    from nand_edge_runtime.outputs.told import GateVerdict

    return GateVerdict(_record(number), 0.0)
