"""How long something takes, without the moments in which it was held up with all others."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LOOK_S = 0.01
# A thread that only sleeps and wakes so much late was held up with all others: the machine stood still, or some thread
# kept the interpreter. Where that is the block's own, it shows in the processor's time that it used.
_HELD_UP_S = 0.05


@contextmanager
def within(seconds: float, why: str = "") -> Iterator[None]:
    """What stands in the block takes less than this, for tests of what must not wait.

    Args:
        seconds: At most, of waiting and working, or of the processor's time alone; without the moments in which not
            even a sleeping thread could wake.
        why: Said when it takes longer.
    """
    ended = threading.Event()
    held_up = 0.0

    def look() -> None:
        nonlocal held_up
        last, over = time.monotonic(), False
        while not over:
            over = ended.wait(_LOOK_S)
            now = time.monotonic()
            late = now - last - _LOOK_S
            held_up += late if late > _HELD_UP_S else 0.0
            last = now

    looking = threading.Thread(target=look, name="pace", daemon=True)
    looking.start()
    began, used_before = time.monotonic(), time.thread_time()
    try:
        yield
    finally:
        took, used = time.monotonic() - began, time.thread_time() - used_before
        ended.set()
        looking.join()
    found = f"it took {took:.2f} s, {used:.2f} s of them working; all were held up for {held_up:.2f} s"
    assert max(took - held_up, used) < seconds, f"{why}; {found}" if why else found


def hold_up(seconds: float) -> None:
    """Let no thread of this process run for so long, as when the machine stands still; not on Windows."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
