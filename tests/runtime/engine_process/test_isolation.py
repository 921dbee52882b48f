"""A crash or a hang of the engine's process costs rejects for seconds, and it comes back by itself."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pace import hold_up, within

from nand_edge.errors import NandEdgeError
from nand_edge.normality import Normality
from nand_edge_runtime.engine_process import Engine, EngineFailure, EngineSettings, open_engine_process
from nand_edge_runtime.engine_process.child_process import ChildProcess
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.shared_pool import SharedPool
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import Reason
from nand_edge_runtime.station.states import PartState, PartStatus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, and sends Linux's signals")

OpenEngine = Callable[..., Engine]
MakeFrame = Callable[..., CameraFrame]

BACK_S = 5.0


def pid_of(engine: Engine) -> int:
    return int(engine.status().facts["pid"])


def failure(engine: Engine, frame: CameraFrame, timeout_s: float = 5.0) -> EngineFailure:
    with pytest.raises(EngineFailure) as raised:
        engine.inspect([frame], timeout_s=timeout_s)
    return raised.value


def wait_until(condition: Callable[[], bool], timeout_s: float = BACK_S) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def judged_again(engine: Engine, frame: CameraFrame) -> bool:
    try:
        return bool(engine.inspect([frame], timeout_s=5.0))
    except EngineFailure:
        return False


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_costs_rejects_until_it_is_back(
    deadly: signal.Signals,
    open_engine: OpenEngine,
    make_frame: MakeFrame,
    words: dict[str, Normality],
    told: list[PartStatus],
) -> None:
    engine = open_engine()
    engine.put_in_force([words["dark"]], 0.3)
    first = pid_of(engine)
    os.kill(first, deadly)
    died = failure(engine, make_frame())
    assert died.reason is Reason.ENGINE_FAILED
    assert f"ended by {deadly.name}" in died.detail

    wait_until(lambda: engine.status().state is PartState.RECONNECTING)
    with within(0.3, "frames do not wait for it"):
        assert failure(engine, make_frame()).reason is Reason.ENGINE_NOT_READY

    wait_until(lambda: judged_again(engine, make_frame()))
    assert pid_of(engine) != first
    (inspection,) = engine.inspect([make_frame()], timeout_s=5.0)
    assert (inspection.normalities, inspection.threshold) == (("dark",), 0.3), "what is in force outlives it"
    assert engine.status().facts["restarts"] == 1
    assert [status.state for status in told] == [PartState.RUNNING, PartState.RECONNECTING, PartState.RUNNING]


def test_killed_in_the_middle_of_a_run_the_frame_is_no_pass(open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    engine = open_engine()
    pid = pid_of(engine)
    os.kill(pid, signal.SIGSTOP)  # it has the frame and does not answer, as in a long run
    killer = threading.Timer(0.05, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with within(1.0, "nobody waits for the dead"):
        assert failure(engine, make_frame()).reason is Reason.ENGINE_FAILED
    wait_until(lambda: judged_again(engine, make_frame()))


def test_a_pause_shorter_than_a_hang_costs_the_late_frame_alone(open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    engine = open_engine(hang_timeout_s=30.0)
    pid = pid_of(engine)
    os.kill(pid, signal.SIGSTOP)
    for _ in range(2):
        assert failure(engine, make_frame(200), 0.02).reason is Reason.DEADLINE
    os.kill(pid, signal.SIGCONT)
    (inspection,) = engine.inspect([make_frame(30)], timeout_s=5.0)
    assert round(inspection.base_score * 255) == 30, "the late answer to another frame is thrown away"
    assert pid_of(engine) == pid


def test_one_that_hangs_is_ended_and_started_again(open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    engine = open_engine(hang_timeout_s=0.2)
    pid = pid_of(engine)
    os.kill(pid, signal.SIGSTOP)
    assert failure(engine, make_frame(), 0.02).reason is Reason.DEADLINE
    wait_until(lambda: is_gone(pid))
    wait_until(lambda: judged_again(engine, make_frame()))
    assert engine.status().facts["hangs"] == 1


def test_a_machine_that_stands_still_is_no_hang(open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    engine = open_engine(hang_timeout_s=0.5)
    pid = pid_of(engine)
    os.kill(pid, signal.SIGSTOP)
    assert failure(engine, make_frame(), 0.02).reason is Reason.DEADLINE
    hold_up(1.0)
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.3)
    assert pid_of(engine) == pid
    assert engine.status().facts["hangs"] == 0
    assert engine.inspect([make_frame()], timeout_s=5.0)


def test_a_frame_that_waits_longer_than_a_hang_may_last_is_told_so(
    open_engine: OpenEngine, make_frame: MakeFrame
) -> None:
    engine = open_engine(hang_timeout_s=0.2)
    os.kill(pid_of(engine), signal.SIGSTOP)
    hung = failure(engine, make_frame(), 10.0)
    assert (hung.reason, hung.detail) == (Reason.ENGINE_FAILED, "it hung for over 0.2 s and was ended")


def test_a_late_answer_that_nobody_fetched_is_no_hang(open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    engine = open_engine(hang_timeout_s=0.8)
    pid = pid_of(engine)
    os.kill(pid, signal.SIGSTOP)
    assert failure(engine, make_frame(), 0.01).reason is Reason.DEADLINE
    os.kill(pid, signal.SIGCONT)
    time.sleep(1.1)  # no camera gives a frame meanwhile
    assert pid_of(engine) == pid
    assert engine.status().facts["hangs"] == 0


def test_a_start_again_that_fails_is_tried_until_it_succeeds(
    own_bundle: Path, open_engine: OpenEngine, make_frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(own_bundle)
    graph = own_bundle / "graph.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole + b"more")
    os.kill(pid_of(engine), signal.SIGKILL)
    wait_until(lambda: "graph.onnx" in engine.status().why)
    assert engine.status().state is PartState.RECONNECTING
    assert "graph.onnx" in failure(engine, make_frame()).detail
    assert "cannot be started again" in caplog.text
    graph.write_bytes(whole)
    wait_until(lambda: judged_again(engine, make_frame()))
    assert engine.status().state is PartState.RUNNING


def test_ctrl_c_and_a_polite_end_are_for_the_station_to_obey(open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    engine = open_engine()
    pid = pid_of(engine)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert engine.inspect([make_frame()], timeout_s=5.0)
    assert pid_of(engine) == pid
    assert os.getsid(pid) != os.getsid(0), "nor does the terminal's Ctrl-C reach it"


STATION = """
    import sys, time
    from pathlib import Path
    from nand_edge_runtime.engine_process import EngineSettings, open_engine_process
    engine = open_engine_process(
        Path(sys.argv[1]), EngineSettings(threads=1), normalities=[], threshold=0.5, on_change=lambda status: None
    )
    engine.start(30.0)
    print(int(engine.status().facts["pid"]), flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("hanging", [False, True], ids=["waiting", "in a run that hangs"])
def test_it_ends_when_its_station_is_killed(*, hanging: bool, toy_bundle: Path) -> None:
    station = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STATION), str(toy_bundle)], stdout=subprocess.PIPE, text=True
    )
    assert station.stdout is not None
    with station.stdout as printed:
        pid = int(printed.readline())
    if hanging:
        os.kill(pid, signal.SIGSTOP)
    station.kill()
    station.wait()
    wait_until(lambda: is_gone(pid), 2.0)


@pytest.mark.parametrize("hanging", [False, True], ids=["well", "hanging"])
def test_it_is_closed_at_once(*, hanging: bool, open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    before = set(threading.enumerate())
    files = open_files(os.getpid())
    engine = open_engine(hang_timeout_s=60)
    engine.inspect([make_frame()], timeout_s=5.0)
    pid = pid_of(engine)
    if hanging:
        os.kill(pid, signal.SIGSTOP)
        assert failure(engine, make_frame(), 0.01).reason is Reason.DEADLINE
    with within(0.5):
        engine.close()
    assert is_gone(pid)
    wait_until(lambda: set(threading.enumerate()) <= before, 1.0)
    # Fewer than before where an engine of another test let go of its own meanwhile.
    assert open_files(os.getpid()) <= files


def test_frames_of_all_sizes_leave_no_files_behind(open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    engine = open_engine()
    engine.inspect([make_frame(size=(300, 300))], timeout_s=5.0)
    processes = (os.getpid(), pid_of(engine))
    before = [open_files(pid) for pid in processes]
    random = np.random.default_rng(0)
    for height, width in random.integers(1, 400, (60, 2)).tolist():
        (inspection,) = engine.inspect([make_frame(77, size=(height, width))], timeout_s=5.0)
        assert round(inspection.base_score * 255) == 77
    # Memory for frames of other sizes is kept for a while, in five pieces at most, two files each.
    more = [open_files(pid) - files for pid, files in zip(processes, before, strict=True)]
    assert max(more) <= 10


def test_what_its_process_prints_is_in_the_log(open_engine: OpenEngine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        engine = open_engine()
        # The engine's output is a pipe that others may write into, as its libraries do.
        with Path(f"/proc/{pid_of(engine)}/fd/2").open("w", encoding="utf-8") as output:
            output.write("the driver complains\n")
        wait_until(lambda: "engine process: the driver complains" in caplog.text)


def test_killed_again_and_again_while_frames_flow(open_engine: OpenEngine, make_frame: MakeFrame) -> None:
    """Three here; the benchmark does twenty. Every frame has an inspection of its own or a reason for its reject."""
    engine = open_engine()
    killed = 0
    for _ in range(3):
        pid = pid_of(engine)
        killer = threading.Timer(0.02, os.kill, (pid, signal.SIGKILL))
        killer.start()
        reasons = set()
        until = time.monotonic() + BACK_S
        while time.monotonic() < until:
            frame = make_frame(40)
            try:
                (inspection,) = engine.inspect([frame], timeout_s=5.0)
                assert inspection.frame == frame.name
            except EngineFailure as why:
                reasons.add(why.reason)
                time.sleep(0.001)
            else:
                if reasons and pid_of(engine) != pid:
                    break
        killed += 1
        assert reasons <= {Reason.ENGINE_FAILED, Reason.ENGINE_NOT_READY}
        assert reasons
    assert engine.status().facts["restarts"] == killed


def test_a_frame_that_comes_to_one_that_has_just_ended_does_not_wait(toy_bundle: Path, make_frame: MakeFrame) -> None:
    child = ChildProcess(toy_bundle, EngineSettings(threads=1), memory=SharedPool(), map_size=256)
    child.open(30.0, threading.Event())
    judged_by = JudgedBy(0, (), 0.5)
    assert child.judge([make_frame()], judged_by, 5.0)
    child.end("the station stops")
    with within(0.5):
        with pytest.raises(EngineFailure) as raised:
            child.judge([make_frame()], judged_by, 5.0)
        assert (raised.value.reason, raised.value.detail) == (Reason.ENGINE_NOT_READY, "the station stops")
    child.end("the station stops")


def test_a_start_that_takes_long_can_be_given_up(toy_bundle: Path) -> None:
    engine = open_engine_process(
        toy_bundle, EngineSettings(threads=1), normalities=[], threshold=0.5, on_change=lambda _status: None
    )
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    with within(1.0):
        with pytest.raises(NandEdgeError, match="an order to stop"):
            engine.start(60.0, stop=stop)
        engine.close()
