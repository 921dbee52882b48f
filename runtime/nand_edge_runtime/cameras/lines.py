"""A line-scan camera's lines: what it gives are blocks of them, and tiles are its frames."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.cameras.settings import CameraSettings

if TYPE_CHECKING:
    from nand_edge_runtime.line_scan import LineScanSettings, TileMaker


class Lines:
    """Makes tiles of a camera's blocks of lines, also where the camera was lost in between.

    Args:
        maker: Makes the tiles.
    """

    def __init__(self, maker: TileMaker) -> None:
        self._maker = maker
        self._has_lines = False

    def push(self, block: Taken) -> list[Taken]:
        """The tiles that are full with this block."""
        self._has_lines = True
        return self._maker.push(block)

    def interrupted(self, why: str) -> list[Taken]:
        """The tiles of the last lines before the camera was lost, and a reject for what is missing; none twice."""
        if not self._has_lines:
            return []
        self._has_lines = False
        return self._maker.interrupted(why, taken=time.monotonic(), timestamp=time.time())

    def end(self) -> list[Taken]:
        """The tiles of the last lines of all."""
        return self._maker.flush()


def lines_of(camera: CameraSettings) -> Lines | None:
    """The lines of a line-scan camera; None for a camera whose images are frames.

    Raises:
        NandEdgeError: A reference for the correction cannot be read.
    """
    settings: LineScanSettings | None = getattr(camera, "line_scan", None)
    if settings is None:
        return None
    from nand_edge_runtime.line_scan import TileMaker

    return Lines(TileMaker(settings, camera=camera.name))
