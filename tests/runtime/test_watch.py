"""A machine that stands still is no driver that hangs."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from nand_edge_runtime.watch import Watch

PassTime = Callable[[float], float]


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> PassTime:
    """Let so many seconds go by, and say what time it is."""
    now = 100.0

    def pass_it(seconds: float) -> float:
        nonlocal now
        now += seconds
        return now

    monkeypatch.setattr(time, "monotonic", lambda: now)
    return pass_it


def test_silence_counts_from_the_last_sign_of_life(pass_time: PassTime) -> None:
    sign, watch = pass_time(0.0), Watch()
    silent = []
    for _ in range(20):
        pass_time(0.1)
        silent.append(watch.silent_s(sign))
    assert silent == pytest.approx([0.1 * (number + 1) for number in range(20)])
    assert watch.silent_s(pass_time(0.0)) == 0.0


def test_while_no_sign_is_due_there_is_no_silence(pass_time: PassTime) -> None:
    watch = Watch()
    pass_time(0.1)
    assert watch.silent_s(None) == 0.0


def test_what_hangs_is_found_out_by_so_much_later_as_the_watcher_was_held_up(pass_time: PassTime) -> None:
    sign, watch = pass_time(0.0), Watch()
    silent = []
    for moment in range(40):
        pass_time(5.0 if moment % 10 == 5 else 0.1)  # the machine stands still again and again
        silent.append(watch.silent_s(sign))
    assert silent[4:7] == pytest.approx([0.5, 0.5, 0.6])
    assert silent[-1] == pytest.approx(3.6)


def test_a_sign_of_life_just_before_the_watcher_was_held_up_is_no_silence(pass_time: PassTime) -> None:
    watch = Watch()
    sign = pass_time(0.05)
    pass_time(5.0)
    assert watch.silent_s(sign) == 0.0
