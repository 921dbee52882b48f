"""The frames that are measured with: the same noise in every process, at any size."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
FRAME = (480, 640)
"""Height and width of a frame, pixels, where nothing else is said."""


def make_frames(count: int, size: tuple[int, int] = FRAME) -> list[Frame]:
    """Frames of smooth noise, uint8 [H, W, 3] BGR: every pixel matters, and none is a photograph that we may not copy.

    Args:
        count: How many.
        size: Their height and width, pixels.
    """
    noise = np.random.default_rng(0)
    frames = (noise.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(count))
    return [np.asarray(cv2.GaussianBlur(frame, (0, 0), 3), dtype=np.uint8) for frame in frames]


def make_contrasts(count: int, size: tuple[int, int] = FRAME) -> list[Frame]:
    """The same frames at contrasts from faint to full, so that detectors score them differently."""
    factors = np.linspace(0.1, 1.0, count)
    return [
        np.asarray(128 + (frame.astype(np.float32) - 128) * factor, dtype=np.uint8)
        for frame, factor in zip(make_frames(count, size), factors, strict=True)
    ]


def opencv_resize(frames: Frame, preprocessing: Any) -> Frame:
    """What a client without a toolkit does: quick, and not what the model was trained with.

    Args:
        frames: uint8 [N, H, W, 3] BGR.
        preprocessing: Has the `size` S of the square image.

    Returns:
        uint8 [N, S, S, 3] RGB.
    """
    side = (preprocessing.size, preprocessing.size)
    return np.stack([cv2.resize(frame, side, interpolation=cv2.INTER_AREA)[..., ::-1] for frame in frames])
