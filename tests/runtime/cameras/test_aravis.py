"""A GigE Vision camera on the loopback: Aravis's own fake camera, a process of its own with GVCP and GVSP over UDP."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pace import within

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras import CameraError, CameraFeed, CameraSettings, Taken, aravis_setup, make_camera
from nand_edge_runtime.cameras.aravis import AravisCamera
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Event, Hub, PartChanged
from nand_edge_runtime.station.states import PartState

pytestmark = pytest.mark.station

FAKE_CAMERA = shutil.which("arv-fake-gv-camera-0.8")
ADDRESS, PORT = "127.0.0.1", 3956


def is_installed() -> bool:
    try:
        import gi

        gi.require_version("Aravis", "0.8")
    except (ImportError, ValueError):
        return False
    return FAKE_CAMERA is not None


needs_aravis = pytest.mark.skipif(not is_installed(), reason="needs gir1.2-aravis-0.8, aravis-tools and PyGObject")


def is_listening() -> bool:
    """Whether somebody has GigE Vision's port; asking him would take a time-out of half a second."""
    sockets = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    return any(line.split()[1].endswith(f":{PORT:04X}") for line in sockets)


class FakeCamera:
    """The process that is the camera; it can be killed, stopped and started again."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        assert FAKE_CAMERA is not None
        command = [FAKE_CAMERA, "-i", ADDRESS, "-s", "GV01", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10.0
        while not is_listening():
            assert time.monotonic() < until
            time.sleep(0.005)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture
def fake() -> Iterator[FakeCamera]:
    """A camera that runs; only one can at a time, because the port of GigE Vision cameras is one for all."""
    fcntl = pytest.importorskip("fcntl")
    with (Path(tempfile.gettempdir()) / "nand-edge-gige-port.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        camera = FakeCamera()
        camera.start()
        yield camera
        camera.kill()


@pytest.fixture
def opened(fake: FakeCamera) -> Iterator[Callable[..., AravisCamera]]:
    """Opens the fake camera with settings."""
    cameras: list[AravisCamera] = []

    def opening(**settings: Any) -> AravisCamera:
        camera = make(**settings)
        cameras.append(camera)
        open_in_time(camera)
        return camera

    yield opening
    fake.send(signal.SIGCONT)
    for camera in cameras:
        camera.close()


def settings_of(**settings: Any) -> CameraSettings:
    # A busy machine may leave camera and reader alone for a while: that alone is to make no frame incomplete.
    patience = {"buffers": 64, "frame_retention_ms": 3000}
    return CameraSettings.model_validate({
        "name": "belt", "source": ADDRESS, "kind": "aravis", **patience, **settings
    })  # fmt: skip


def make(**settings: Any) -> AravisCamera:
    camera = make_camera(settings_of(**settings))
    assert isinstance(camera, AravisCamera)
    return camera


def open_in_time(camera: AravisCamera, seconds: float = 10.0) -> None:
    """Open as soon as it answers."""
    until = time.monotonic() + seconds
    while True:
        try:
            camera.open()
        except CameraError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def frames(camera: AravisCamera, count: int) -> list[Taken]:
    taken = [camera.read(2.0) for _ in range(count)]
    assert all(frame is not None for frame in taken)
    return [frame for frame in taken if frame is not None]


def read_for(camera: AravisCamera, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        camera.read(0.5)


def number(frame: Taken) -> int:
    return int(frame.name.rpartition(" ")[2])


@needs_aravis
def test_frames_come_with_the_cameras_own_numbers_and_clock(opened: Callable[..., AravisCamera]) -> None:
    camera = opened(width=320, height=240, frames_per_second=200)
    # More than the fake camera's distance to 65,535, where GigE Vision begins again with 1.
    for _ in range(3):  # while a machine stands still, packets are lost
        taken = frames(camera, 160)
        if not any(frame.fault for frame in taken):
            break
    assert not any(frame.fault for frame in taken)
    assert {frame.image.shape for frame in taken} == {(240, 320)}
    assert len({number(frame) for frame in taken}) == 160
    clocks = [frame.device_timestamp_ns or 0 for frame in taken]
    assert clocks == sorted(clocks)
    assert clocks[0] > 0
    between = np.diff(clocks) / 1e6
    assert 4.0 < np.median(between) < 7.0, "milliseconds between frames at 200 a second"
    assert abs(taken[-1].taken - time.monotonic()) < 1.0
    assert abs(taken[-1].timestamp - time.time()) < 1.0


@needs_aravis
@pytest.mark.parametrize(
    ("pixel_format", "shape"),
    [("Mono8", (64, 96)), ("Mono16", (64, 96)), ("BayerRG8", (64, 96, 3)), ("RGB8", (64, 96, 3))],
)
def test_every_pixel_format_becomes_grey_or_bgr(
    opened: Callable[..., AravisCamera], pixel_format: str, shape: tuple[int, ...]
) -> None:
    (frame,) = frames(opened(width=96, height=64, pixel_format=pixel_format, frames_per_second=50), 1)
    assert frame.fault == ""
    assert frame.image.shape == shape
    assert frame.image.dtype == np.uint8
    assert np.ptp(frame.image) > 50, "the fake camera shows a ramp"


@needs_aravis
def test_exposure_gain_and_further_features_are_in_the_camera(opened: Callable[..., AravisCamera]) -> None:
    camera = opened(
        exposure_us=1234, gain=3, packet_size=1000, frame_retention_ms=40,
        features={"TestRegister": 77, "OffsetX": 16, "TriggerSource": "Software"},
    )  # fmt: skip
    device = camera._camera
    assert device.gv_get_packet_size() == 1000
    assert camera._stream.get_property("frame-retention") == 40_000, "microseconds"
    assert device.get_exposure_time() == 1234
    assert device.get_gain() == 3
    assert device.get_integer("TestRegister") == 77
    assert device.get_region().x == 16
    assert device.get_string("TriggerSource") == "Software"


@needs_aravis
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"exposure_us": 9e7}, "exposure 90000000.0 microseconds"),
        ({"position_feature": "ChunkEncoderValue"}, "position by ChunkEncoderValue"),
        ({"gain": 500}, "gain 500"),
        ({"pixel_format": "Mono12p"}, "no pixel format Mono12p, but BayerBG8"),
        ({"trigger": "Line7"}, "no trigger Line7, but Line0, Software"),
        ({"width": 60000}, "width 60000"),
        ({"features": {"NoSuchThing": 1}}, "no feature NoSuchThing"),
        ({"features": {"TestRegister": "much"}}, "needed a number"),
        ({"features": {"SensorWidth": 5}}, "feature SensorWidth = 5"),
        ({"width": 2048, "height": 2048, "max_megapixels": 4.0}, "needed at most max_megapixels = 4"),
    ],
)
def test_what_the_camera_cannot_do_is_said(
    opened: Callable[..., AravisCamera], settings: dict[str, Any], said: str
) -> None:
    opened().close()
    camera = make(**settings)
    with pytest.raises(CameraError, match=re.escape(said)):
        camera.open()
    camera.close()


@needs_aravis
def test_a_software_trigger_gives_a_frame_each_time_and_none_else(opened: Callable[..., AravisCamera]) -> None:
    camera = opened(trigger="software", frames_per_second=40, width=320, height=240)
    begun = time.monotonic()
    with within(3.0):
        taken = frames(camera, 20)
    took = time.monotonic() - begun
    assert [number(frame) for frame in taken] == list(range(number(taken[0]), number(taken[0]) + 20))
    assert took >= 19 / 40


@needs_aravis
def test_a_camera_that_waits_for_its_line_gives_no_frame_and_no_fault(opened: Callable[..., AravisCamera]) -> None:
    camera = opened(trigger="Line0")
    assert camera.read(0.3) is None


@needs_aravis
def test_a_frame_with_lost_packets_is_a_reject_and_none_is_left_out(fake: FakeCamera) -> None:
    fake.kill()
    fake.start("-r", "2")
    camera = make(width=640, height=480, frames_per_second=100)
    open_in_time(camera)
    taken = frames(camera, 120)
    camera.close()
    faults = [frame for frame in taken if frame.fault]
    assert faults, "of 220 packets a frame two in a thousand are lost"
    assert {frame.image.shape for frame in faults} == {(1, 1, 3)}
    # Between two whole frames stand as many rejects as numbers are missing.
    whole = [(place, number(frame)) for place, frame in enumerate(taken) if not frame.fault]
    for (place, earlier), (next_place, later) in pairwise(whole):
        assert (later - earlier) % 65_535 == next_place - place


@needs_aravis
def test_a_camera_that_was_killed_is_given_up_and_opened_again(
    opened: Callable[..., AravisCamera], fake: FakeCamera
) -> None:
    camera = opened(frames_per_second=50)
    frames(camera, 3)
    fake.kill()
    fake.start()
    with within(3.0), pytest.raises(CameraError, match="gone"):
        read_for(camera, 8.0)
    camera.close()
    open_in_time(camera)
    assert [frame.fault for frame in frames(camera, 3)] == [""] * 3


@needs_aravis
def test_a_hung_camera_costs_no_more_than_the_time_outs(opened: Callable[..., AravisCamera], fake: FakeCamera) -> None:
    camera = opened(frames_per_second=50, frame_retention_ms=20)
    frames(camera, 3)
    fake.send(signal.SIGSTOP)
    # What was on its way still comes, the last of it perhaps incomplete.
    until = time.monotonic() + 3.0
    while camera.read(0.1) is not None:
        assert time.monotonic() < until
    with within(0.8):
        assert camera.read(0.3) is None
    with within(0.9):
        camera.close()


@needs_aravis
def test_an_address_where_nothing_answers_is_named(fake: FakeCamera) -> None:
    fake.kill()
    with pytest.raises(CameraError, match=r"no camera answers .*127.0.0.1.*arv-tool-0.8"):
        make().open()


@needs_aravis
def test_many_frames_take_no_more_memory(opened: Callable[..., AravisCamera]) -> None:
    camera = opened(width=160, height=120, frames_per_second=1000)
    for _ in range(100):
        camera.read(2.0)
    before = resident_kilobytes()
    for _ in range(700):
        camera.read(2.0)
    assert resident_kilobytes() - before < 3000, "kilobytes; the frames were 13,000"


def resident_kilobytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


ALONE = """
import fcntl, socket, struct, subprocess, sys, time
from nand_edge_runtime.cameras import CameraError, CameraSettings, make_camera

# The loopback of this network namespace is down at first.
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))
fake = subprocess.Popen([sys.argv[1], "-i", "127.0.0.1", "-s", "GV07"], stdout=subprocess.DEVNULL)
try:
    time.sleep(0.3)
    for source in ("first", "Aravis-Fake-GV07", "GV07", "Nobody"):
        camera = make_camera(CameraSettings(name="belt", source=source, kind="aravis"))
        try:
            camera.open()
        except CameraError as error:
            print(source, error)
            continue
        # Where the machine stood still, one is without some of its packets.
        frames = [camera.read(2.0) for _ in range(3)]
        print(source, any(frame is not None and frame.fault == "" for frame in frames))
        camera.close()
finally:
    fake.kill()
"""


@needs_aravis
def test_a_camera_is_found_by_id_and_serial_number_or_as_the_first() -> None:
    unshare = shutil.which("unshare")
    # Looking for cameras asks every network; so this looks where there is none but a loopback of its own.
    alone = [unshare or "", "--net", "--map-root-user"]
    if unshare is None or subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to make a network namespace")
    assert FAKE_CAMERA is not None
    ran = subprocess.run(
        [*alone, sys.executable, "-c", ALONE, FAKE_CAMERA],
        check=True, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    lines = ran.stdout.splitlines()
    assert lines[:3] == ["first True", "Aravis-Fake-GV07 True", "GV07 True"]
    assert "no camera 'Nobody' answers; found Aravis-Fake-GV07" in lines[3]


def test_what_is_not_installed_is_said_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(NandEdgeError, match=r"camera 'belt': found no Python package 'gi'.*apt-get install -y gir1.2"):
        make()


@needs_aravis
def test_a_missing_aravis_is_told_from_a_missing_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aravis_setup, "_VERSION", "0.1")
    with pytest.raises(NandEdgeError, match=r"found no Aravis 0.1 .*apt-get install -y gir1.2-aravis"):
        make()


class Line:
    """A feed with what it published."""

    def __init__(self, **settings: Any) -> None:
        camera = settings_of(**{"frames_per_second": 50, **settings})
        hub = Hub()
        self.states: list[PartState] = []
        hub.listen(self._note)
        self.feed = CameraFeed(camera, "run", hub=hub, on_frame=lambda: None)

    def _note(self, event: Event) -> None:
        if isinstance(event, PartChanged):
            self.states.append(event.status.state)

    def next_frame(self, seconds: float = 10.0) -> CameraFrame:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            frame = self.feed.take()
            if frame is not None:
                return frame
            time.sleep(0.002)
        raise AssertionError(f"no frame: {self.feed.status()}")


@pytest.fixture
def line(fake: FakeCamera) -> Iterator[Callable[..., Line]]:
    """Starts feeds of the fake camera."""
    lines: list[Line] = []

    def starting(**settings: Any) -> Line:
        lines.append(Line(**settings))
        lines[-1].feed.start()
        return lines[-1]

    yield starting
    fake.send(signal.SIGCONT)
    for started in lines:
        started.feed.stop()


@needs_aravis
@pytest.mark.parametrize("isolated", [True, False])
def test_a_feed_comes_back_by_itself_when_its_camera_does(
    line: Callable[..., Line],
    fake: FakeCamera,
    isolated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    running = line(isolated=isolated, policy="every", queue=64)
    first = [running.next_frame() for _ in range(5)]
    fake.kill()
    fake.start()
    back = time.monotonic()
    while PartState.RECONNECTING not in running.states:
        assert time.monotonic() - back < 10.0
        running.feed.take()
        time.sleep(0.002)
    while (last := running.next_frame()).taken < back or last.fault:
        pass  # what the camera had begun to send when it was killed comes late, incomplete
    assert time.monotonic() - back < 10.0
    assert running.feed.status().state is PartState.RUNNING
    assert running.feed.status().facts["reconnects"] == 1
    assert last.key.number > first[-1].key.number
    assert [frame.key.number for frame in first] == list(range(5))
    assert all(frame.device_timestamp_ns or frame.fault for frame in (*first, last))


@needs_aravis
@pytest.mark.parametrize("isolated", [True, False])
def test_a_feed_whose_camera_hangs_stops_within_a_second(
    line: Callable[..., Line],
    fake: FakeCamera,
    isolated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    running = line(isolated=isolated, read_timeout_s=0.5)
    running.next_frame()
    fake.send(signal.SIGSTOP)
    until = time.monotonic() + 5.0
    while PartState.RECONNECTING not in running.states:
        assert time.monotonic() < until
        running.feed.take()
        time.sleep(0.01)
    with within(0.9):
        running.feed.stop()
