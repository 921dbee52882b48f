"""OpenCV's captures: opened without its own lines on stderr, in which addresses with passwords may stand."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2

# Read when OpenCV first uses FFmpeg: without it FFmpeg writes to stderr between our own lines.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_SILENT = 0  # OpenCV's LOG_LEVEL_SILENT


def open_capture(source: str | int, backend: int = cv2.CAP_ANY, parameters: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a capture quietly; whether it is open must be asked of it.

    Args:
        source: Index, path, address or pipeline.
        backend: OpenCV's CAP_* number.
        parameters: Pairs of CAP_PROP_* and value.
    """
    # OpenCV 4.8 has the same two functions one level up.
    logging = getattr(cv2.utils, "logging", cv2)
    logging.setLogLevel(_SILENT)
    return cv2.VideoCapture(source, backend, list(parameters))
