"""Cameras that share an engine: none starves, and what is urgent goes first."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.turns import Turns


class Waiting:
    """A feed that has a frame with so many seconds left, or none."""

    def __init__(self, left_s: float | None) -> None:
        self.left_s = left_s

    def take(self) -> CameraFrame | None:
        raise NotImplementedError

    def overdue(self) -> list[CameraFrame]:
        return []

    def peek_deadline(self) -> float | None:
        return None if self.left_s is None else time.monotonic() + self.left_s


def test_nobody_waits_when_no_camera_has_a_frame() -> None:
    assert Turns([(Waiting(None), 100), (Waiting(None), 100)]).next() is None


def test_cameras_take_turns() -> None:
    feeds = [Waiting(10.0), Waiting(10.0), Waiting(10.0)]
    turns = Turns([(feed, 10_000) for feed in feeds])
    assert [turns.next() for _ in range(6)] == feeds + feeds


def test_a_frame_that_is_nearly_late_goes_first() -> None:
    calm, pressed = Waiting(10.0), Waiting(0.2)
    turns = Turns([(calm, 10_000), (pressed, 1000)])
    assert [turns.next() for _ in range(3)] == [pressed] * 3


def test_what_is_urgent_depends_on_how_long_the_engine_takes() -> None:
    first, second = Waiting(0.9), Waiting(0.8)
    turns = Turns([(first, 1000), (second, 1000)])
    assert turns.next() is first
    turns.ran(0.4)
    assert turns.next() is second
    assert turns.next() is second, "both are urgent now, and it has less time left"


@given(st.lists(st.floats(0.5, 1.0), min_size=2, max_size=8))
def test_no_camera_starves_whatever_the_phases(left: list[float]) -> None:
    feeds = [Waiting(seconds) for seconds in left]
    turns = Turns([(feed, 1000) for feed in feeds])
    assert {id(turns.next()) for _ in feeds} == {id(feed) for feed in feeds}
