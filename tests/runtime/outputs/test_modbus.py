"""Modbus TCP: the registers as the documentation has them, the coil that is safe without current, the handshake."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nand_edge.inspection import Verdict
from nand_edge_runtime.outputs.told import counted

Until = Callable[..., None]


def test_the_registers_of_a_verdict(modbus_plc: Any, line: Any, until: Until) -> None:
    running = line(modbus_plc.settings(modbus_plc.port, cameras=["side", "top"]))
    running.up()
    running.decide(70_000, Verdict.REJECT, position=-123.6)
    running.decide(70_001, position=5e9)
    running.decide(70_002)
    until(lambda: len(modbus_plc.verdicts) == 3, "three verdicts")
    first, second, third = (one["words"] for one in modbus_plc.verdicts)
    assert first[:4] == [0, 0, 0, 2], "reject, inspected, in time, the second camera"
    assert struct.unpack(">I", struct.pack(">2H", *first[4:6])) == (70_000,)
    assert struct.unpack(">i", struct.pack(">2H", *first[6:8])) == (-124,)
    assert struct.unpack(">f", struct.pack(">2H", *first[8:10])) == (0.25,)
    assert [words[10] for words in (first, second, third)] == [1, 2, 3], "the sequence number"
    assert second[0] == 1
    assert struct.unpack(">i", struct.pack(">2H", *second[6:8])) == (5_000_000_000 - (1 << 32),), "goes round"
    assert struct.unpack(">i", struct.pack(">2H", *third[6:8])) == (-(1 << 31),), "no place is known"


def test_the_low_word_first_where_a_plc_wants_it(modbus_plc: Any, line: Any, until: Until) -> None:
    running = line(modbus_plc.settings(modbus_plc.port, word_order="little"))
    running.decide(70_000, Verdict.REJECT)
    until(lambda: modbus_plc.verdicts, "a verdict")
    assert modbus_plc.verdicts[0]["words"][4:6] == [70_000 & 0xFFFF, 1]


def test_a_count_goes_round_a_register_and_is_never_0() -> None:
    assert [counted(number, 65_535) for number in (0, 1, 65_535, 65_536, 131_070, 131_071)] == [
        0, 1, 65_535, 1, 65_535, 1
    ]  # fmt: skip


def test_the_coil_is_energised_for_a_pass_and_no_longer_than_the_pulse(
    modbus_plc: Any, line: Any, until: Until
) -> None:
    running = line(modbus_plc.settings(modbus_plc.port, coil=7), pulse_ms=120)
    running.up()
    assert [level for _, level in modbus_plc.coils] == [False], "de-energised first of all"
    running.decide(0)
    until(lambda: len(modbus_plc.coils) == 3, "the pulse is over")
    (_, _), (on_at, on), (off_at, off) = modbus_plc.coils
    assert (on, off) == (True, False)
    assert 0.05 < off_at - on_at < 0.4


def test_a_reject_shuts_the_gate_at_once(modbus_plc: Any, line: Any, until: Until) -> None:
    running = line(modbus_plc.settings(modbus_plc.port, coil=7), pulse_ms=60_000)
    running.up()
    running.decide(0)
    until(lambda: len(modbus_plc.coils) == 2, "open")
    running.decide(1, Verdict.REJECT)
    until(lambda: len(modbus_plc.coils) == 3, "shut")
    running.decide(2)
    until(lambda: len(modbus_plc.coils) == 4, "open again")
    running.stop()
    assert [level for _, level in modbus_plc.coils] == [False, True, False, True, False], "shut at the end"
    assert modbus_plc.state == "stopped"


def test_the_other_polarity_throws_out_for_a_reject(modbus_plc: Any, line: Any, until: Until) -> None:
    running = line(modbus_plc.settings(modbus_plc.port, coil=7, energised="reject"), pulse_ms=80)
    running.up()
    running.decide(0)
    running.decide(1, Verdict.REJECT)
    running.decide(2)
    until(lambda: len(modbus_plc.coils) == 3, "one pulse")
    time.sleep(0.1)
    assert [level for _, level in modbus_plc.coils] == [False, True, False]


def test_the_next_verdict_waits_for_the_acknowledgement(modbus_plc: Any, line: Any, until: Until) -> None:
    running = line(modbus_plc.settings(modbus_plc.port, acknowledge_register=300, timeout_ms=400), late_after_ms=5000)
    running.up()
    for number in range(5):
        running.decide(number, Verdict.REJECT)
    time.sleep(0.2)
    assert modbus_plc.frames() == [0], "the PLC has not read the first yet"
    stopped = threading.Event()
    program = threading.Thread(target=modbus_plc.acknowledge_all, args=(300, stopped))
    program.start()
    until(lambda: running.facts()["sent"] == 5, "all acknowledged")
    stopped.set()
    program.join()
    assert modbus_plc.frames() == [0, 1, 2, 3, 4]


def test_a_plc_that_never_acknowledges_is_down(modbus_plc: Any, line: Any, until: Until) -> None:
    running = line(modbus_plc.settings(modbus_plc.port, acknowledge_register=300))
    running.up()
    running.decide(0, Verdict.REJECT)
    until(lambda: "acknowledge" in (running.gate.blocked() or ""), "blocked")
    assert modbus_plc.frames() == [0], "told again under the same number, which is no new verdict"


def test_a_unit_that_is_not_there_is_said(modbus_plc: Any, line: Any, until: Until) -> None:
    running = line(modbus_plc.settings(modbus_plc.port, unit=9))
    until(lambda: "it refuses write registers (Modbus exception" in (running.gate.blocked() or ""), "said")


def test_an_earlier_runs_verdict_does_not_stay(modbus_plc: Any, line: Any, until: Until) -> None:
    first = line(modbus_plc.settings(modbus_plc.port))
    first.up()
    first.decide(0)
    until(lambda: modbus_plc.sequence == 1, "told")
    second = line(modbus_plc.settings(modbus_plc.port))
    second.up()
    assert modbus_plc.sequence == 0
    second.decide(0)
    until(lambda: modbus_plc.sequence == 1, "the first verdict of the new run is a change")


def test_over_tls(line: Any, until: Until, certificate: Callable[..., tuple[Path, Path]], tls_modbus_plc: Any) -> None:
    own, key = certificate("plc")
    plc = tls_modbus_plc(own, key)
    running = line(plc.settings(plc.port, tls={"ca_file": own}, timeout_ms=1000))
    running.up()
    running.decide(0)
    until(lambda: plc.frames() == [0], "told")
    distrusting = line(plc.settings(plc.port, name="other", tls={}, timeout_ms=1000))
    until(lambda: "its certificate is not trusted" in (distrusting.gate.blocked() or ""), "said")
