"""A latency histogram as an SVG file, drawn without a plotting library: the device has none."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from nand_edge.files import whole_file
from nand_edge_runtime.latency import Latency

_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 24, 696, 84, 272
_BINS = 48
_MARKS = ((50, "#14532d"), (90, "#b45309"), (99, "#b91c1c"))


def write_latency_chart(latency: Latency, title: str, subtitle: str, path: Path) -> None:
    """Write the histogram of a latency with its p50, p90 and p99.

    Raises:
        NandEdgeError: The folder of `path` does not exist or cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(latency_svg(latency, title, subtitle), encoding="utf-8")


def latency_svg(latency: Latency, title: str, subtitle: str) -> str:
    """The chart as SVG text; the axis ends a little above p99, and what took longer is counted in the last bar."""
    end = latency.percentile(99) * 1.08
    start = min(latency.milliseconds) * 0.95
    clipped = np.clip(latency.milliseconds, start, end)
    counts, edges = np.histogram(clipped, bins=_BINS, range=(start, end))
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="30" font-size="17" font-weight="600" fill="#111827">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="50" font-size="12" fill="#6b7280">{escape(subtitle)}</text>',
    ]
    bar = (_RIGHT - _LEFT) / _BINS
    for place, count in enumerate(counts):
        height = (_BOTTOM - _TOP) * count / counts.max()
        parts.append(
            f'<rect x="{_LEFT + place * bar:.1f}" y="{_BOTTOM - height:.1f}" width="{bar - 1:.1f}"'
            f' height="{height:.1f}" fill="#60a5fa"><title>{edges[place]:.2f} to {edges[place + 1]:.2f} ms: {count}'
            "</title></rect>"
        )
    parts.append(f'<line x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}" stroke="#9ca3af"/>')
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        column = _LEFT + fraction * (_RIGHT - _LEFT)
        anchor = {0.0: "start", 1.0: "end"}.get(fraction, "middle")
        parts.append(
            f'<text x="{column:.1f}" y="{_BOTTOM + 18}" font-size="12" fill="#4b5563" text-anchor="{anchor}">'
            f"{start + fraction * (end - start):.2f} ms</text>"
        )
    parts += _marks(latency, start, end)
    return "\n".join([*parts, "</svg>", ""])


def _marks(latency: Latency, start: float, end: float) -> list[str]:
    parts = []
    for level, (percent, colour) in enumerate(_MARKS):
        value = latency.percentile(percent)
        column = _LEFT + (value - start) / (end - start) * (_RIGHT - _LEFT)
        anchor = "end" if column > _WIDTH / 2 else "start"
        shift = -4 if anchor == "end" else 4
        row = _TOP - 14 + 14 * level
        parts.append(
            f'<line x1="{column:.1f}" y1="{row - 9}" x2="{column:.1f}" y2="{_BOTTOM}" stroke="{colour}"/>'
            f'<text x="{column + shift:.1f}" y="{row}" font-size="12" fill="{colour}" text-anchor="{anchor}">'
            f"p{percent} {value:.2f} ms</text>"
        )
    return parts
