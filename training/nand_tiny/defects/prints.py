"""Damage to printed or regular patterns: broken lines, bent lines and misplaced print."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, Mask, PrintedLines
from nand_tiny.noise import Field, chance, pixel_grid, uniform

from .base import Defect, contrast_step, lay, local_colour, seen
from .reliefs import displace
from .shapes import soften

LETTERS = "ABCDEFGHKLMNPRSTUVXYZ0123456789"
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_PLAIN)


def print_lines(rng: np.random.Generator, canvas: Canvas) -> PrintedLines:
    """Print thin parallel lines on a surface that has none, so that there is something to break or bend."""
    size = canvas.size
    x, _ = pixel_grid(size)
    pitch, width = uniform(rng, 9, 24), uniform(rng, 1.3, 3.5)
    offset = uniform(rng, 0, pitch)
    distance = np.abs((x - offset + pitch / 2) % pitch - pitch / 2)
    cover = np.clip(width / 2 - distance + 0.5, 0, 1).astype(np.float32)
    ground = canvas.image.copy()
    colour = local_colour(canvas, cover) + contrast_step(rng, canvas, cover, 0.2, 0.5)
    lay(canvas, cover, np.asarray(colour, dtype=np.float32))
    positions = [float(v) for v in np.arange(offset, size, pitch)]
    canvas.lines = PrintedLines(positions, width + 1.5, [(0.0, float(size))], ground, breaks_dark=False)
    return canvas.lines


def break_pieces(rng: np.random.Generator, lines: PrintedLines, size: int) -> list[tuple[float, float, float]]:
    """Return (x, top, bottom) of the broken pieces: lone ones, or neighbours side by side."""
    pieces: list[tuple[float, float, float]] = []
    for _ in range(int(rng.integers(1, 6 if lines.breaks_dark else 4))):
        low, high = lines.spans[int(rng.integers(len(lines.spans)))]
        if lines.breaks_dark:
            start, stop = (low, high)
        else:
            middle, reach = uniform(rng, 0.1, 0.9) * size, uniform(rng, 0.02, 0.12) * size
            start, stop = middle - reach, middle + reach
        place = int(len(lines.positions) * uniform(rng, 0.07, 0.9))
        stride = int(rng.integers(1, 5))
        for step in range(1 if chance(rng, 0.35) else int(rng.integers(2, 8))):
            if place + step * stride >= len(lines.positions):
                break
            x = lines.positions[place + step * stride]
            full = stop - start
            length = full * (1.0 if chance(rng, 0.35) else uniform(rng, 0.25, 0.95))
            from_top = chance(rng, 0.5)
            top = start if from_top else stop - length
            pieces.append((x, top + uniform(rng, -0.03, 0.03) * full, top + length))
    return pieces


def broken_line(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """Pieces of single lines that went dark (cells) or are missing (print)."""
    lines = canvas.lines if canvas.lines is not None else print_lines(rng, canvas)
    size = canvas.size
    cover: Field = np.zeros((size, size), dtype=np.float32)
    width = uniform(rng, 0.8, 1.6) * lines.width if lines.breaks_dark else lines.width + 0.5
    for x, top, bottom in break_pieces(rng, lines, size):
        strength = uniform(rng, 0.55, 1.0) if lines.breaks_dark else 1.0
        left, right = max(0, round(x - width / 2)), max(1, round(x + width / 2))
        rows = np.arange(max(0, round(top)), min(size, max(0, round(bottom))))
        fade = uniform(rng, -0.5, 0.5) if lines.breaks_dark else 0.0  # towards one end of the piece
        along = strength * (1 - abs(fade) / 2 + fade * np.linspace(-0.5, 0.5, max(1, rows.size)))
        cover[rows, left : max(left + 1, right)] = along[: rows.size, None]
    mask = seen(canvas, cover)
    if lines.breaks_dark or lines.ground is None:
        glow = soften(cover, uniform(rng, 0.5, 1.5))
        step = contrast_step(rng, canvas, cover, 0.06, 0.32, dark=1.0)
        canvas.image += (glow * (canvas.solid if canvas.solid is not None else 1.0))[:, :, None] * step
    else:
        lay(canvas, soften(cover, 0.5), lines.ground)
    return mask


def bent(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """Lines, wires or ribs that leave their straight course over a stretch."""
    if canvas.lines is None:
        print_lines(rng, canvas)
    size = canvas.size
    x, y = pixel_grid(size)
    centre = canvas.random_point(rng, 0.2)
    reach_x, reach_y = uniform(rng, 0.06, 0.16) * size, uniform(rng, 0.05, 0.12) * size
    # The course must stay steeper than the bend, or the picture would fold over itself.
    amount = min(reach_x, reach_y) * uniform(rng, 0.6, 1.1) * (1 if chance(rng, 0.5) else -1)
    hump = np.exp(-((np.abs(x - centre[0]) / reach_x) ** 2.5) - ((y - centre[1]) / reach_y) ** 2)
    displace(canvas, np.asarray(amount * hump, dtype=np.float32), np.zeros((size, size), dtype=np.float32))
    return seen(canvas, np.asarray(hump, dtype=np.float32), 0.25)


def misplaced_print(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """Letters, digits or a mark where none belong."""
    size = canvas.size
    ink = np.zeros((size, size), dtype=np.uint8)
    height = uniform(rng, 0.05, 0.16)
    thick = max(1, round(size * height * uniform(rng, 0.06, 0.2)))
    x, y = canvas.random_point(rng, 0.25)
    if chance(rng, 0.8):
        text = "".join(LETTERS[int(i)] for i in rng.integers(0, len(LETTERS), int(rng.integers(1, 7))))
        font = FONTS[int(rng.integers(len(FONTS)))]
        scale = size * height / (22 if font != cv2.FONT_HERSHEY_PLAIN else 11)
        (wide, tall), _ = cv2.getTextSize(text, font, scale, thick)
        cv2.putText(ink, text, (round(x - wide / 2), round(y + tall / 2)), font, scale, 255, thick, cv2.LINE_AA)
    else:
        radius = round(size * height * 0.6)
        cv2.circle(ink, (round(x), round(y)), radius, 255, thick, cv2.LINE_AA)
        arm = round(radius * 0.7)
        cv2.line(ink, (round(x) - arm, round(y)), (round(x) + arm, round(y)), 255, thick, cv2.LINE_AA)
        cv2.line(ink, (round(x), round(y) - arm), (round(x), round(y) + arm), 255, thick, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((x, y), uniform(rng, -30, 30), 1.0)
    cover: Field = cv2.warpAffine(ink, turn, (size, size)).astype(np.float32) / np.float32(255)
    colour = local_colour(canvas, cover) + contrast_step(rng, canvas, cover, 0.25, 0.6, dark=0.6)
    if chance(rng, 0.3):
        colour = np.asarray(colour * rng.uniform(0.4, 1.4, 3), dtype=np.float32)
    lay(canvas, cover * np.float32(uniform(rng, 0.75, 1.0)), np.asarray(np.clip(colour, 0, 1), dtype=np.float32))
    kernel = np.ones((5, 5), dtype=np.uint8)
    filled = np.asarray(cv2.morphologyEx(cover, cv2.MORPH_CLOSE, kernel), dtype=np.float32)
    return seen(canvas, filled)


DEFECTS = {
    "broken line": Defect(broken_line, 1.8),
    "bent": Defect(bent, 0.8),
    "print": Defect(misplaced_print),
}
