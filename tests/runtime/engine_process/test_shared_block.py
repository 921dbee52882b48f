"""What one side writes into a shared block the other side sees, and nothing outside it."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge_runtime.engine_process.shared_block import SharedBlock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="frames cross to another process on Unix alone")


@given(st.lists(st.integers(0, 12), min_size=1, max_size=4), st.sampled_from([np.uint8, np.float32]))
def test_both_sides_see_the_same(shape: list[int], kind: type[np.generic]) -> None:
    size = max(int(np.prod(shape)) * np.dtype(kind).itemsize, 1)
    near = SharedBlock.create(size)
    far = SharedBlock(os.dup(near.fileno()), size)
    near.view(shape, kind)[...] = 7
    assert far.view(shape, kind).shape == tuple(shape)
    assert np.all(far.view(shape, kind) == 7)
    near.close()
    far.close()


def test_a_new_block_is_empty() -> None:
    block = SharedBlock.create(1000)
    assert not block.view([1000]).any()
    block.close()


@pytest.mark.parametrize("shape", [[101], [10, 11], [-1, 5], [1 << 40]])
def test_what_does_not_fit_is_refused(shape: list[int]) -> None:
    block = SharedBlock.create(100)
    with pytest.raises(ValueError, match="no room for shape"):
        block.view(shape)
    with pytest.raises(ValueError, match="no room for shape"):
        block.view([26], np.float32)
    block.close()


def test_arrays_outlive_the_block_that_they_lie_in() -> None:
    block = SharedBlock.create(16)
    array = block.view([16])
    array[...] = 3
    block.close()
    assert array.tolist() == [3] * 16


def test_memory_that_is_not_there_is_an_error_not_a_crash() -> None:
    import resource  # Unix alone has it

    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            SharedBlock.create(1 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    again = os.open(os.devnull, os.O_RDONLY)
    os.close(again)
    assert again == descriptor, "no open file is left behind"
