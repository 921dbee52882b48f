"""Video files and cameras, read by OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.sources.protocol import Frame

# Read when OpenCV first uses FFmpeg: without it FFmpeg writes to stderr between our own lines.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_SILENT = 0  # OpenCV's LOG_LEVEL_SILENT


class VideoSource:
    """Reads a video file from its first frame to its last.

    Args:
        path: The file.

    Raises:
        NandEdgeError: The file is missing or OpenCV cannot read it.
    """

    skipped = 0

    def __init__(self, path: Path) -> None:
        self._path = path
        capture = _open_quietly(str(path))
        opened, frames = capture.isOpened(), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        if not opened:
            raise self._unreadable("a file that OpenCV cannot open as a video")
        self._announced = frames if frames > 0 else None

    @property
    def length(self) -> int | None:
        """Number of frames that the file announces."""
        return self._announced

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames; see `Source`."""
        capture = _open_quietly(str(self._path))
        index = 0
        try:
            while True:
                more, image = capture.read()
                if not more:
                    break
                yield Frame(np.asarray(image, dtype=np.uint8), f"{self._path}#{index}", index, time.time())
                index += 1
        finally:
            capture.release()
        if index == 0:
            raise self._unreadable("a video without a frame that can be decoded")

    def _unreadable(self, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"video {str(self._path)!r}",
            found=found,
            needed="a video that OpenCV's FFmpeg decodes, such as MJPG in .avi or H.264 in .mp4",
            do="check the file, or convert it with ffmpeg",
        )


class CameraSource:
    """Reads a camera until the caller stops.

    Args:
        number: The camera's index, 0 for the first.

    Raises:
        NandEdgeError: The camera does not open.
    """

    length = None
    skipped = 0

    def __init__(self, number: int) -> None:
        self._number = number
        self._capture = _open_quietly(number)
        if not self._capture.isOpened():
            raise self._fault("no camera that opens")

    def __iter__(self) -> Iterator[Frame]:
        """Read frames without end; see `Source`."""
        index = 0
        try:
            while True:
                more, image = self._capture.read()
                taken = time.time()
                if not more:
                    raise self._fault(f"no frame after {index} frames")
                yield Frame(np.asarray(image, dtype=np.uint8), f"camera {self._number}#{index}", index, taken)
                index += 1
        finally:
            self._capture.release()

    def _fault(self, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"camera {self._number}",
            found=found,
            needed="a connected camera that no other program uses",
            do="check the cable and the index (v4l2-ctl --list-devices), and the right to read /dev/video*",
        )


def _open_quietly(source: str | int) -> cv2.VideoCapture:
    """Open a capture without OpenCV's own lines on stderr: what is wrong is said in one sentence."""
    # OpenCV 4.8 has the same two functions one level up.
    logging = getattr(cv2.utils, "logging", cv2)
    level = logging.getLogLevel()
    logging.setLogLevel(_SILENT)
    try:
        return cv2.VideoCapture(source)
    finally:
        logging.setLogLevel(level)
