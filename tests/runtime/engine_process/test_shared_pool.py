"""Memory that is lent as arrays: never to two at once, again when an array is gone, and never more than is needed."""

from __future__ import annotations

import gc
import mmap
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nand_edge_runtime.engine_process import shared_pool
from nand_edge_runtime.engine_process.shared_block import SharedBlock
from nand_edge_runtime.engine_process.shared_pool import SharedPool, slot_bytes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="frames cross to another process on Unix alone")


def seen_from_there(pool: SharedPool, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A lent array as another process sees it."""
    place = pool.place_of(array)
    assert place is not None
    block = pool.block(place.segment)
    other = SharedBlock(os.dup(block.fileno()), block.size)
    seen: NDArray[np.uint8] = other.view(array.shape, array.dtype, offset=place.offset).copy()
    other.close()
    return seen


def test_what_lies_in_a_lent_array_is_seen_by_the_other_process() -> None:
    pool = SharedPool()
    frames = [pool.copy_of(np.full((48, 64, 3), number, np.uint8)) for number in range(5)]
    for number, frame in enumerate(frames):
        assert np.all(seen_from_there(pool, frame) == number)
    pool.close()


def test_only_a_whole_lent_array_has_a_place() -> None:
    pool = SharedPool()
    frame = pool.lend((48, 64, 3))
    assert pool.place_of(frame) == pool.place_of(frame[None])
    assert pool.place_of(frame[:24]) is None
    assert pool.place_of(frame[1:]) is None
    assert pool.place_of(np.asfortranarray(frame)) is None
    assert pool.place_of(frame.transpose(1, 0, 2)) is None
    assert pool.place_of(np.zeros((48, 64, 3), np.uint8)) is None


def test_memory_is_lent_again_once_no_view_of_it_is_left() -> None:
    pool = SharedPool()
    frame = pool.lend((480, 640, 3))
    place, corner = pool.place_of(frame), frame[:2, :2]
    del frame
    held = pool.lend((480, 640, 3))
    assert pool.place_of(held) != place
    assert corner.shape == (2, 2, 3)
    del corner
    assert pool.place_of(pool.lend((480, 640, 3))) == place


def test_many_frames_one_after_another_take_no_more_memory() -> None:
    pool = SharedPool()
    kept = [pool.lend((480, 640, 3)) for _ in range(20)]
    segments = pool.segments()
    for number in range(500):
        kept[number % 20] = pool.lend((480, 640, 3))
    # One more than are kept is lent for a moment.
    assert len(pool.segments() - segments) <= 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives the memory of a part back")
def test_the_memory_of_a_burst_goes_back_to_the_system() -> None:
    pool = SharedPool()
    burst = [pool.copy_of(np.ones((480, 640, 3), np.uint8)) for _ in range(40)]
    held = resident_bytes()
    del burst
    for _ in range(3000):
        pool.lend((480, 640, 3))[...] = 1
    assert held - resident_bytes() > 30 * 921_600


def test_arrays_keep_what_is_in_them_while_others_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_pool, "_LOOK_EVERY", 7)
    pool = SharedPool()
    random = np.random.default_rng(0)
    kept: dict[int, NDArray[np.uint8]] = {}
    for number in range(2000):
        kept[int(random.integers(0, 1 + number % 50))] = pool.copy_of(np.full((64, 64, 3), number % 256, np.uint8))
        if number % 50 == 0:
            kept.clear()
        assert all(array.min() == array.max() for array in kept.values())


def test_what_nobody_uses_goes_when_other_sizes_come_but_what_is_used_stays() -> None:
    pool = SharedPool()
    kept = pool.copy_of(np.full((100, 100, 3), 9, np.uint8))
    before = open_files()
    for side in range(200, 3000, 100):
        pool.lend((side, side, 3))
    assert len(pool.segments()) < 16
    assert open_files() - before < 32
    assert np.all(seen_from_there(pool, kept) == 9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3 << 20), st.booleans()), min_size=1, max_size=25))
def test_no_two_arrays_share_a_byte(steps: list[tuple[int, bool]]) -> None:
    pool = SharedPool()
    kept: list[tuple[int, NDArray[np.uint8]]] = []
    for number, (size, keep) in enumerate(steps):
        array = pool.lend([size])
        array[:] = number
        if keep:
            kept.append((number, array))
        del array
    assert all(np.all(array == number) for number, array in kept)
    pool.close()
    assert all(np.all(array == number) for number, array in kept), "it stays after the pool is closed"


def test_many_threads_at_once_get_memory_of_their_own() -> None:
    pool = SharedPool()

    def use(number: int) -> bool:
        whole = True
        for step in range(200):
            array = pool.copy_of(np.full((40, 40, 3), (number + step) % 256, np.uint8))
            whole &= bool(np.all(array == (number + step) % 256)) and pool.place_of(array) is not None
        return whole

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(use, range(4)))


def test_a_closed_pool_lends_nothing_and_leaves_no_file() -> None:
    gc.collect()
    before = open_files()
    pool = SharedPool()
    frame = pool.lend((480, 640, 3))
    pool.close()
    with pytest.raises(OSError, match="closed"):
        pool.lend((1, 1, 3))
    frame[...] = 1
    del frame
    assert open_files() == before


@given(st.integers(0, 1 << 34))
def test_slots_are_whole_pages_and_waste_at_most_a_quarter(size: int) -> None:
    slot = slot_bytes(size)
    assert slot >= size
    assert slot % mmap.PAGESIZE == 0
    assert slot <= max(size * 1.25, size + mmap.PAGESIZE)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
