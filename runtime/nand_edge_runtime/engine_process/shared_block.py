"""A block of memory that two processes share, for pictures and maps: nothing of them is copied through a pipe.

It has no name in the file system: it goes when the last process that holds it goes, however that one ends.
"""

from __future__ import annotations

import math
import mmap
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class SharedBlock:
    """Shared memory of a fixed size.

    Args:
        descriptor: The open file that it is; closed with the block.
        size: Bytes, at least 1.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor
        self._memory = mmap.mmap(descriptor, size)

    @classmethod
    def create(cls, size: int, *, reserve: bool = True) -> SharedBlock:
        """A new block, all zeros.

        Args:
            size: Bytes.
            reserve: Take its memory now; if not, `reserve` takes it part by part.

        Raises:
            OSError: There is not so much memory.
        """
        if sys.platform == "linux":
            descriptor = os.memfd_create("nand-edge")
        else:
            descriptor, path = tempfile.mkstemp(prefix="nand-edge-")
            os.unlink(path)  # noqa: PTH108 - the file lives on as long as somebody has it open
        try:
            os.ftruncate(descriptor, size)
            block = cls(descriptor, size)
            if reserve:
                block.reserve(0, size)
        except OSError:
            os.close(descriptor)
            raise
        return block

    def reserve(self, offset: int, size: int) -> None:
        """Take the memory of a part now: memory that runs out later would end the process that touches it.

        Raises:
            OSError: There is not so much memory.
        """
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._descriptor, offset, size)

    def give_back(self, offset: int, size: int) -> bool:
        """Give the memory of a part back, whole pages that hold zeros then; says whether the system can do that."""
        if sys.platform != "linux":
            return False
        self._memory.madvise(mmap.MADV_REMOVE, offset, size)
        return True

    def fileno(self) -> int:
        """The open file, to hand to another process, which makes a block of it."""
        return self._descriptor

    def view(self, shape: Sequence[int], dtype: DTypeLike = np.uint8, *, offset: int = 0) -> NDArray[Any]:
        """An array that lies so many bytes after the block's beginning, without a copy.

        Raises:
            ValueError: It does not fit.
        """
        needed = offset + math.prod(shape) * np.dtype(dtype).itemsize
        if needed > self.size or min(*shape, offset, 0) < 0:
            raise ValueError(f"no room for shape {list(shape)} from {offset} on in {self.size} bytes")
        # Not by `np.ndarray(buffer=...)`, which does not keep the memory from being closed under the array.
        flat = np.frombuffer(self._memory, dtype, count=math.prod(shape), offset=offset)
        return flat if len(shape) == 1 else flat.reshape(shape)

    def close(self) -> None:
        """Let go of the memory; where arrays still lie in it, it stays until they are gone."""
        with suppress(BufferError):
            self._memory.close()
        os.close(self._descriptor)
