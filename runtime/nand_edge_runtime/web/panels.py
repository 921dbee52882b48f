"""The pictures of a frame for a browser: its maps drawn as overlays, as JPEG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection
from nand_edge_runtime.history import Maps, Reader
from nand_edge_runtime.overlay import PANEL, Picture, draw_panels
from nand_edge_runtime.station.control import StationControl
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Decided
from nand_edge_runtime.station.records import FrameRecord

VIEWS = {"frame": "frame", "base": "base map", "suppression": "suppression map", "final": "final map"}
"""The views by their names in addresses, with their labels in `draw_panels`."""

WHOLE = "whole"
"""Another view: the frame alone, large enough to look for what a panel does not show."""

_WHOLE_PIXELS = 1600
_QUALITY = 82
_MAX_BYTES = 256 << 20
_MAX_PIXELS = 1 << 27


def live_panels(decided: Decided) -> dict[str, bytes]:
    """A frame's views as JPEG: all four where it has maps, else the frame alone."""
    image = _coarsened(decided.image)
    if decided.inspection is None or not decided.inspection.has_maps:
        return {"frame": encoded(_fitted(image))}
    drawn = draw_panels(image, decided.inspection)
    return {view: encoded(drawn[label]) for view, label in VIEWS.items()}


def encoded(picture: Picture) -> bytes:
    """A picture as JPEG."""
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return content.tobytes()


def picture_of(station: StationControl, history: Reader, key: FrameKey, view: str) -> bytes | None:
    """One view of a frame, out of memory or out of the history; None where it is not kept.

    Raises:
        NandEdgeError: The history is away, or its file is damaged.
    """
    recent = station.recent(key)
    if recent is not None:
        return _whole(recent.image) if view == WHOLE else live_panels(recent).get(view)
    record = history.get(key)
    file = None if record is None else history.picture(key)
    if record is None or file is None:
        return None
    image = _read(file)
    if view == WHOLE:
        return _whole(image)
    maps = None if view == "frame" else history.maps(key)
    if maps is None:
        return encoded(_fitted(image)) if view == "frame" else None
    return encoded(draw_panels(image, _inspection(record, maps))[VIEWS[view]])


def _whole(image: Picture) -> bytes:
    return encoded(image if max(image.shape[:2]) <= _WHOLE_PIXELS else _fitted(image, _WHOLE_PIXELS))


def _fitted(image: Picture, longer_side: int = PANEL) -> Picture:
    """The frame with its longer side of so many pixels, proportions kept."""
    factor = longer_side / max(image.shape[:2])
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), dtype=np.uint8)


def _coarsened(image: Picture) -> Picture:
    """A frame of many pixels shrunk by a whole factor, which takes a fraction of the time that any other takes."""
    factor = max(image.shape[:2]) // (2 * PANEL)
    if factor < 2:
        return image
    height, width = (side // factor for side in image.shape[:2])
    if min(height, width) == 0:
        return image
    whole = image[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _read(file: Path) -> Picture:
    try:
        content = file.read_bytes() if file.stat().st_size <= _MAX_BYTES else b""
    except OSError:
        content = b""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if image is None or image.size > _MAX_PIXELS * 3:
        raise NandEdgeError(
            f"picture {file.name!r}",
            found="a file that cannot be read",
            needed="the picture of one frame",
            do="remove the file; its record stays",
        )
    return np.asarray(image, dtype=np.uint8)


def _inspection(record: FrameRecord, maps: Maps) -> Inspection:
    """What was known of the frame, as far as it was kept."""
    return Inspection(
        frame=record.name,
        index=record.key.number,
        timestamp=record.timestamp,
        score=float("nan") if record.score is None else record.score,
        base_score=float("nan") if record.base_score is None else record.base_score,
        threshold=float("nan") if record.threshold is None else record.threshold,
        verdict=record.verdict,
        clip_ran=record.clip_ran,
        normalities=record.normalities,
        latency_ms=record.latency_ms,
        bundle=record.bundle,
        anomaly_map=maps.anomaly_map,
        base_map=maps.base_map,
        suppression_map=maps.suppression_map,
        score_is_bound=record.score_is_bound,
    )
