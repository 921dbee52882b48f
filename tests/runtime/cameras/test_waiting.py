"""Frames between camera and engine: with `every` none is lost or doubled, with `latest` the numbers add up."""

from __future__ import annotations

import threading
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nand_edge_runtime.cameras import Policy
from nand_edge_runtime.cameras.waiting import Rate, Waiting
from nand_edge_runtime.station.frames import CameraFrame, FrameKey


def frame(number: int) -> CameraFrame:
    image = np.full((2, 2, 3), number % 256, np.uint8)
    return CameraFrame(FrameKey("r", "c", number), image, "", time.monotonic(), 0.0)


OPERATIONS = st.lists(st.sampled_from(["put", "take", "take overdue"]), max_size=60)


@given(OPERATIONS, st.integers(1, 6))
def test_every_loses_and_doubles_no_frame(operations: list[str], size: int) -> None:
    waiting, put, got, overdue = Waiting(Policy.EVERY, size), 0, [], []
    for operation in [*operations, "take overdue", *["take"] * size]:
        if operation == "put":
            assert waiting.put(frame(put)) is None
            put += 1
        elif operation == "take":
            taken = waiting.take()
            got += [] if taken is None else [taken.key.number]
        else:
            overdue += [one.key.number for one in waiting.take_overdue()]
        assert len(waiting) <= put
    assert sorted(got + overdue) == list(range(put))
    assert got == sorted(got), "in their order"


@given(OPERATIONS)
def test_latest_gives_the_newest_and_tells_how_many_were_dropped_before_it(operations: list[str]) -> None:
    waiting, put, last, dropped, told = Waiting(Policy.LATEST, 9), 0, -1, 0, 0
    for operation in operations:
        if operation == "put":
            dropped += waiting.put(frame(put)) is not None
            put += 1
        elif (taken := waiting.take()) is not None:
            assert taken.key.number == put - 1, "nothing newer was there"
            assert taken.key.number == last + taken.dropped_before + 1
            last, told = taken.key.number, told + taken.dropped_before
        assert waiting.take_overdue() == []
    left = waiting.take()
    assert told + (0 if left is None else left.dropped_before) == dropped


def test_images_of_many_overdue_frames_do_not_pile_up() -> None:
    waiting = Waiting(Policy.EVERY, 2)
    for number in range(1000):
        waiting.put(CameraFrame(FrameKey("r", "c", number), np.zeros((100, 100, 3), np.uint8), "", 0.0, 0.0))
    overdue = waiting.take_overdue()
    assert [one.key.number for one in overdue] == list(range(2, 1000)), "each gets its reject"
    assert sum(one.image.nbytes for one in overdue) < 3 * 30_000


def test_a_source_waits_for_room_until_a_frame_is_taken() -> None:
    waiting = Waiting(Policy.EVERY, 1)
    waiting.put(frame(0))
    assert not waiting.wait_for_room(0.01)
    threading.Timer(0.02, waiting.take).start()
    assert waiting.wait_for_room(10.0)


def test_the_oldest_frame_says_when_it_was_taken() -> None:
    waiting = Waiting(Policy.EVERY, 3)
    assert waiting.oldest_taken() is None
    first, second = frame(0), frame(1)
    waiting.put(first)
    waiting.put(second)
    assert waiting.oldest_taken() == first.taken


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.per_second() == 0.0
    for _ in range(11):
        rate.count()
        time.sleep(0.01)
    assert 5 < rate.per_second() < 100
