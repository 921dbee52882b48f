"""What runs a camera's driver where it cannot hang the station: in a thread of its own, or in a process of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from nand_edge_runtime.cameras.protocol import Recorded, Taken
from nand_edge_runtime.cameras.settings import CameraSettings


class Host(ABC):
    """A camera whose methods always return in time, whatever its driver does; called from one thread.

    Args:
        settings: The camera's.
    """

    def __init__(self, settings: CameraSettings) -> None:
        self.settings = settings
        self.is_open = False
        """Whether the camera has been opened since the last `open`."""

    @abstractmethod
    def open(self) -> None:
        """Have the camera opened, again if it is open; returns at once, and `read` tells how it went."""

    @abstractmethod
    def read(self, timeout_s: float) -> Taken | None:
        """The next frame, or None when there is none in time.

        Raises:
            CameraError: The camera did not open, gives no frames any more, or hangs; `open` may help.
            EndOfSourceError: The source was read to its end.
            NandEdgeError: The camera cannot be used at all.
        """

    @abstractmethod
    def close(self) -> None:
        """Have the camera closed, for good; returns within half a second."""

    def entered(self, name: str) -> None:  # noqa: B027 - cameras in another process need not know
        """The frame of this name is on record; from any thread."""

    def recorded(self, frames: Collection[Recorded]) -> None:  # noqa: B027 - as above
        """These frames of an earlier run are on record; before the first `open`."""
