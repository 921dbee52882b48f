"""Every frame that a camera gives gets one verdict: by the engine in time, or a reject with its reason."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from pace import within

from nand_edge.bundle import open_bundle
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.engine_process import Engine, EngineSettings, open_engine_process
from nand_edge_runtime.station.accounts import Accounts
from nand_edge_runtime.station.dispatcher import Dispatcher
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided, Hub
from nand_edge_runtime.station.records import FrameRecord, Reason

DEADLINE_MS = 500.0


class Line:
    """A camera whose frames the test gives, a book that remembers all that happens, and a gate that hears of it."""

    def __init__(self) -> None:
        self.waiting: deque[CameraFrame] = deque()
        self.no_room: list[CameraFrame] = []
        self.records: list[FrameRecord] = []
        self.entries: list[FrameKey] = []
        self.given = 0

    def give(
        self, grey: int = 40, *, size: tuple[int, int] = (24, 32), age_s: float = 0.0, fault: str = ""
    ) -> CameraFrame:
        frame = self.make(grey, size=size, age_s=age_s, fault=fault)
        self.waiting.append(frame)
        return frame

    def make(
        self, grey: int = 40, *, size: tuple[int, int] = (24, 32), age_s: float = 0.0, fault: str = ""
    ) -> CameraFrame:
        key = FrameKey("run", "top", self.given)
        self.given += 1
        image = np.full((*size, 3), grey, np.uint8)
        return CameraFrame(key, image, str(key), time.monotonic() - age_s, time.time(), fault=fault)

    def take(self) -> CameraFrame | None:
        try:
            return self.waiting.popleft()
        except IndexError:
            return None

    def overdue(self) -> list[CameraFrame]:
        frames, self.no_room = self.no_room, []
        return frames

    def peek_deadline(self) -> float | None:
        try:
            return self.waiting[0].taken + DEADLINE_MS / 1e3
        except IndexError:
            return None

    def entered(self, frame: CameraFrame) -> None:
        self.entries.append(frame.key)

    def decided(self, decided: Decided) -> None:
        self.records.append(decided.record)

    def decide(self, record: FrameRecord, taken: float) -> None:
        assert record in self.records, "on record before the gate acts"
        assert taken <= time.monotonic()

    def blocked(self) -> str | None:
        return None

    def record(self, frame: CameraFrame, timeout_s: float = 5.0) -> FrameRecord:
        """What became of a frame; fails when nothing does."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for record in list(self.records):
                if record.key == frame.key:
                    return record
            time.sleep(0.002)
        raise AssertionError(f"no verdict of {frame.key}")


class Counting:
    """The engine, with the sizes of its batches written down."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.batches: list[int] = []

    def inspect(self, frames: Sequence[CameraFrame], *, timeout_s: float) -> list[Inspection]:
        self.batches.append(len(frames))
        return self.engine.inspect(frames, timeout_s=timeout_s)


Start = Callable[..., Dispatcher]


@pytest.fixture(scope="module")
def shared_engine(toy_bundle: Path) -> Iterator[Engine]:
    settings = EngineSettings(threads=1, hang_timeout_s=30, isolated=sys.platform != "win32")
    engine = open_engine_process(toy_bundle, settings, normalities=[], threshold=0.5, on_change=lambda _status: None)
    engine.start(30.0)
    yield engine
    engine.close()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def engine(shared_engine: Engine, toy_bundle: Path) -> Counting:
    shared_engine.put_in_force([open_bundle(toy_bundle).normality("bright")], 0.5)
    return Counting(shared_engine)


@pytest.fixture
def start(line: Line, engine: Counting) -> Iterator[Start]:
    """Makes a dispatcher of the one camera, and starts it."""
    started: list[Dispatcher] = []

    def make(judged_by: object = None, *, batch: int = 1) -> Dispatcher:
        dispatcher = Dispatcher(
            {"top": (line, DEADLINE_MS)},
            judged_by or engine,  # type: ignore[arg-type]  # whatever the test wants in the engine's place
            Accounts(line, line, Hub()),
            normalities_sha256="+".join,
            beat=lambda: None,
            batches={"top": batch},
        )
        started.append(dispatcher)
        dispatcher.start()
        return dispatcher

    yield make
    for dispatcher in started:
        dispatcher.stop()
    assert sorted(record.key.number for record in line.records) == list(range(line.given)), "each exactly once"
    assert sorted(line.entries) == sorted(record.key for record in line.records)


def test_a_frame_gets_the_engines_verdict(line: Line, start: Start, engine: Counting) -> None:
    dispatcher = start()
    good, bright = line.give(40), line.give(240)
    dispatcher.wake()
    assert (line.record(good).verdict, line.record(good).reason) == (Verdict.PASS, Reason.INSPECTED)
    assert (line.record(bright).suppressed, line.record(bright).normalities_sha256) == (True, "bright")
    engine.engine.put_in_force([], 0.5)
    bad = line.give(240)
    assert (line.record(bad).verdict, line.record(bad).reason) == (Verdict.REJECT, Reason.INSPECTED)
    assert {"queue", "engine", "total", "transfer"} <= set(line.record(good).latency_ms)


def test_a_frame_that_waited_past_its_deadline_is_a_reject(line: Line, start: Start) -> None:
    start()
    late = line.give(age_s=2.0)
    assert (line.record(late).verdict, line.record(late).reason) == (Verdict.REJECT, Reason.DEADLINE)


def test_a_frame_that_found_no_room_is_a_reject(line: Line, start: Start) -> None:
    line.no_room.append(line.make())
    start()
    until = time.monotonic() + 5.0
    while not line.records and time.monotonic() < until:
        time.sleep(0.002)
    assert [record.reason for record in line.records] == [Reason.QUEUE_FULL]


def test_a_frame_that_cannot_be_inspected_is_a_reject_with_the_cameras_reason(line: Line, start: Start) -> None:
    start()
    record = line.record(line.give(fault="a JPEG that was cut short"))
    assert (record.reason, record.detail) == (Reason.FRAME_REFUSED, "a JPEG that was cut short")


def test_while_paused_every_frame_is_a_reject(line: Line, start: Start, engine: Counting) -> None:
    dispatcher = start()
    dispatcher.pause()
    assert line.record(line.give()).reason is Reason.PAUSED
    assert engine.batches == []
    dispatcher.resume()
    assert line.record(line.give()).reason is Reason.INSPECTED


def test_frames_that_wait_go_through_the_engine_together(line: Line, start: Start, engine: Counting) -> None:
    small = [line.give() for _ in range(3)]
    large = line.give(size=(48, 32))
    more = [line.give() for _ in range(2)]
    start(batch=4)
    for frame in (*small, large, *more):
        assert line.record(frame).reason is Reason.INSPECTED
    assert engine.batches == [3, 1, 2], "by four at most, and of one size"


def test_one_late_frame_costs_its_batch_nothing(line: Line, start: Start, engine: Counting) -> None:
    first = line.give()
    late, in_time = line.give(age_s=2.0), line.give()
    start(batch=3)
    reasons = [line.record(frame).reason for frame in (first, late, in_time)]
    assert reasons == [Reason.INSPECTED, Reason.DEADLINE, Reason.INSPECTED]
    assert engine.batches in ([2], [1, 1])


@pytest.mark.skipif(sys.platform != "linux", reason="stops the engine's process by a signal")
def test_an_engine_that_does_not_answer_costs_rejects_by_the_deadline(
    line: Line, start: Start, shared_engine: Engine
) -> None:
    dispatcher = start()
    assert line.record(line.give()).reason is Reason.INSPECTED
    pid = int(shared_engine.status().facts["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        first, second = line.give(), line.give()
        dispatcher.wake()
        for frame in (first, second):
            record = line.record(frame)
            assert (record.verdict, record.reason) == (Verdict.REJECT, Reason.DEADLINE)
            assert record.latency_ms["total"] < DEADLINE_MS + 250, "told at the deadline, not when the engine wakes up"
    finally:
        os.kill(pid, signal.SIGCONT)
    assert line.record(line.give()).reason is Reason.INSPECTED


class Astray:
    """An engine that does what no engine should."""

    def __init__(self, answer: Callable[[Sequence[CameraFrame]], list[Inspection]]) -> None:
        self.answer = answer

    def inspect(self, frames: Sequence[CameraFrame], *, timeout_s: float) -> list[Inspection]:
        assert timeout_s > 0
        return self.answer(frames)


def _raise(_frames: Sequence[CameraFrame]) -> list[Inspection]:
    raise RuntimeError("nobody foresaw this")


@pytest.mark.parametrize(
    "answer", [_raise, lambda _frames: [], lambda frames: [None] * len(frames)], ids=["raises", "too few", "no answer"]
)
def test_what_nobody_foresaw_is_a_reject_and_the_line_goes_on(
    answer: Callable[[Sequence[CameraFrame]], list[Inspection]], line: Line, start: Start
) -> None:
    start(Astray(answer))
    for _ in range(2):
        record = line.record(line.give())
        assert (record.verdict, record.reason) == (Verdict.REJECT, Reason.ENGINE_FAILED)


def test_stopping_leaves_no_frame_without_a_verdict(line: Line, start: Start) -> None:
    dispatcher = start()
    stop = threading.Event()

    def give() -> None:
        while not stop.is_set():
            line.give()
            time.sleep(0.0005)

    giving = threading.Thread(target=give, daemon=True)
    giving.start()
    until = time.monotonic() + 5.0
    while len(line.records) < 20 and time.monotonic() < until:
        time.sleep(0.002)
    stop.set()
    giving.join()
    with within(0.6):
        dispatcher.stop()
    assert {record.reason for record in line.records} <= {Reason.INSPECTED, Reason.STOPPED, Reason.DEADLINE}
    assert all(record.verdict is Verdict.REJECT for record in line.records if record.reason is not Reason.INSPECTED)


def test_one_that_was_never_started_can_be_stopped(line: Line, engine: Counting) -> None:
    waiting = line.give()
    Dispatcher(
        {"top": (line, DEADLINE_MS)}, engine, Accounts(line, line, Hub()),
        normalities_sha256=lambda _names: "", beat=lambda: None,
    ).stop()  # fmt: skip
    assert line.record(waiting).reason is Reason.STOPPED


def test_it_gives_signs_of_life_while_nothing_comes(line: Line, engine: Counting) -> None:
    beats: list[float] = []
    dispatcher = Dispatcher(
        {"top": (line, DEADLINE_MS)}, engine, Accounts(line, line, Hub()),
        normalities_sha256=lambda _names: "", beat=lambda: beats.append(time.monotonic()),
    )  # fmt: skip
    dispatcher.start()
    time.sleep(0.4)
    dispatcher.stop()
    assert len(beats) >= 3
