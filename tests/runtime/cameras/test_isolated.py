"""Drivers that hang or crash: their process is ended, the camera opened again, and the station goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from camera_feeds import FeedOf
from camera_server import CameraServer
from pace import hold_up, within

from nand_edge_runtime.cameras.isolated import ProcessHost
from nand_edge_runtime.station.states import PartState

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, and opens a pipe below /dev")


def children() -> set[int]:
    """The cameras' processes that this one started and that are not dead."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(number) for number in (task / "children").read_text().split()}
    return {number for number in found if _state(number) not in "ZX" and _runs_a_camera(number)}


def _runs_a_camera(process: int) -> bool:
    try:
        return b"camera_process" in Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "X"


@pytest.fixture
def hanging_device() -> Iterator[Path]:
    """A device whose driver hangs for good when it is opened: a pipe into which nobody writes."""
    path = Path("/dev", "shm", f"nand-edge-{os.getpid()}-{time.monotonic_ns()}.avi")
    os.mkfifo(path)
    yield path
    path.unlink()


def test_a_driver_that_hangs_is_ended_with_its_process_and_tried_again(hanging_device: Path, feed_of: FeedOf) -> None:
    feed = feed_of(source=str(hanging_device), kind="opencv", open_timeout_s=0.5)
    assert feed.until(lambda: feed.feed.status().facts["read_errors"] >= 2)
    assert feed.feed.status().why == "its driver hung while it opens: no sign of life for 0.5 s"
    with within(1.0):
        feed.feed.stop()
    assert feed.until(lambda: not children()), "no process stays behind"


def test_it_can_be_stopped_while_the_driver_hangs(hanging_device: Path, feed_of: FeedOf) -> None:
    feed = feed_of(source=str(hanging_device), kind="opencv", open_timeout_s=60)
    assert feed.until(lambda: len(children()) == 1)
    time.sleep(0.5)
    with within(1.0):
        feed.feed.stop()
    assert feed.until(lambda: not children())
    assert feed.until(lambda: not any(thread.name == "camera top" for thread in threading.enumerate()))


def test_a_driver_that_hangs_between_frames(camera_server: CameraServer, feed_of: FeedOf) -> None:
    feed = feed_of(source=camera_server.address, read_timeout_s=0.5)
    feed.take(3)
    (process,) = children()
    os.kill(process, signal.SIGSTOP)
    assert feed.until_state(PartState.RECONNECTING)
    assert "no sign of life for 0.5 s" in feed.feed.status().why
    assert feed.until_state(PartState.RUNNING)
    assert feed.take(3)
    assert process not in children()


def test_a_machine_that_stands_still_is_no_driver_that_hangs(camera_server: CameraServer, feed_of: FeedOf) -> None:
    feed = feed_of(source=camera_server.address, read_timeout_s=0.5)
    feed.take(3)
    (process,) = children()
    os.kill(process, signal.SIGSTOP)
    time.sleep(0.05)
    hold_up(1.2)
    os.kill(process, signal.SIGCONT)
    frames = feed.feed.status().facts["frames"]
    assert feed.until(lambda: feed.feed.status().facts["frames"] >= frames + 10)
    assert children() == {process}


def test_a_driver_that_crashes(camera_server: CameraServer, feed_of: FeedOf) -> None:
    feed = feed_of(source=camera_server.address)
    feed.take(3)
    (process,) = children()
    os.kill(process, signal.SIGSEGV)
    assert feed.until_state(PartState.RECONNECTING)
    assert feed.feed.status().why == "its process ended by signal 11"
    assert feed.until_state(PartState.RUNNING)
    assert feed.take(3)


def test_a_video_whose_reader_crashes_ends_with_a_reject_and_is_not_read_twice(tmp_path: Path, feed_of: FeedOf) -> None:
    import cv2
    import numpy as np

    path = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (64, 48))
    for _ in range(100):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    feed = feed_of(source=str(path), queue=2)
    frames = feed.take(5)
    (process,) = children()
    os.kill(process, signal.SIGKILL)
    frames += feed.take(1000)
    assert frames[-1].fault == "its process ended by signal 9"
    assert [frame.key.number for frame in frames] == list(range(len(frames)))
    assert len(frames) < 100
    assert feed.feed.status().state is PartState.FINISHED


def test_signals_to_the_whole_group_do_not_end_the_drivers_process(
    camera_server: CameraServer, feed_of: FeedOf
) -> None:
    feed = feed_of(source=camera_server.address)
    feed.take(3)
    (process,) = children()
    os.kill(process, signal.SIGINT)
    os.kill(process, signal.SIGTERM)
    time.sleep(0.2)
    feed.take(10)
    assert children() == {process}


_FEED = """
import sys, time
from nand_edge_runtime.cameras import CameraFeed, CameraSettings
from nand_edge_runtime.station.hub import Hub

feed = CameraFeed(CameraSettings(name="top", source=sys.argv[1]), "r1", hub=Hub(), on_frame=lambda: None)
feed.start()
while feed.take() is None:
    time.sleep(0.01)
print("frames", flush=True)
time.sleep(60)
"""


def test_the_drivers_process_ends_when_the_station_is_killed(camera_server: CameraServer) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _FEED, camera_server.address], stdout=subprocess.PIPE, text=True
    ) as station:
        assert station.stdout is not None
        assert station.stdout.readline() == "frames\n"
        (driver,) = (
            int(number)
            for task in Path(f"/proc/{station.pid}/task").iterdir()
            for number in (task / "children").read_text().split()
        )
        station.kill()
    until = time.monotonic() + 10.0
    while _state(driver) not in "ZX" and time.monotonic() < until:
        time.sleep(0.02)
    assert _state(driver) in "ZX"


def test_frames_come_through_shared_memory_as_they_were(feed_of: FeedOf) -> None:
    camera = CameraServer(size=(640, 480), per_second=50)
    frames = feed_of(source=camera.address).take(30)
    for frame in frames:
        assert frame.image.shape == (480, 640, 3)
        assert int(frame.image.min()) == int(frame.image.max()), "no picture is torn"
    camera.die()


def test_the_process_stays_over_faults_that_the_driver_reports(feed_of: FeedOf) -> None:
    feed = feed_of(source="http://127.0.0.1:9/", reconnect_longest_s=0.1)
    assert feed.until(lambda: feed.feed.status().facts["read_errors"] >= 2)
    before = children()
    assert feed.until(lambda: feed.feed.status().facts["read_errors"] >= 8)
    assert children() == before, "an unplugged camera must not cost a processor for starting processes"


def test_thousands_of_frames_take_no_more_memory_and_files(video_of_many: Path) -> None:
    from nand_edge_runtime.cameras import CameraSettings

    host = ProcessHost(CameraSettings(name="top", source=str(video_of_many), loop=True))
    host.open()

    def read(count: int) -> None:
        until = time.monotonic() + 60.0
        while count and time.monotonic() < until:
            count -= host.read(0.1) is not None
        assert count == 0

    read(500)
    (process,) = children()
    before = [_footprint(each) for each in (os.getpid(), process)]
    read(3000)
    # A file that is open for a moment, as when the video begins again, is none that was left open.
    for _ in range(20):
        after = [_footprint(each) for each in (os.getpid(), process)]
        if all(files_after <= files for (_, files), (_, files_after) in zip(before, after, strict=True)):
            break
        read(25)
    host.close()
    for (memory, files), (memory_after, files_after) in zip(before, after, strict=True):
        assert files_after <= files
        assert memory_after - memory < 5 << 20


def _footprint(process: int) -> tuple[int, int]:
    """Resident bytes and open files."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path(f"/proc/{process}/fd").iterdir()))
