"""Memory that two processes share, in slots of one size, for pictures and maps: nothing is copied through a pipe.

It has no name in the file system: it goes when the last process that holds it goes, however that one ends.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nand_edge.errors import NandEdgeError


class FrameSlots:
    """A block of shared memory.

    Args:
        descriptor: The open file that it is; closed with the slots.
        count: Slots.
        slot_bytes: Size of each.
    """

    def __init__(self, descriptor: int, count: int, slot_bytes: int) -> None:
        self.count, self.slot_bytes = count, slot_bytes
        self._descriptor = descriptor
        self._memory = mmap.mmap(descriptor, count * slot_bytes)

    @classmethod
    def create(cls, count: int, slot_bytes: int) -> FrameSlots:
        """New slots, all zeros."""
        if sys.platform == "linux":
            descriptor = os.memfd_create("nand-edge-frames")
        else:
            descriptor, path = tempfile.mkstemp(prefix="nand-edge-frames-")
            os.unlink(path)  # noqa: PTH108 - the file lives on as long as somebody has it open
        os.ftruncate(descriptor, count * slot_bytes)
        return cls(descriptor, count, slot_bytes)

    def fileno(self) -> int:
        """The open file, to hand to another process, which makes slots of it."""
        return self._descriptor

    def write(self, slot: int, image: NDArray[np.generic]) -> tuple[int, ...]:
        """Copy an array into a slot and give its shape.

        Raises:
            NandEdgeError: It is larger than a slot.
        """
        if image.nbytes > self.slot_bytes:
            raise NandEdgeError(
                "frame",
                found=f"{image.nbytes} bytes",
                needed=f"at most {self.slot_bytes} bytes, as the first frames had",
                do="let the camera give frames of one size",
            )
        self.view(slot, image.shape, image.dtype)[...] = image
        return image.shape

    def view(self, slot: int, shape: Sequence[int], dtype: DTypeLike = np.uint8) -> NDArray[np.generic]:
        """An array that lies in a slot, without a copy; it must be gone before `close`."""
        place = slot * self.slot_bytes
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        if not 0 <= slot < self.count or size > self.slot_bytes or min(shape, default=1) < 0:
            raise ValueError(f"no room for shape {tuple(shape)} in slot {slot} of {self.count} x {self.slot_bytes} bytes")
        return np.ndarray(tuple(shape), dtype, buffer=memoryview(self._memory)[place : place + size])

    def close(self) -> None:
        """Let go of the memory; where arrays still lie in it, it stays until they are gone."""
        try:
            self._memory.close()
        except BufferError:
            pass
        os.close(self._descriptor)
