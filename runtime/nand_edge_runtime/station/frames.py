"""What a camera of a station gives: a frame with its identity, its time and its place on the line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, order=True)
class FrameKey:
    """What tells a frame from all others, for ever.

    Attributes:
        run: The station's run, drawn anew at each start.
        camera: The camera's name in the settings.
        number: Its place among all frames that the camera gave in this run, from 0; dropped ones count.
    """

    run: str
    camera: str
    number: int

    def __str__(self) -> str:
        """Short enough for a log line."""
        return f"{self.run}/{self.camera}#{self.number}"


@dataclass(frozen=True)
class CameraFrame:
    """One frame of a camera.

    Attributes:
        key: Its identity.
        image: uint8 [H, W, 3], BGR.
        name: A path, or the camera's name and the number.
        taken: When it was taken, seconds of `time.monotonic()`: what deadlines and delays count from. The wall clock
            may be set back at any time.
        timestamp: The same moment, seconds since 1970, for the record.
        device_timestamp_ns: The camera's own clock, nanoseconds, where it has one.
        position: Place on the line when it was taken, in the unit of the station's `position_unit` (encoder ticks or
            millimetres); None where nothing tells it.
        dropped_before: How many frames of this camera were dropped between the last one that entered and this one.
        fault: Why it cannot be inspected, such as a file that is no image; the image is a black pixel then. Empty for
            a frame that can.
    """

    key: FrameKey
    image: NDArray[np.uint8]
    name: str
    taken: float
    timestamp: float
    device_timestamp_ns: int | None = None
    position: float | None = None
    dropped_before: int = 0
    fault: str = ""
