"""A video file as a camera: from its first frame to its last, once or again and again."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.opencv_capture import open_capture
from nand_edge_runtime.cameras.pace import Pace
from nand_edge_runtime.cameras.protocol import BLACK_PIXEL, Camera, CameraError, EndOfSourceError, Taken
from nand_edge_runtime.cameras.settings import CameraSettings

_SLACK = 1
"""Containers often announce one frame more than they hold."""


class VideoCamera(Camera):
    """Reads a video by OpenCV's FFmpeg; one that ends before its announced end has a last frame with the fault.

    Args:
        settings: `source` is the file.
    """

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(settings)
        self._path = Path(settings.source)
        self._pace = Pace(settings.frames_per_second)
        self._capture: cv2.VideoCapture | None = None
        self._next = self._announced = 0

    def open(self) -> None:
        """Open the file at its beginning.

        Raises:
            CameraError: There is no such file now.
            NandEdgeError: It is no video, or its frames are too large.
        """
        self.close()
        if not self._path.is_file():
            raise CameraError(f"there is no file {str(self._path)!r}")
        capture = open_capture(str(self._path))
        if not capture.isOpened():
            raise self._refused("a file that OpenCV cannot open as a video", "a video that FFmpeg decodes")
        width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > self.settings.max_megapixels * 1e6:
            capture.release()
            raise self._refused(
                f"{width} x {height} pixels a frame", f"at most {self.settings.max_megapixels:g} megapixels"
            )
        self._capture, self._next = capture, 0
        self._announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(self, timeout_s: float) -> Taken | None:
        """The next frame, at its time; see `Camera`."""
        if self._capture is None:
            raise EndOfSourceError
        if not self._pace.wait(timeout_s):
            return None
        found, image = self._capture.read()
        name = f"{self._path}#{self._next}"
        if found:
            self._next += 1
            return Taken(np.asarray(image, dtype=np.uint8), name, time.monotonic(), time.time())
        shown = self._next
        if self.settings.loop and shown:
            self.open()
        else:
            self.close()
        if shown == 0 or shown < self._announced - _SLACK:
            fault = f"the video ends after {shown} of the {self._announced} frames that it announces"
            return Taken(BLACK_PIXEL, name, time.monotonic(), time.time(), fault=fault)
        return self.read(0.0)

    def close(self) -> None:
        """Let go of the file."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _refused(self, found: str, needed: str) -> NandEdgeError:
        return NandEdgeError(
            f"video {str(self._path)!r}", found=found, needed=needed, do="check the file, or convert it with ffmpeg"
        )
