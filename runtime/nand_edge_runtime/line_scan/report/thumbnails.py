"""Small pictures of regions, from the frames that the history has kept."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge_runtime.history.picture_files import PictureFiles
from nand_edge_runtime.line_scan.region import Region

MOST = 40
_TRIED = 400
"""Of a roll without pictures, so many regions are looked for."""
_SIDE = 160
_AROUND = 0.35
_LEAST_PIXELS = 64
_QUALITY = 82
_MAX_BYTES = 64 << 20


def thumbnails(regions: Iterable[Region], pictures: Path) -> dict[int, bytes]:
    """JPEGs by the region's number, of those whose frame is kept, at most `MOST`.

    Args:
        regions: The most important first.
        pictures: The history's folder of pictures.
    """
    files = PictureFiles(pictures)
    found: dict[int, bytes] = {}
    for region in islice(regions, _TRIED):
        if len(found) >= MOST:
            break
        path = files.picture(region.best, region.best_at)
        picture = None if path is None else _read(path)
        if picture is not None:
            found[region.number] = _cut_out(picture, region.best_box)
    return found


def _read(path: Path) -> NDArray[np.uint8] | None:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if picture is None else np.asarray(picture, np.uint8)


def _cut_out(picture: NDArray[np.uint8], box: tuple[int, int, int, int]) -> bytes:
    """The box with something around it, as a JPEG of at most `_SIDE` pixels a side, its corners marked."""
    left, top, right, bottom = box
    margin = [max(int(side * _AROUND), (_LEAST_PIXELS - side) // 2, 4) for side in (right - left, bottom - top)]
    x, y = max(left - margin[0], 0), max(top - margin[1], 0)
    piece = picture[y : bottom + margin[1], x : right + margin[0]].copy()
    scale = min(_SIDE / max(piece.shape[:2]), 4.0)
    size = max(round(piece.shape[1] * scale), 1), max(round(piece.shape[0] * scale), 1)
    small = cv2.resize(piece, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    corners = [(round((px - x) * scale), round((py - y) * scale)) for px, py in ((left, top), (right, bottom))]
    cv2.rectangle(small, corners[0], (corners[1][0] - 1, corners[1][1] - 1), (255, 255, 255), 1)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()
