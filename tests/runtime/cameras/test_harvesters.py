"""Cameras of a GenTL producer: the one that comes with genicam, which plays a game of a bouncing ball in software."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pace import within

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras import Camera, CameraError, CameraFeed, CameraSettings, Taken, make_camera
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Hub

pytestmark = pytest.mark.station


def producer() -> Path | None:
    """The producer's file, where harvesters is installed and its genicam has one."""
    found = importlib.util.find_spec("genicam")
    if importlib.util.find_spec("harvesters") is None or found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "viky.cti"
    return file if file.is_file() else None


PRODUCER = producer()
needs_harvesters = pytest.mark.skipif(
    importlib.util.find_spec("harvesters") is None, reason="needs the package harvesters"
)
needs_producer = pytest.mark.skipif(PRODUCER is None, reason="needs a genicam that brings its producer")


def make(**settings: Any) -> Camera:
    given = {"name": "web", "source": "first", "kind": "harvesters", "cti": str(PRODUCER), **settings}
    return make_camera(CameraSettings.model_validate(given))


@pytest.fixture
def opened() -> Iterator[Callable[..., Camera]]:
    """Opens a camera of the producer with settings."""
    cameras: list[Camera] = []

    def opening(**settings: Any) -> Camera:
        camera = make(**settings)
        cameras.append(camera)
        try:
            camera.open()
        except CameraError as error:
            if "expired" in str(error):
                pytest.skip("this genicam's producer says that its time is over")
            raise
        return camera

    yield opening
    for camera in cameras:
        camera.close()


def frames(camera: Camera, count: int) -> list[Taken]:
    taken = [camera.read(2.0) for _ in range(count)]
    assert all(frame is not None for frame in taken)
    return [frame for frame in taken if frame is not None]


def number(frame: Taken) -> int:
    return int(frame.name.rpartition(" ")[2])


@needs_producer
def test_frames_come_in_the_pace_that_was_set(opened: Callable[..., Camera]) -> None:
    camera = opened(source="VikyTL_DEV_green", frames_per_second=50, buffers=24, width=320, height=240)
    begun = time.monotonic()
    with within(5.0):
        taken = frames(camera, 40)
    assert time.monotonic() - begun > 0.7
    assert not any(frame.fault for frame in taken)
    assert [number(frame) for frame in taken] == list(range(1, 41))
    assert {frame.image.shape for frame in taken} == {(240, 320, 3)}
    assert abs(taken[-1].taken - time.monotonic()) < 1.0
    kept = taken[0].image.copy()
    frames(camera, 20)
    assert np.array_equal(taken[0].image, kept), "the producer writes later frames elsewhere"


@needs_producer
def test_grey_stays_grey(opened: Callable[..., Camera]) -> None:
    (frame,) = frames(opened(pixel_format="Mono8", width=300, height=120, features={"Width": 160.0}), 1)
    assert frame.image.shape == (120, 160)
    assert np.ptp(frame.image) > 50


@needs_producer
def test_a_camera_is_called_by_its_serial_number_or_its_id_and_can_be_opened_again(
    opened: Callable[..., Camera],
) -> None:
    for source in ("1", "VikyTL_DEV_blue"):
        camera = opened(source=source)
        frames(camera, 2)
        camera.close()
        camera.open()
        assert number(frames(camera, 1)[0]) == 1
        camera.close()


@needs_producer
def test_a_counter_that_comes_with_the_frames_tells_their_place(opened: Callable[..., Camera]) -> None:
    # The ball's bounces stand in for the ticks of an encoder.
    camera = opened(
        position_feature="ChunkNrBounces", position_step=2.5, frames_per_second=200, width=100, height=100,
        pixel_format="Mono8", features={"BouncingBallSize": 1},
    )  # fmt: skip
    places = [frame.position for frame in frames(camera, 160) if not frame.fault]
    assert places[0] == 0
    assert places == sorted(places)
    assert set(places) >= {0.0, 2.5}


@needs_producer
def test_frames_that_found_no_buffer_are_rejects_each_once(opened: Callable[..., Camera]) -> None:
    camera = opened(pixel_format="Mono8", frames_per_second=200, buffers=4)
    frames(camera, 2)
    time.sleep(0.3)
    taken = frames(camera, 1)
    while taken[-1].fault or not any(frame.fault for frame in taken):
        taken += frames(camera, 1)
    faults = [frame for frame in taken if frame.fault]
    assert faults
    assert {frame.fault for frame in faults} == {
        "the camera took it and it never came: its packets were lost, or no buffer was free"
    }
    named = [number(frame) for frame in taken if not frame.fault]
    assert named[-1] == 2 + len(taken), "so many frames after the second, inspected or not"


@needs_producer
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source": "Nobody"}, "no one camera is called 'Nobody'; the producer finds Viky 0, Viky 1, Viky 2"),
        ({"source": "Viky"}, "no one camera is called 'Viky'"),
        ({"position_feature": "ChunkEncoderValue"}, "feature ChunkSelector = EncoderValue"),
        ({"gain": 3}, "no feature Gain"),
        ({"exposure_us": 100}, "no feature ExposureTime"),
        ({"trigger": "Line0"}, "no feature TriggerSource"),
        ({"width": 10}, "feature Width = 10: Value = 10 must be equal or greater than Min = 100"),
        ({"pixel_format": "Mono12"}, "feature PixelFormat = Mono12"),
        ({"features": {"NoSuchThing": 1}}, "no feature NoSuchThing"),
        ({"features": {"Width": 320.5}}, "value of another type"),
        ({"max_megapixels": 0.1}, "400 x 400 pixels, needed at most max_megapixels = 0.1"),
    ],
)
def test_what_the_camera_cannot_do_is_said(settings: dict[str, Any], said: str) -> None:
    camera = make(**settings)
    with pytest.raises(CameraError) as caught:
        camera.open()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    camera.close()


def test_what_is_not_installed_is_said_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genicam", None)
    with pytest.raises(NandEdgeError, match=r"camera 'web': found no Python package 'genicam'.*nand-edge\[gentl\]"):
        make(cti="vendor.cti")


@needs_harvesters
def test_a_producer_that_is_not_there_is_named() -> None:
    with pytest.raises(NandEdgeError, match=r"found no file '/nowhere/vendor.cti'.*install the vendor's software"):
        make(cti="/nowhere/vendor.cti")


@needs_harvesters
def test_a_file_that_is_no_producer_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "vendor.cti"
    broken.write_bytes(b"no library at all")
    with pytest.raises(CameraError, match=r"producer vendor.cti cannot be loaded"):
        make(cti=str(broken)).open()


@needs_producer
def test_waiting_for_a_frame_leaves_the_rest_of_the_program_its_time(opened: Callable[..., Camera]) -> None:
    camera = opened(frames_per_second=1)
    camera.read(2.0)
    turns = 0
    ended = threading.Event()

    def others() -> None:
        nonlocal turns
        while not ended.wait(0.001):
            turns += 1

    thread = threading.Thread(target=others, daemon=True)
    thread.start()
    begun = time.monotonic()
    with within(1.0):
        assert camera.read(0.3) is None
    beside, waited = turns, time.monotonic() - begun
    ended.set()
    thread.join(5)
    assert waited > 0.29
    assert beside > 5, "none, where the binding waits"


@needs_producer
def test_two_cameras_of_one_producer_run_side_by_side_each_in_its_process(opened: Callable[..., Camera]) -> None:
    opened().close()  # left out here where the producer's time is over
    feeds = {}
    for source in ("VikyTL_DEV_red", "VikyTL_DEV_blue"):
        settings = {"name": source, "source": source, "kind": "harvesters", "cti": str(PRODUCER), "policy": "every"}
        camera = CameraSettings.model_validate({**settings, "frames_per_second": 20, "queue": 64})
        feeds[source] = CameraFeed(camera, "run", hub=Hub(), on_frame=lambda: None)
        feeds[source].start()
    until = time.monotonic() + 20.0
    taken: dict[str, list[CameraFrame]] = {source: [] for source in feeds}
    while min(len(frames_of_one) for frames_of_one in taken.values()) < 5:
        assert time.monotonic() < until, [feed.status() for feed in feeds.values()]
        for source, feed in feeds.items():
            frame = feed.take()
            if frame is not None:
                taken[source].append(frame)
        time.sleep(0.002)
    for feed in feeds.values():
        with within(0.9):
            feed.stop()
    for frames_of_one in taken.values():
        assert [frame.key.number for frame in frames_of_one] == list(range(len(frames_of_one)))
        assert frames_of_one[0].image.shape == (400, 400, 3)
