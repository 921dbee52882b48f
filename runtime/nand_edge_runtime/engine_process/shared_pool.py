"""Memory that the station and its engine's process share, lent out as arrays: nothing that lies in it is copied."""

from __future__ import annotations

import errno
import math
import mmap
import threading
import weakref
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nand_edge_runtime.engine_process.shared_block import SharedBlock

_SEGMENT_BYTES = 16 << 20
"""Slots are made so many at once: each segment costs both processes an open file."""

_PAGE = mmap.PAGESIZE
_STEPS = 4
"""Sizes of slots in an octave, so that pictures of nearly the same size share them."""

_MOST_UNUSED_BYTES = 64 << 20
"""Segments that nobody uses beyond this are let go before a new one is made."""

_LOOK_EVERY = 1024
"""After so many loans of a size, the memory of slots that none of them needed goes back to the system."""


class Place(NamedTuple):
    """Where an array lies.

    Attributes:
        segment: Number of the segment.
        offset: Bytes from its beginning.
    """

    segment: int
    offset: int


@dataclass
class _Segment:
    block: SharedBlock
    slot: int
    lent: int = 0


@dataclass
class _Slots:
    """Free slots of one size: warm ones have memory and are lent first, the last one before all; cold have none."""

    warm: deque[Place] = field(default_factory=deque)
    cold: list[Place] = field(default_factory=list)
    loans: int = 0
    fewest_warm: int = 0


_Lent = weakref.KeyedRef[tuple[int, Place], NDArray[Any]]
"""Refers to a lent array; the key is its `id` while it is there, and its place."""


class SharedPool:
    """Lends arrays; when nothing refers to one any more, its memory is lent again. Safe from any thread.

    It holds as much memory as was in use at once of late.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segments: dict[int, _Segment] = {}
        self._next = 0
        self.version = 0
        """Counts how often there were other segments than before."""
        self._is_closed = False
        self._free: defaultdict[int, _Slots] = defaultdict(_Slots)
        self._lent: dict[int, _Lent] = {}
        # An array may end anywhere, within this class's own methods too: its end is noted here, and dealt with later.
        self._ended: deque[_Lent] = deque()

    def lend(self, shape: Sequence[int], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
        """An array of this shape, with anything in it.

        Raises:
            OSError: There is not so much memory, or it is closed.
        """
        count, kind = math.prod(shape), np.dtype(dtype)
        with self._lock:
            if self._is_closed:
                raise OSError(errno.ENOMEM, "the engine is closed")
            self._take_back()
            place = self._take(slot_bytes(count * kind.itemsize))
            segment = self._segments[place.segment]
            segment.lent += 1
            root = segment.block.view([count], kind, offset=place.offset)
            # Every view of an array keeps its root alive, however it was made.
            self._lent[id(root)] = weakref.KeyedRef(root, self._ended.append, (id(root), place))
        return root.reshape(shape)

    def copy_of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of a frame, lent.

        Raises:
            OSError: There is not so much memory.
        """
        lent: NDArray[np.uint8] = self.lend(image.shape)
        np.copyto(lent, image)
        return lent

    def place_of(self, array: NDArray[Any]) -> Place | None:
        """Where a lent array lies; None for one that is not lent, or only a part or another layout of it."""
        root = array.base
        lent = self._lent.get(id(root))
        # Another object may have come to where one was that ended.
        if lent is None or root is None or lent() is not root:
            return None
        is_whole = root.nbytes == array.nbytes and array.flags.c_contiguous
        return lent.key[1] if is_whole else None

    def segments(self) -> set[int]:
        """The numbers of all segments that there are; none ever comes again."""
        return set(self._segments.copy())

    def block(self, segment: int) -> SharedBlock:
        """The memory of a segment that a lent array lies in."""
        return self._segments[segment].block

    def close(self) -> None:
        """Lend nothing more; where arrays are still in use, their memory stays until they are gone."""
        with self._lock:
            self._is_closed = True
            for segment in self._segments.values():
                segment.block.close()
            self._segments.clear()

    def _take(self, slot: int) -> Place:
        """A free slot of this size, with memory."""
        free = self._free[slot]
        free.loans += 1
        if free.loans % _LOOK_EVERY == 0:
            self._cool(slot, free)
        if free.warm:
            place = free.warm.pop()
        else:
            if not free.cold:
                self._add_segment(slot)
            self._segments[free.cold[-1].segment].block.reserve(free.cold[-1].offset, slot)
            place = free.cold.pop()
        free.fewest_warm = min(free.fewest_warm, len(free.warm))
        return place

    def _cool(self, slot: int, free: _Slots) -> None:
        """Give the memory back that was not needed since the last time."""
        for _ in range(free.fewest_warm):
            place = free.warm[0]
            if not self._segments[place.segment].block.give_back(place.offset, slot):
                break
            free.cold.append(free.warm.popleft())
        free.fewest_warm = len(free.warm)

    def _take_back(self) -> None:
        while self._ended:
            lent = self._ended.popleft()
            name, place = lent.key
            # Another array may have come to where it was.
            if self._lent.get(name) is lent:
                del self._lent[name]
            segment = self._segments.get(place.segment)
            if segment is not None:
                segment.lent -= 1
                self._free[segment.slot].warm.append(place)

    def _add_segment(self, slot: int) -> None:
        self._give_back()
        slots = max(_SEGMENT_BYTES // slot, 1)
        self._segments[self._next] = _Segment(SharedBlock.create(slots * slot, reserve=False), slot)
        self._free[slot].cold += [Place(self._next, number * slot) for number in reversed(range(slots))]
        self._next += 1
        self.version += 1

    def _give_back(self) -> None:
        """Let segments go that nobody uses, the oldest first, as long as there is too much of them."""
        unused = {number: segment for number, segment in self._segments.items() if segment.lent == 0}
        total = sum(segment.block.size for segment in unused.values())
        for number, segment in unused.items():
            if total <= _MOST_UNUSED_BYTES:
                break
            total -= segment.block.size
            del self._segments[number]
            free = self._free[segment.slot]
            free.warm = deque(place for place in free.warm if place.segment != number)
            free.cold = [place for place in free.cold if place.segment != number]
            free.fewest_warm = min(free.fewest_warm, len(free.warm))
            segment.block.close()


def slot_bytes(size: int) -> int:
    """The size of the slot for so many bytes: a whole number of pages, at most a quarter more than is needed."""
    step = max(1 << max(size - 1, 1).bit_length() - 1, _PAGE * _STEPS) // _STEPS
    return max(-(-size // step), 1) * step
