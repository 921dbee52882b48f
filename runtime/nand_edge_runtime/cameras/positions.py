"""A frame's place on the line, from what the settings say tells it."""

from __future__ import annotations

import re
from pathlib import PurePath

from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.cameras.settings import CameraSettings, PositionFrom

_NUMBER = re.compile(r"\d{1,15}")


class Positions:
    """Tells each frame's place, in the station's unit.

    Args:
        settings: The camera's.
        started: Where the line's way by speed begins, seconds of `time.monotonic()`.
    """

    def __init__(self, settings: CameraSettings, started: float) -> None:
        self._source, self._step, self._started = settings.position, settings.position_step, started

    def of(self, taken: Taken, number: int) -> float | None:
        """The place of the frame of this number; None where nothing tells it."""
        if self._source is PositionFrom.CAMERA:
            return taken.position
        if self._source is PositionFrom.FRAMES:
            return number * self._step
        if self._source is PositionFrom.SPEED:
            return (taken.taken - self._started) * self._step
        numbers = _NUMBER.findall(PurePath(taken.name).stem)
        return int(numbers[-1]) * self._step if numbers else None
