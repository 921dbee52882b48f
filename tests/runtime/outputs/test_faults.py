"""Whatever happens to a peer: no frame passes meanwhile, it comes back by itself, nothing is lost or doubled."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pace import within

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.records import FrameRecord

every_peer = pytest.mark.parametrize("peer", ["modbus-tcp", "opc-ua", "mqtt", "webhook"], indirect=True)

Until = Callable[..., None]

_NOTICED_S = 1.5
"""Beat, time-out and grace of the quick settings, and as much and more for a busy machine."""


def nothing_lost_or_doubled(peer: Any, records: list[FrameRecord]) -> None:
    """Every frame was told once and in order, and none that is a reject on record was told as a pass."""
    assert peer.frames() == [record.key.number for record in records]
    for told, record in zip(peer.verdicts, records, strict=True):
        assert told["verdict"] == "reject" or record.verdict is Verdict.PASS, record.key


@every_peer
def test_verdicts_arrive_once_and_in_order(peer: Any, line: Any, until: Until) -> None:
    running = line(peer.settings(peer.port), late_after_ms=5000)
    running.up()
    for number in range(200):
        running.decide(number, Verdict.REJECT if number % 3 == 0 else Verdict.PASS)
    until(lambda: len(peer.verdicts) == 200, "all verdicts")
    assert peer.frames() == list(range(200))
    assert all(one["verdict"] == ("reject" if one["frame"] % 3 == 0 else "pass") for one in peer.verdicts)
    assert not any(one["late"] for one in peer.verdicts)
    until(lambda: running.facts()["sent"] == 200, "all confirmed")
    assert running.facts()["dropped"] == running.facts()["queue"] == 0


@every_peer
def test_a_cut_cable_and_a_peer_that_hangs(peer: Any, cable: Any, line: Any, until: Until) -> None:
    running = line(peer.settings(cable.port))
    running.up()
    traffic = running.traffic()
    time.sleep(0.05)
    for fault in (cable.cut, cable.hang):
        begin = time.monotonic()
        fault()
        until(running.gate.blocked, "the gate is blocked", _NOTICED_S)
        noticed = time.monotonic()
        time.sleep(0.1)
        mended = time.monotonic()
        cable.cut()
        cable.plug_in()
        running.up()
        assert time.monotonic() - mended < 5
        assert traffic.passes_between(noticed, mended) == 0
        assert noticed - begin < _NOTICED_S
        until(lambda: running.facts()["queue"] == 0, "what waited is told")
    records = traffic.stop()
    until(lambda: len(peer.verdicts) >= len(records), "all verdicts")
    until(lambda: running.facts()["queue"] == 0, "all confirmed")
    nothing_lost_or_doubled(peer, records)
    assert any(told["late"] and told["verdict"] == "reject" for told in peer.verdicts)
    assert running.states()[0] == "starting"
    assert {"running", "reconnecting"} < set(running.states())
    assert running.facts()["reconnects"] >= 2
    assert running.facts()["dropped"] == 0


@every_peer
def test_a_peer_that_is_down_at_the_start_and_killed_later(peer: Any, cable: Any, line: Any, until: Until) -> None:
    peer.kill()
    running = line(peer.settings(cable.port))
    traffic = running.traffic()
    until(lambda: running.states()[-1] == "reconnecting", "the output says that it cannot connect")
    assert "plc" in running.gate.blocked()

    def start() -> None:
        """The broker's receiver is there before the station is: what comes earlier, nobody would hear."""
        cable.cut()
        peer.start()
        cable.plug_in()
        running.up()

    start()
    time.sleep(0.05)
    killed = time.monotonic()
    peer.kill()
    until(running.gate.blocked, "the gate is blocked", _NOTICED_S)
    assert time.monotonic() - killed < _NOTICED_S
    time.sleep(0.1)
    start()
    time.sleep(0.05)
    records = traffic.stop()
    until(lambda: len(peer.verdicts) >= len(records), "all verdicts")
    until(lambda: running.facts()["queue"] == 0, "all confirmed")
    nothing_lost_or_doubled(peer, records)
    assert {record.verdict for record in records} == {Verdict.PASS, Verdict.REJECT}


@every_peer
def test_the_heartbeat_shows_the_dispatchers_life_not_the_outputs(peer: Any, line: Any, until: Until) -> None:
    running = line(peer.settings(peer.port), heartbeat_timeout_ms=200)
    until(lambda: len(peer.beats) > 3, "heartbeats")
    assert peer.state == "running"
    running.turning.clear()
    until(lambda: peer.state == "stalled", "the peer hears that nothing is inspected")
    stood_at = peer.beats[-1]
    time.sleep(0.2)
    assert peer.beats[-1] == stood_at, "the thread of the output lives, and that is not enough"
    running.turning.set()
    until(lambda: peer.state == "running" and peer.beats[-1] > stood_at, "the heart beats again")
    assert sorted(peer.beats) == peer.beats


@every_peer
def test_a_clean_stop_tells_everything_and_closes_the_gate(peer: Any, line: Any) -> None:
    running = line(peer.settings(peer.port), delay_ms=60_000)
    running.up()
    for number in range(20):
        running.decide(number)
    assert running.facts()["on_their_way"] == 20
    with within(0.6):
        running.stop()
    time.sleep(0.05)
    assert peer.frames() == list(range(20))
    assert {told["verdict"] for told in peer.verdicts} == {"reject"}, "the gate closes before they reach it"
    assert peer.state == "stopped"
    assert running.states()[-1] == "stopped"
    assert running.facts()["dropped"] == 0
    assert any("station stopped before the gate" in what for what in running.on_record())


@every_peer
def test_a_slow_peer_delays_nobody_and_is_said_when_it_does_not_keep_up(
    peer: Any, cable: Any, http_server: Any, line: Any, until: Until
) -> None:
    outputs = (peer.settings(cable.port, timeout_ms=600), http_server.settings(http_server.port, name="other"))
    running = line(*outputs, late_after_ms=1000)
    running.up()
    cable.delay_s = 0.15
    took = []
    for number in range(30):
        begin = time.perf_counter()
        running.decide(number, Verdict.REJECT)
        took.append(time.perf_counter() - begin)
        time.sleep(0.01)
    until(lambda: len(http_server.verdicts) == 30, "the other output has all", 3.0)
    assert len(peer.verdicts) < 30
    assert running.facts("other")["late"] == 0
    assert statistics.median(took) < 0.005, "the dispatcher waits for no output"
    until(lambda: "does not keep up" in (running.gate.blocked() or ""), "the gate is blocked", 2.0)
    cable.delay_s = 0.0
    until(lambda: len(peer.verdicts) == 30, "it has all in the end")
    running.up()
    assert peer.frames() == list(range(30))


def test_a_stop_waits_for_no_peer_that_hangs(modbus_plc: Any, line: Any, until: Until) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        running = line(modbus_plc.settings(port, timeout_ms=20_000))
        running.decide(0)
        until(lambda: running.gate.blocked() is not None, "blocked")
        time.sleep(0.1)
        with within(0.6):
            running.stop()
    assert running.facts()["dropped"] == 1
    assert any("never told" in what for what in running.on_record())


@every_peer
def test_nothing_is_left_behind_by_many_connections(peer: Any, cable: Any, line: Any, until: Until) -> None:
    running = line(peer.settings(cable.port))

    def left() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    def reconnect() -> None:
        cable.cut()
        until(running.gate.blocked, "blocked", _NOTICED_S)
        cable.plug_in()
        running.up()

    running.up()
    reconnect()
    time.sleep(0.2)
    threads, files = left()
    for _ in range(3):
        reconnect()
    until(lambda: left()[0] <= threads and left()[1] <= files, "threads and files are as few as before", 3.0)
