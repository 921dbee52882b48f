"""Which frames an engine takes, and how many at once: what is too large is refused before it costs memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from nand_edge_runtime.engine_process.failure import EngineFailure
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import Reason


def runs_of(frames: Sequence[CameraFrame], settings: EngineSettings) -> list[Sequence[CameraFrame]]:
    """The frames in as few runs as the memory for a frame allows; a batch may take as much as the largest frame.

    Raises:
        EngineFailure: One is no uint8 [H, W, 3] or larger than the settings allow, or they differ in size.
    """
    images, most = [frame.image for frame in frames], settings.max_frame_megabytes
    at_once = min((_frames_at_once(image.dtype, image.shape, most) for image in images), default=1)
    if len({image.shape for image in images}) > 1:
        raise _refused("frames of different sizes in one batch")
    return [frames[place : place + at_once] for place in range(0, len(frames), at_once)]


@lru_cache(maxsize=64)
def _frames_at_once(kind: np.dtype[np.generic], shape: tuple[int, ...], most_megabytes: int) -> int:
    """How many frames of one kind and size go into a run; remembered, as a line's frames are all alike."""
    size = math.prod(shape)
    if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or size == 0:
        raise _refused(f"{kind} {list(shape)} instead of uint8 [H, W, 3]")
    if size > most_megabytes << 20:
        raise _refused(f"{size / (1 << 20):.0f} MB, more than max_frame_megabytes = {most_megabytes}")
    return (most_megabytes << 20) // size


def _refused(detail: str) -> EngineFailure:
    return EngineFailure(Reason.FRAME_REFUSED, detail)
