"""What every camera offers: it is opened, read with a time-out, and closed; and it may be opened again.

A new kind is one file with a `Camera`, and one line in `CAMERAS` (`cameras/__init__.py`).
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nand_edge_runtime.cameras.settings import CameraSettings

BLACK_PIXEL: NDArray[np.uint8] = np.zeros((1, 1, 3), np.uint8)
"""The image of a frame that has none."""
BLACK_PIXEL.setflags(write=False)


Recorded = tuple[str, "int | None"]
"""What tells a file's frame from all others, over runs too: its name, and the file's time as its device timestamp."""


@dataclass(frozen=True)
class Taken:
    """What a camera gives: an image with its name, its time and its place, not yet numbered.

    Attributes:
        image: uint8 [H, W, 3] BGR, or [H, W] grey; nobody else writes into it afterwards.
        name: A path, or what the camera calls it; empty where it has no name for it.
        taken: When the driver handed it over, seconds of `time.monotonic()`, which all processes share.
        timestamp: The same moment, seconds since 1970.
        device_timestamp_ns: The camera's own clock, nanoseconds, where it has one; a file's time of change.
        position: Place on the line, where the camera tells it.
        fault: Why it cannot be inspected, in words without secrets: it becomes a reject. Empty for a good one.
    """

    image: NDArray[np.uint8]
    name: str
    taken: float
    timestamp: float
    device_timestamp_ns: int | None = None
    position: float | None = None
    fault: str = ""


def showable(name: str) -> str:
    """A name as it may stand in a record or a log line: what is no text in it is written out."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def within_limit(taken: Taken, max_megapixels: float) -> Taken:
    """The same, or a frame with a fault in the place of an image that is too large."""
    height, width = taken.image.shape[:2]
    if height * width <= max_megapixels * 1e6:
        return taken
    fault = f"found {width} x {height} pixels, needed at most {max_megapixels:g} megapixels"
    return dataclasses.replace(taken, image=BLACK_PIXEL, fault=fault)


class CameraError(Exception):
    """The camera gives no frames now; it will be closed, and opened again after a pause.

    Args:
        why: What is wrong, in words without secrets, such as "no answer from 192.168.1.20".
    """


class EndOfSourceError(Exception):
    """A folder or video that was read to its end."""


class Camera(ABC):
    """A source of frames. All methods but `entered` are called from one thread.

    A driver may hang in any of them: the station runs it in a process of its own (`isolated`), or in a thread that is
    left alone, and goes on.

    Args:
        settings: Where the frames come from.

    Raises:
        NandEdgeError: What no waiting mends, such as a package that is not installed: the camera is not tried again.
            The same holds for `open`.
    """

    def __init__(self, settings: CameraSettings) -> None:
        self.settings = settings

    @abstractmethod
    def open(self) -> None:
        """Connect; also again after `close`.

        Raises:
            CameraError: It cannot be opened now.
        """

    @abstractmethod
    def read(self, timeout_s: float) -> Taken | None:
        """The next frame, or None when there is none in time; one that came damaged has a `fault`.

        A driver that cannot be read with a time-out may take longer.

        Raises:
            CameraError: No frames come any more.
            EndOfSourceError: The source was read to its end.
        """

    @abstractmethod
    def close(self) -> None:
        """Disconnect, whatever the state; raises nothing that matters."""

    def entered(self, name: str) -> None:  # noqa: B027 - most cameras have nothing to do then
        """The frame of this name is on record; called from any thread, and returns at once."""

    def recorded(self, frames: Collection[Recorded]) -> None:  # noqa: B027 - as above
        """These frames of an earlier run are on record; called before the first `open`."""
