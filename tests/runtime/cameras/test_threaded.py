"""A driver that hangs in a thread: the thread is waited for, never joined by a second one, and nothing is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from pace import within

from nand_edge_runtime.cameras import Camera, CameraError, CameraSettings, EndOfSourceError, Taken
from nand_edge_runtime.cameras.threaded import ThreadHost

SETTINGS = CameraSettings(name="top", source="0", read_timeout_s=0.2, open_timeout_s=0.2)


class NumberedCamera(Camera):
    """Gives numbered frames, and hangs where the test says so."""

    def __init__(self, *, last: int = 10**6) -> None:
        super().__init__(SETTINGS)
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.given, self.opened, self.closed, self._last = 0, 0, 0, last
        self.raises: Exception | None = None

    def open(self) -> None:
        self.opened += 1

    def read(self, timeout_s: float) -> Taken | None:  # noqa: ARG002 - a driver that hangs knows no time-out
        self.goes_on.wait()
        if self.raises is not None:
            error, self.raises = self.raises, None
            raise error
        if self.given == self._last:
            raise EndOfSourceError
        self.given += 1
        return Taken(np.zeros((1, 1, 3), np.uint8), str(self.given - 1), time.monotonic(), time.time())

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def camera() -> NumberedCamera:
    return NumberedCamera()


@pytest.fixture
def host(camera: NumberedCamera) -> Iterator[ThreadHost]:
    host = ThreadHost(SETTINGS, camera)
    yield host
    camera.goes_on.set()
    host.close()


def read(host: ThreadHost) -> str:
    """The name of the next frame."""
    until = time.monotonic() + 10.0
    while time.monotonic() < until:
        taken = host.read(0.05)
        if taken is not None:
            return taken.name
    raise AssertionError("no frame")


def read_on(host: ThreadHost, names: list[str]) -> None:
    """Read until something is wrong."""
    while True:
        names.append(read(host))


def test_frames_come_in_order_and_none_is_lost(host: ThreadHost) -> None:
    host.open()
    assert [read(host) for _ in range(200)] == [str(number) for number in range(200)]


def test_a_hang_is_told_in_time_and_the_frame_that_it_held_is_not_lost(
    host: ThreadHost, camera: NumberedCamera
) -> None:
    host.open()
    names = [read(host) for _ in range(3)]
    camera.goes_on.clear()
    with within(5.0), pytest.raises(CameraError, match="no sign of life"):
        read_on(host, names)
    threads = threading.active_count()
    for _ in range(3):
        host.open()
        with pytest.raises(CameraError):
            read(host)
        assert not host.is_open
    assert threading.active_count() <= threads, "each try would leave another thread behind"
    camera.goes_on.set()
    host.open()
    names += [read(host) for _ in range(5)]
    assert names == [str(number) for number in range(len(names))]
    assert camera.opened == 1


def test_it_can_be_closed_while_the_driver_hangs(host: ThreadHost, camera: NumberedCamera) -> None:
    host.open()
    read(host)
    camera.goes_on.clear()
    with within(0.5):
        host.close()


@pytest.mark.parametrize("error", [CameraError("no answer"), RuntimeError("from a driver")])
def test_after_a_fault_it_is_closed_and_opened_again(
    host: ThreadHost, camera: NumberedCamera, error: Exception
) -> None:
    host.open()
    read(host)
    camera.raises = error
    with pytest.raises(CameraError, match=r"no answer|its driver failed: RuntimeError"):
        read_on(host, [])
    host.open()
    read(host)
    assert (camera.opened, camera.closed) == (2, 1)


def test_the_end_comes_after_the_last_frame() -> None:
    host = ThreadHost(SETTINGS, NumberedCamera(last=3))
    host.open()
    assert [read(host) for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(EndOfSourceError):
        read(host)
    host.close()
