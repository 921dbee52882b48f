"""Whose turn it is, and which frames the engine is not troubled with any more."""

from __future__ import annotations

import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.turns import Turns

DEADLINE_MS = 100.0
DEADLINE_S = DEADLINE_MS / 1e3


class Oldest:
    """A feed of which only the deadline of its oldest frame is asked."""

    def __init__(self, left_s: float | None) -> None:
        self.deadline = None if left_s is None else time.monotonic() + left_s

    def take(self) -> CameraFrame | None:
        return None

    def overdue(self) -> list[CameraFrame]:
        return []

    def peek_deadline(self) -> float | None:
        return self.deadline


def test_cameras_take_turns_while_none_is_in_a_hurry() -> None:
    feeds = [Oldest(10.0), Oldest(None), Oldest(10.0)]
    turns = Turns([(feed, 10_000.0) for feed in feeds])
    assert [turns.next() for _ in range(4)] == [feeds[0], feeds[2], feeds[0], feeds[2]]


def test_a_frame_whose_deadline_is_near_goes_first() -> None:
    calm, urgent = Oldest(0.09), Oldest(0.01)
    turns = Turns([(calm, DEADLINE_MS), (urgent, DEADLINE_MS)])
    assert [turns.next() for _ in range(2)] == [urgent, urgent]


def test_without_a_frame_it_is_nobodys_turn() -> None:
    assert Turns([(Oldest(None), DEADLINE_MS)]).next() is None


def test_a_frame_is_hopeless_when_the_engine_never_was_so_fast() -> None:
    turns = Turns([])
    assert not turns.is_hopeless(0.001, DEADLINE_S), "nobody knows yet how long the engine takes"
    turns.ran(0.03)
    turns.ran(0.02)
    assert turns.is_hopeless(0.015, DEADLINE_S)
    assert not turns.is_hopeless(0.025, DEADLINE_S)


def test_a_frame_with_half_of_its_time_left_is_tried_however_slow_the_engine_was() -> None:
    turns = Turns([])
    turns.ran(5.0)
    assert not turns.is_hopeless(0.06, DEADLINE_S)


def test_how_slow_the_engine_was_is_forgotten() -> None:
    turns = Turns([])
    turns.ran(0.001)
    for _ in range(40):
        turns.ran(0.04)
    assert turns.is_hopeless(0.03, DEADLINE_S)


@given(run_ms=st.integers(5, 45), every_ms=st.integers(1, 40), queue=st.integers(1, 64))
def test_with_more_frames_than_it_can_do_the_engine_still_does_most_of_what_it_can(
    run_ms: int, every_ms: int, queue: int
) -> None:
    turns = Turns([])
    turns.ran(run_ms / 1e3)
    waiting: deque[int] = deque()
    now, coming, inspected = 0, 0, 0
    while now < 10_000:
        while coming <= now:
            if len(waiting) < queue:
                waiting.append(coming)
            coming += every_ms
        if not waiting:
            now = coming
            continue
        left_ms = waiting.popleft() + DEADLINE_MS - now
        if left_ms <= 0 or turns.is_hopeless(left_ms / 1e3, DEADLINE_S):
            continue
        now += run_ms
        inspected += run_ms <= left_ms
    possible = 10_000 / max(run_ms, every_ms)
    assert inspected == pytest.approx(possible, rel=0.1, abs=2)
