"""The measure of other tests: it counts waiting, and leaves out what holds up everybody."""

from __future__ import annotations

import ctypes
import sys
import time

import pytest
from pace import within


def test_waiting_counts() -> None:
    with pytest.raises(AssertionError, match="it took 0"), within(0.2):
        time.sleep(0.3)


def test_what_fails_inside_is_told_as_it_is() -> None:
    with pytest.raises(ValueError, match="inside"), within(0.0):
        raise ValueError("inside")


@pytest.mark.skipif(sys.platform == "win32", reason="it sleeps by the C library")
def test_what_holds_up_all_threads_does_not_count() -> None:
    asleep_with_the_interpreter = ctypes.PyDLL(None).usleep
    with within(0.2):
        asleep_with_the_interpreter(500_000)
