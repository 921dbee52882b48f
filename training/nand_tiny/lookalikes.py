"""Ordinary structures that resemble defects: drawn without a mask, so that the model learns to leave them silent.

Each differs visibly from the defect that it resembles (a seam is dead straight and runs from side to side, a crack is
jagged), and keeps kinds off the scene that it could be mistaken for all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import Canvas
from .noise import Field, chance, grain, pixel_grid, relief, smooth_noise, uniform


@dataclass(frozen=True)
class LookAlike:
    """An ordinary structure: how to draw it, on which surfaces it occurs, and the kinds that it would hide."""

    draw: Callable[[np.random.Generator, Canvas], None]
    suits: Callable[[Canvas], bool]
    hides: frozenset[str] = frozenset()


def scale(canvas: Canvas, field: Field) -> None:
    """Make all layers brighter or darker by a factor."""
    for layer in canvas.layers():
        np.multiply(layer, field[:, :, None].astype(np.float32), out=layer)


def add(canvas: Canvas, cover: Field, step: float) -> None:
    """Make all layers brighter or darker by a step, on the part only."""
    on_part = cover if canvas.solid is None else cover * canvas.solid
    for layer in canvas.layers():
        np.add(layer, (on_part * np.float32(step))[:, :, None], out=layer)


def seam(rng: np.random.Generator, canvas: Canvas) -> None:
    """A joint or a seam from side to side: a straight groove with a lit flank, sometimes stitched."""
    size = canvas.size
    x, y = pixel_grid(size)
    axis = x if chance(rng, 0.5) else y
    place, half = uniform(rng, 0.12, 0.88) * size, uniform(rng, 1.5, 4.5)
    off = axis - np.float32(place)
    groove = np.clip(half - np.abs(off) + 0.5, 0, 1)
    lit = np.clip(1.5 - np.abs(off - half - 1), 0, 1)
    add(canvas, np.asarray(groove, dtype=np.float32), -uniform(rng, 0.08, 0.3))
    add(canvas, np.asarray(lit, dtype=np.float32), uniform(rng, 0.05, 0.2))
    if chance(rng, 0.4):
        along = y if axis is x else x
        stitch = (along % np.float32(uniform(rng, 8, 16)) < 5) * np.clip(2 - np.abs(np.abs(off) - half - 6), 0, 1)
        add(canvas, np.asarray(stitch, dtype=np.float32), uniform(rng, 0.15, 0.35) * (1 if chance(rng, 0.5) else -1))


def stripes(rng: np.random.Generator, canvas: Canvas) -> None:
    """Two or more equal broad stripes of a pattern, evenly spaced from side to side."""
    x, _ = pixel_grid(canvas.size)
    pitch = uniform(rng, 0.14, 0.4) * canvas.size
    width = uniform(rng, 0.15, 0.5)
    band = np.clip((width / 2 - np.abs((x + uniform(rng, 0, pitch)) / pitch % 1 - 0.5)) * pitch + 0.5, 0, 1)
    scale(canvas, np.asarray(1 + uniform(rng, 0.1, 0.3) * (-1 if chance(rng, 0.6) else 1) * band, dtype=np.float32))


def fibre_grain(rng: np.random.Generator, canvas: Canvas) -> None:
    """Faint long grain all over the surface, as wood, brushing and rolling leave it."""
    size = canvas.size
    streaks = smooth_noise(rng, size, uniform(rng, 1.5, 5), size) + smooth_noise(rng, size, 2, 60)
    scale(canvas, np.asarray(1 + uniform(rng, 0.02, 0.06) * streaks, dtype=np.float32))


def shadow(rng: np.random.Generator, canvas: Canvas) -> None:
    """The shadow of something beside the picture: from one border inwards, with a soft straight edge."""
    size = canvas.size
    x, y = pixel_grid(size)
    angle = uniform(rng, 0, 2 * np.pi)
    along = (x - size / 2) * np.float32(np.cos(angle)) + (y - size / 2) * np.float32(np.sin(angle))
    softness = uniform(rng, 0.04, 0.15) * size
    cover = 1 / (1 + np.exp(-np.clip((along - uniform(rng, -0.1, 0.35) * size) / softness, -20, 20) * 3))
    scale(canvas, np.asarray(1 - uniform(rng, 0.15, 0.5) * cover, dtype=np.float32))


def glare(rng: np.random.Generator, canvas: Canvas) -> None:
    """The reflection of a lamp: a bright haze, round or long, that grows evenly towards its middle."""
    size = canvas.size
    x, y = pixel_grid(size)
    angle = uniform(rng, 0, np.pi)
    right, down = x - np.float32(uniform(rng, 0, size)), y - np.float32(uniform(rng, 0, size))
    along = right * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle))
    beside = down * np.float32(np.cos(angle)) - right * np.float32(np.sin(angle))
    reach = uniform(rng, 0.12, 0.35) * size
    haze = np.exp(-((along / (reach * uniform(rng, 1.0, 4.0))) ** 2) - (beside / reach) ** 2)
    seen = canvas.image if canvas.solid is None else canvas.image[canvas.solid]
    room = max(0.08, 0.95 - float(seen.mean()))  # a burnt-out picture would hide its defects
    add(canvas, np.asarray(haze, dtype=np.float32), uniform(rng, 0.3, 0.8) * room)


def vignette(rng: np.random.Generator, canvas: Canvas) -> None:
    """Dark corners of a cheap lens or a ring light."""
    size = canvas.size
    x, y = pixel_grid(size)
    far = ((x - size / 2) ** 2 + (y - size / 2) ** 2) / (size * size / 2)
    scale(canvas, np.asarray(1 - uniform(rng, 0.3, 0.7) * far ** uniform(rng, 1.0, 2.0), dtype=np.float32))


def regular_holes(rng: np.random.Generator, canvas: Canvas) -> None:
    """Equal drilled holes in a row, a grid or at the corners."""
    size = canvas.size
    radius, count = round(uniform(rng, 0.018, 0.05) * size), int(rng.integers(2, 6))
    first = uniform(rng, 0.1, 0.25) * size
    places = np.linspace(first, size - first, count)
    row = uniform(rng, 0.12, 0.88) * size
    spots = [(x, row) for x in places] if chance(rng, 0.5) else [(x, y) for x in places for y in places]
    level = uniform(rng, 0.02, 0.12) if float(canvas.image.mean()) > 0.25 else uniform(rng, 0.6, 0.9)
    for layer in canvas.layers():
        for x, y in spots:
            cv2.circle(layer, (round(x) + 1, round(y) + 1), radius + 1, (level + 0.35,) * 3, 1, cv2.LINE_AA)
            cv2.circle(layer, (round(x), round(y)), radius, (level,) * 3, -1, cv2.LINE_AA)


def pattern_print(rng: np.random.Generator, canvas: Canvas) -> None:
    """A printed pattern that belongs to the surface: one small emblem again and again in even rows."""
    size = canvas.size
    pitch = int(uniform(rng, 0.1, 0.25) * size)
    emblem = np.zeros((pitch, pitch), dtype=np.uint8)
    middle, reach, thick = pitch // 2, max(3, int(0.3 * pitch)), 1 if chance(rng, 0.4) else -1
    style = int(rng.integers(4))
    if style == 0:
        cv2.circle(emblem, (middle, middle), reach, 255, thick, cv2.LINE_AA)
    elif style == 1:
        cv2.rectangle(emblem, (middle - reach, middle - reach), (middle + reach, middle + reach), 255, thick)
    else:
        corners = 3 if style == 2 else 4
        angles = np.arange(corners) * 2 * np.pi / corners - np.pi / 2
        outline = np.round(middle + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.int32)
        cv2.polylines(emblem, [outline], isClosed=True, color=255, thickness=max(1, thick), lineType=cv2.LINE_AA)
    tiled = np.tile(emblem, (size // pitch + 1, size // pitch + 1))[:size, :size]
    dark = float(canvas.image.mean()) > 0.3
    add(canvas, tiled.astype(np.float32) / np.float32(255), uniform(rng, 0.08, 0.3) * (-1 if dark else 1))


def embossed_mark(rng: np.random.Generator, canvas: Canvas) -> None:
    """A maker's mark pressed into the middle of the object: no ink, only light and shade, upright and neat."""
    size = canvas.size
    ink = np.zeros((size, size), dtype=np.uint8)
    middle, reach = size // 2, round(uniform(rng, 0.07, 0.16) * size)
    thick = max(2, round(reach * 0.15))
    if chance(rng, 0.5):
        cv2.circle(ink, (middle, middle), reach, 255, thick, cv2.LINE_AA)
    if chance(rng, 0.6):
        text = "".join("ABCDEHKMORTX0358"[int(i)] for i in rng.integers(0, 16, int(rng.integers(1, 3))))
        factor = reach / 20
        (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, factor, thick)
        cv2.putText(ink, text, (middle - wide // 2, middle + tall // 2), 0, factor, 255, thick, cv2.LINE_AA)
    else:
        cv2.line(ink, (middle - reach, middle), (middle + reach, middle), 255, thick, cv2.LINE_AA)
    height = cv2.GaussianBlur(ink, (0, 0), 1.2).astype(np.float32) / np.float32(255)
    add(canvas, relief(height, uniform(rng, 0, 6.3)), uniform(rng, 0.35, 0.8))


def speckle(rng: np.random.Generator, canvas: Canvas) -> None:
    """Fine dense speckle all over, as of salt and pepper."""
    size = canvas.size
    flecks = np.clip(2 * (grain(rng, size, uniform(rng, 0.5, 0.9)) - uniform(rng, 0.9, 1.6)), 0, 1)
    scale(canvas, np.asarray(1 + uniform(rng, 0.12, 0.35) * (-1 if chance(rng, 0.6) else 1) * flecks, dtype=np.float32))


def frame(rng: np.random.Generator, canvas: Canvas) -> None:
    """The holder that a part lies in: an even dark or bright strip along one or two borders."""
    size = canvas.size
    x, y = pixel_grid(size)
    inside: Field = size - x if chance(rng, 0.5) else y
    if chance(rng, 0.5):
        inside = np.minimum(inside, x if chance(rng, 0.5) else size - y)
    cover = np.clip(uniform(rng, 0.03, 0.1) * size - inside, 0, 1)
    level = uniform(rng, 0.02, 0.12) if chance(rng, 0.7) else uniform(rng, 0.8, 0.95)
    for layer in canvas.layers():
        layer[:] = layer + cover[:, :, None].astype(np.float32) * (np.float32(level) - layer)


def intact_fingers(rng: np.random.Generator, canvas: Canvas) -> None:
    """All fingers of a cell visible, evenly dark from bar to bar, each a little of its own."""
    x, _ = pixel_grid(canvas.size)
    if canvas.lines is None:
        raise ValueError("only a cell has fingers")
    first, second = canvas.lines.positions[:2]
    pitch = second - first
    place = (x - np.float32(first)) / np.float32(pitch)
    number = np.round(place).astype(np.intp)
    peak = np.clip(1 - np.abs(place - number) * pitch / max(1.0, 0.25 * pitch), 0, 1)
    own = 1 + 0.25 * rng.standard_normal(int(number.max()) + 3, dtype=np.float32)[number + 1]
    inside = peak * own if canvas.solid is None else peak * own * canvas.solid
    scale(canvas, np.asarray(1 - uniform(rng, 0.03, 0.12) * inside, dtype=np.float32))


def cell_bands(rng: np.random.Generator, canvas: Canvas) -> None:
    """Bright and dim bands that run through the whole cell, upright or level, broad or narrow."""
    size = canvas.size
    narrow = uniform(rng, 3, 12) if chance(rng, 0.5) else uniform(rng, 15, 50)
    long = 20.0 * size
    bands = smooth_noise(rng, size, narrow, long) if chance(rng, 0.6) else smooth_noise(rng, size, long, narrow)
    scale(canvas, np.asarray(1 + uniform(rng, 0.015, 0.05) * bands, dtype=np.float32))


def corner_shade(rng: np.random.Generator, canvas: Canvas) -> None:
    """Corners and borders of a cell that glow less, all alike, fading inwards."""
    size = canvas.size
    x, y = pixel_grid(size)
    border = np.minimum(np.minimum(x, size - 1 - x), np.minimum(y, size - 1 - y))
    corner = size - np.abs(x - size / 2) - np.abs(y - size / 2)
    fade = uniform(rng, 0, 0.25) * np.exp(-border / (uniform(rng, 0.02, 0.08) * size))
    fade += uniform(rng, 0, 0.5) * np.exp(-corner / (uniform(rng, 0.06, 0.2) * size))
    scale(canvas, np.asarray(1 - np.clip(fade, 0, 0.8), dtype=np.float32))


def by_day(canvas: Canvas) -> bool:
    """Return whether the surface is photographed in light that falls on it."""
    return not canvas.glows


def plain(canvas: Canvas) -> bool:
    """Return whether the surface fills the picture and has no printed lines."""
    return canvas.lines is None and canvas.solid is None


def glows(canvas: Canvas) -> bool:
    """Return whether the surface is a cell in its own light."""
    return canvas.glows


LOOK_ALIKES: dict[str, LookAlike] = {
    "seam": LookAlike(seam, plain, frozenset({"weave fault"})),
    "stripes": LookAlike(stripes, plain, frozenset({"discoloration", "dark area"})),
    "fibre grain": LookAlike(fibre_grain, plain),
    "shadow": LookAlike(shadow, by_day, frozenset({"discoloration"})),
    "glare": LookAlike(glare, by_day),
    "vignette": LookAlike(vignette, by_day),
    "regular holes": LookAlike(regular_holes, plain, frozenset({"hole", "spot"})),
    "pattern print": LookAlike(pattern_print, plain, frozenset({"print", "spot"})),
    "embossed mark": LookAlike(embossed_mark, by_day, frozenset({"print", "dent"})),
    "speckle": LookAlike(speckle, by_day, frozenset({"spot", "contamination"})),
    "frame": LookAlike(frame, plain, frozenset({"dark area", "missing part", "chip"})),
    "intact fingers": LookAlike(intact_fingers, glows),
    "cell bands": LookAlike(cell_bands, glows),
    "corner shade": LookAlike(corner_shade, glows),
}


def add_look_alike(rng: np.random.Generator, canvas: Canvas) -> frozenset[str]:
    """Draw one that the surface may have, and return the kinds that must not come beside it."""
    suitable = [look for look in LOOK_ALIKES.values() if look.suits(canvas)]
    chosen = suitable[int(rng.integers(len(suitable)))]
    chosen.draw(rng, canvas)
    return chosen.hides
