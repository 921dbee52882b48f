"""The picture that explains a verdict: the frame, the three maps over it, the score and the words in force."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime import lettering

Picture = NDArray[np.uint8]
"""uint8 [H, W, 3], BGR."""

PANEL = 320
MARGIN = 16
_LABEL = 34
_BANNER = 84
_SCALE = 40
_HEAT_RANGE = 1.5
"""Colours end at this multiple of the threshold, or at the base map's maximum if that is higher."""

_BACKGROUND = (30, 26, 24)
_FIELD = (48, 43, 40)
_TEXT = (240, 238, 236)
_QUIET = (172, 164, 158)
_GREEN = (96, 174, 60)
_RED = (64, 60, 222)
_CONTOUR = (255, 255, 255)
_EDGE = (208, 176, 64)
_DIMMED = 0.3
"""What is left of the brightness where a frame is not inspected."""

_ANOMALY_COLOURS, _SUPPRESSION_COLOURS = cv2.COLORMAP_INFERNO, cv2.COLORMAP_VIRIDIS


def draw_overlay(image: Picture, inspection: Inspection) -> Picture:
    """Draw an inspection.

    Four panels of `PANEL` pixels: the frame; the base map, the suppression map and the final map as heat over it.
    Base and final map share one colour scale, and a white line surrounds what reaches the threshold. What lies
    outside the region is dimmed.

    Args:
        image: uint8 [H, W, 3] BGR, the frame that was inspected.
        inspection: What came of it.

    Returns:
        uint8 [`overlay_size()`, 3] BGR.
    """
    _require_maps(inspection)
    height, width = overlay_size()
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[:] = _BACKGROUND
    top = _heat_top(inspection)
    _draw_banner(picture, inspection)
    for place, (label, panel) in enumerate(draw_panels(image, inspection).items()):
        left = MARGIN + place * (PANEL + MARGIN)
        note = "" if inspection.clip_ran or label != "suppression map" else " (CLIP did not run)"
        lettering.write(picture, label + note, (left, _BANNER + _LABEL - 11), 15, _QUIET)
        _paste(picture, panel, left, _BANNER + _LABEL)
        below = _BANNER + _LABEL + PANEL + 10
        if label == "suppression map":
            _draw_scale(picture, (left, below), 1.0, None, _SUPPRESSION_COLOURS)
        elif label != "frame":
            _draw_scale(picture, (left, below), top, inspection.threshold)
    return picture


def draw_panels(image: Picture, inspection: Inspection) -> dict[str, Picture]:
    """The overlay's four panels by their labels, uint8 [h, w, 3] BGR, the longer side `PANEL` pixels."""
    frame, top = _fit(image), _heat_top(inspection)
    panels = {
        "frame": frame.copy(),
        "base map": _heat(frame, inspection.base_map, top, inspection.threshold),
        "suppression map": _heat(frame, inspection.suppression_map, 1.0, None, _SUPPRESSION_COLOURS),
        "final map": _heat(frame, inspection.anomaly_map, top, inspection.threshold),
    }
    if inspection.region is not None and not inspection.region.all():
        for panel in panels.values():
            _dim_outside(panel, inspection.region)
    return panels


def overlay_size() -> tuple[int, int]:
    """Height and width of every overlay, pixels."""
    return _BANNER + _LABEL + PANEL + 10 + _SCALE + MARGIN, MARGIN + 4 * (PANEL + MARGIN)


def write_overlay(image: Picture, inspection: Inspection, folder: Path) -> Path:
    """Draw an inspection into `folder` as a PNG named by its place and its frame, and give the path.

    Raises:
        NandEdgeError: The folder cannot be made or written.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise NandEdgeError(
            f"overlay folder {str(folder)!r}",
            found=f"{error.strerror}",
            needed="a folder that can be made and written",
            do="choose another folder",
        ) from None
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(inspection.frame).stem)
    path = folder / f"{inspection.index:06d}-{stem}.png"
    _, encoded = cv2.imencode(".png", draw_overlay(image, inspection))
    with whole_file(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
    return path


def _heat_top(inspection: Inspection) -> float:
    highest = max(float(np.nan_to_num(inspection.base_map, posinf=0, neginf=0).max()), 0.0)
    return max(inspection.threshold * _HEAT_RANGE, highest, 1e-6)


def _fit(image: Picture) -> Picture:
    """The frame as large as a panel allows, its proportions kept."""
    factor = PANEL / max(image.shape[:2])
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), dtype=np.uint8)


def _heat(
    frame: Picture,
    anomaly_map: NDArray[np.float32],
    top: float,
    threshold: float | None,
    colours: int = _ANOMALY_COLOURS,
) -> Picture:
    """A map as heat over the greyed frame: the frame shows where the map is low."""
    height, width = frame.shape[:2]
    # Not a number is shown as the hottest colour: it leads to a reject, and must not look harmless.
    finite = np.nan_to_num(anomaly_map, nan=top, posinf=top, neginf=0.0)
    values = cv2.resize(finite, (width, height), interpolation=cv2.INTER_LINEAR)
    level = np.clip(values / top, 0.0, 1.0)
    heat = cv2.applyColorMap((level * 255).astype(np.uint8), colours)
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    weight = (0.3 + 0.55 * level)[:, :, None]
    panel = np.asarray(grey * (1 - weight) + heat * weight, dtype=np.uint8)
    if threshold is not None:
        over = (values >= threshold).astype(np.uint8)
        contours, _ = cv2.findContours(over, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(panel, contours, -1, _CONTOUR, 1, cv2.LINE_AA)
    return panel


def _dim_outside(panel: Picture, region: NDArray[np.float32]) -> None:
    """Darken what is not inspected, and draw a line around what is."""
    height, width = panel.shape[:2]
    inside = (cv2.resize(region, (width, height), interpolation=cv2.INTER_NEAREST) > 0).astype(np.uint8)
    panel[inside == 0] = (panel[inside == 0] * _DIMMED).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(panel, contours, -1, _EDGE, 1, cv2.LINE_AA)


def _paste(picture: Picture, panel: Picture, left: int, top: int) -> None:
    picture[top : top + PANEL, left : left + PANEL] = _FIELD
    height, width = panel.shape[:2]
    row, column = top + (PANEL - height) // 2, left + (PANEL - width) // 2
    picture[row : row + height, column : column + width] = panel


def _draw_scale(
    picture: Picture, corner: tuple[int, int], end: float, threshold: float | None, colours: int = _ANOMALY_COLOURS
) -> None:
    """A colour bar from 0 to `end`, with a tick at the threshold; `corner` is its left and top."""
    left, top = corner
    ramp = np.linspace(0, 255, PANEL).astype(np.uint8)[None].repeat(8, axis=0)
    picture[top : top + 8, left : left + PANEL] = cv2.applyColorMap(ramp, colours)
    baseline = top + 24
    lettering.write(picture, "0", (left, baseline), 13, _QUIET)
    lettering.write(picture, f"{end:.3g}", (left + PANEL, baseline), 13, _QUIET, anchor="right")
    if threshold is not None and 0 < threshold <= end:
        column = left + round(threshold / end * (PANEL - 1))
        cv2.line(picture, (column, top - 3), (column, top + 11), _CONTOUR, 2)
        inner = int(np.clip(column, left + 70, left + PANEL - 110))
        lettering.write(picture, f"threshold {threshold:.3g}", (inner, baseline), 13, _TEXT, anchor="middle")


def _draw_banner(picture: Picture, inspection: Inspection) -> None:
    reject = inspection.verdict is Verdict.REJECT
    cv2.rectangle(picture, (0, 0), (picture.shape[1], _BANNER), _FIELD, -1)
    cv2.rectangle(picture, (0, 0), (200, _BANNER), _RED if reject else _GREEN, -1)
    lettering.write(
        picture, inspection.verdict.value.upper(), (100, 54), 34, (255, 255, 255), anchor="middle", bold=True
    )
    lettering.write(picture, _judgement(inspection), (224, 36), 19, _TEXT)
    lettering.write(picture, _words(inspection), (224, 64), 16, _QUIET)
    right = picture.shape[1] - MARGIN
    lettering.write(picture, _shortened(Path(inspection.frame).name), (right, 36), 17, _TEXT, anchor="right")
    total = inspection.latency_ms.get("total")
    if total is not None:
        lettering.write(picture, f"{total:.1f} ms", (right, 64), 16, _QUIET, anchor="right")


def _judgement(inspection: Inspection) -> str:
    sign = "<" if inspection.verdict is Verdict.PASS else ">="
    if np.isnan(inspection.score):
        return "score is not a number: rejected to be safe"
    bound = ("at most " if inspection.verdict is Verdict.PASS else "at least ") if inspection.score_is_bound else ""
    text = f"score {bound}{inspection.score:.3f} {sign} threshold {inspection.threshold:.3f}"
    return f"{text}    base score {inspection.base_score:.3f}"


def _words(inspection: Inspection) -> str:
    if not inspection.normalities:
        return "no normality is active"
    names = _shortened(", ".join(inspection.normalities), 60)
    if inspection.suppressed:
        return f"passes thanks to: {names}"
    unused = "" if inspection.clip_ran else " (not needed: the base score is below the threshold)"
    return f"normalities: {names}{unused}"


def _shortened(text: str, longest: int = 40) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _require_maps(inspection: Inspection) -> None:
    if not inspection.has_maps:
        raise NandEdgeError(
            f"overlay of {inspection.frame!r}",
            found="a bundle that gives scores and no maps",
            needed="maps to draw",
            do="export the bundle with --outputs all",
        )
