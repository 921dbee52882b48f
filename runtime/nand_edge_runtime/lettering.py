"""Smooth text on pictures: OpenCV's stroke font drawn four times as large and shrunk."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

_FONT = cv2.FONT_HERSHEY_DUPLEX
_OVERSAMPLING = 4
_STROKE_HEIGHT = 22
"""Height of OpenCV's capital letters at scale 1, pixels."""


def write(
    picture: NDArray[np.uint8],
    text: str,
    position: tuple[int, int],
    size: int,
    colour: tuple[int, int, int],
    *,
    anchor: Literal["left", "middle", "right"] = "left",
    bold: bool = False,
) -> None:
    """Write a line of text; what falls outside the picture is left out.

    Args:
        picture: uint8 [H, W, 3], changed in place.
        text: The line; characters that OpenCV's font lacks become question marks.
        position: Column of the anchor and row of the baseline, pixels.
        size: Height of a capital letter and a little more, pixels, as font sizes are counted.
        colour: BGR.
        anchor: Which end of the line stands at `position`.
        bold: Thicker strokes.
    """
    text = text.encode("ascii", "replace").decode()
    scale = size * 0.72 / _STROKE_HEIGHT * _OVERSAMPLING
    thickness = max(1, round(scale * (2.6 if bold else 1.15)))
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thickness)
    pad = 2 * _OVERSAMPLING
    canvas = np.zeros((height + below + 2 * pad, width + 2 * pad), dtype=np.uint8)
    cv2.putText(canvas, text, (pad, pad + height), _FONT, scale, 255, thickness, cv2.LINE_AA)
    columns, rows = -(-canvas.shape[1] // _OVERSAMPLING), -(-canvas.shape[0] // _OVERSAMPLING)
    shrunk = cv2.resize(canvas, (columns, rows), interpolation=cv2.INTER_AREA)
    cover = np.asarray(shrunk, dtype=np.float32) / np.float32(255)
    shift = {"left": 0, "middle": columns // 2, "right": columns}[anchor]
    _blend(picture, cover, position[0] - shift, position[1] - (pad + height) // _OVERSAMPLING, colour)


def _blend(
    picture: NDArray[np.uint8], cover: NDArray[np.float32], left: int, top: int, colour: tuple[int, int, int]
) -> None:
    first_row, first_column = max(0, -top), max(0, -left)
    last_row = min(cover.shape[0], picture.shape[0] - top)
    last_column = min(cover.shape[1], picture.shape[1] - left)
    if last_row <= first_row or last_column <= first_column:
        return
    cover = cover[first_row:last_row, first_column:last_column, None]
    region = picture[top + first_row : top + last_row, left + first_column : left + last_column]
    region[:] = np.round(region * (1 - cover) + np.array(colour, dtype=np.float32) * cover)
