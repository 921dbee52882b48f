"""The measure of other tests: it counts waiting, and leaves out what holds up everybody."""

from __future__ import annotations

import re
import sys
import time

import pytest
from pace import hold_up, within


def test_waiting_counts() -> None:
    with pytest.raises(AssertionError, match="it took"), within(0.1):
        time.sleep(1.0)


def test_work_that_lets_no_other_thread_run_counts() -> None:
    looks_back_and_back = re.compile(r"(a|a)*b")
    with pytest.raises(AssertionError, match="it took"), within(0.1):
        looks_back_and_back.match("a" * 23)


def test_what_fails_inside_is_told_as_it_is() -> None:
    with pytest.raises(ValueError, match="inside"), within(0.0):
        raise ValueError("inside")


@pytest.mark.skipif(sys.platform == "win32", reason="it is held up by a function of POSIX")
def test_what_holds_up_all_threads_does_not_count() -> None:
    with within(0.2):
        hold_up(0.5)
