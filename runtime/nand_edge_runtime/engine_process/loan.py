"""The memory that one question to the engine's process needs: the frames, and room for their maps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nand_edge_runtime.engine_process.crossing import MAPS
from nand_edge_runtime.engine_process.shared_block import SharedBlock
from nand_edge_runtime.engine_process.shared_pool import Place, SharedPool


class Loan(NamedTuple):
    """What the process may read or write until it has answered, also when nobody waits for the answer any more.

    Attributes:
        frames: uint8 [N, H, W, 3].
        maps: For each frame three, float32 [M, M].
        places: Segment and offset of the frames, and then of each map.
    """

    frames: NDArray[np.uint8]
    maps: Sequence[NDArray[np.float32]]
    places: tuple[int, ...]

    def map(self, frame: int, side: int, number: int) -> NDArray[np.float32]:
        """One of the maps of a frame, float32 [side, side]; the process may have used less room than there was."""
        room = self.maps[MAPS * frame + number]
        return room if side == len(room) else room.reshape(-1)[: side * side].reshape(side, side)


class Lender:
    """Finds the memory for questions to one process, and knows which of it that process has already.

    Args:
        memory: Where it comes from.
        map_size: Side of the maps, pixels.
    """

    def __init__(self, memory: SharedPool, map_size: int) -> None:
        self._memory, self._map_size = memory, map_size
        self._known: set[int] = set()
        self._seen = -1
        self._spare: list[NDArray[np.float32]] = []
        self._spare_places: tuple[int, ...] = ()

    def lend(self, images: Sequence[NDArray[np.uint8]]) -> Loan:
        """Memory for frames of one size; what lies in the shared memory already is not copied.

        Raises:
            OSError: There is not so much memory.
        """
        frames: NDArray[np.uint8] = images[0][None]
        place = self._memory.place_of(frames) if len(images) == 1 else None
        if place is None:
            frames = self._memory.lend((len(images), *images[0].shape))
            for room, image in zip(frames, images, strict=True):
                np.copyto(room, image)
            place = _place(self._memory, frames)
        self._lend_maps(len(images))
        loan = Loan(frames, self._spare, place + self._spare_places)
        self._spare = []
        return loan

    def prepare(self, frames: int) -> None:
        """Have the maps' memory ready for the next question of so many frames, while there is time, and memory."""
        with suppress(OSError):
            self._lend_maps(frames)

    def news(self, loan: Loan) -> tuple[dict[int, SharedBlock], list[int]]:
        """Segments that the process has to be given for this loan, and the numbers of those that are gone."""
        # Only what is in use: anything else may be given back by another thread just now.
        segments, version = loan.places[::2], self._memory.version
        if version == self._seen and self._known.issuperset(segments):
            return {}, []
        new = set(segments) - self._known
        gone = self._known - self._memory.segments()
        self._known = (self._known | new) - gone
        self._seen = version
        return {number: self._memory.block(number) for number in sorted(new)}, sorted(gone)

    def close(self) -> None:
        """Have nothing ready any more."""
        self._spare = []

    def _lend_maps(self, frames: int) -> None:
        if len(self._spare) != MAPS * frames:
            size = self._map_size
            self._spare = [self._memory.lend((size, size), np.float32) for _ in range(MAPS * frames)]
            self._spare_places = sum((_place(self._memory, each) for each in self._spare), ())


def _place(memory: SharedPool, array: NDArray[np.uint8] | NDArray[np.float32]) -> Place:
    place = memory.place_of(array)
    if place is None:
        raise AssertionError("lent just now")
    return place
