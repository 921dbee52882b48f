"""A camera at an RTSP address, a process of its own: killed, started again, and stopped in the middle of a frame."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from camera_feeds import FeedOf
from pace import within

from nand_benchmarks.line.code import read_code
from nand_benchmarks.line.ledger import read_ledger
from nand_edge_runtime.station.states import PartState

_SERVER = "nand_benchmarks.line.rtsp_server"
_BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"

Camera = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def camera(tmp_path: Path, port: int) -> Iterator[Camera]:
    """Starts the camera."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        arguments = ["--port", str(port), "--ledger", str(tmp_path / "ledger"), "--per-second", "50"]
        started.append(subprocess.Popen([sys.executable, "-m", _SERVER, *arguments], cwd=_BENCHMARKS))
        until = time.monotonic() + 20.0
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
                return started[-1]
            time.sleep(0.02)
        raise AssertionError("the camera does not start")

    yield start
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def test_a_camera_that_is_killed_and_started_again(camera: Camera, port: int, feed_of: FeedOf) -> None:
    process = camera()
    feed = feed_of(source=f"rtsp://127.0.0.1:{port}/top")
    frames = feed.take(10)
    assert len(frames) == 10
    assert not any(frame.fault for frame in frames)
    process.kill()
    assert feed.until_state(PartState.RECONNECTING)
    camera()
    with within(10.0):
        assert feed.until_state(PartState.RUNNING)
    assert len(feed.take(5)) == 5


def test_a_camera_that_hangs(camera: Camera, port: int, feed_of: FeedOf) -> None:
    process = camera()
    feed = feed_of(source=f"rtsp://127.0.0.1:{port}/top", read_timeout_s=1.0)
    feed.take(3)
    process.send_signal(signal.SIGSTOP)
    assert feed.until_state(PartState.RECONNECTING)
    with within(1.0):
        feed.feed.stop()


def test_stale_frames_do_not_pile_up(camera: Camera, port: int, feed_of: FeedOf, tmp_path: Path) -> None:
    camera()
    feed = feed_of(source=f"rtsp://127.0.0.1:{port}/top")
    feed.take(3)
    time.sleep(1.0)
    sent = max(read_ledger(tmp_path / "ledger"))
    newest = feed.take(1)[0]
    code = read_code(newest.image)
    assert code is not None
    assert code[1] > sent - 25, "half a second at 50 frames a second"
    assert newest.dropped_before > 10
