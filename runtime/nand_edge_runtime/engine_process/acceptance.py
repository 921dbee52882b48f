"""Which frames an engine takes, and how many at once: what is too large is refused before it costs memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nand_edge_runtime.engine_process.failure import EngineFailure
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import Reason


def acceptable(frames: Sequence[CameraFrame], settings: EngineSettings) -> None:
    """Refuse frames that cannot be judged together.

    Raises:
        EngineFailure: One is no uint8 [H, W, 3] or larger than the settings allow, or they differ in size.
    """
    for frame in frames:
        image = frame.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise _refused(f"{image.dtype} {list(image.shape)} instead of uint8 [H, W, 3]")
        if image.nbytes > settings.max_frame_megabytes << 20:
            megabytes = image.nbytes / (1 << 20)
            raise _refused(f"{megabytes:.0f} MB, more than max_frame_megabytes = {settings.max_frame_megabytes}")
        if image.shape != frames[0].image.shape:
            raise _refused("frames of different sizes in one batch")


def runs_of(frames: Sequence[CameraFrame], settings: EngineSettings) -> list[Sequence[CameraFrame]]:
    """The frames in as few runs as the memory for a frame allows; a batch may take as much as the largest frame."""
    if not frames:
        return []
    at_once = max((settings.max_frame_megabytes << 20) // frames[0].image.nbytes, 1)
    return [frames[place : place + at_once] for place in range(0, len(frames), at_once)]


def _refused(detail: str) -> EngineFailure:
    return EngineFailure(Reason.FRAME_REFUSED, detail)
