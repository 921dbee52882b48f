"""What every source of frames offers: an iterator of frames with their names and times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """One frame of a source.

    Attributes:
        image: uint8 [H, W, 3], BGR.
        name: A path, or the source and a number.
        index: Its place in the source, from 0; a skipped one keeps its place.
        timestamp: Seconds since 1970 when it was read.
    """

    image: NDArray[np.uint8]
    name: str
    index: int
    timestamp: float


class Source(Protocol):
    """A source of frames."""

    @property
    def length(self) -> int | None:
        """How many frames there will be, as far as that is known."""

    @property
    def skipped(self) -> int:
        """How many unreadable frames were passed over so far."""

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames one by one.

        Raises:
            NandEdgeError: A frame cannot be read, or the source ends where it must not.
        """
