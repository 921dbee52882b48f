"""The report as one HTML page that needs nothing else and prints well."""

from __future__ import annotations

import base64
from pathlib import Path

from nand_edge.installation import explain_import_error
from nand_edge_runtime.line_scan.region import Box
from nand_edge_runtime.line_scan.report.layout import WIDTH, Layout, Rectangle
from nand_edge_runtime.line_scan.report.summary import Summary, metres

_TEMPLATE = "roll.html.j2"


def page(summary: Summary) -> str:
    """The page.

    Raises:
        NandEdgeError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise explain_import_error(error, "the report of a roll", "station") or error from None
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(metres=metres, path=_path, jpeg=_jpeg)
    return environment.get_template(_TEMPLATE).render(
        report=summary,
        layout=summary.layout,
        width=WIDTH,
        ticks=[(band, list(summary.layout.ticks(band))) for band in range(summary.layout.bands)],
        hatched=[mark for stretch in summary.all_stretches for mark in _marks(summary.layout, stretch.box)],
    )


def _marks(layout: Layout, box: Box) -> list[Rectangle]:
    return list(layout.rectangles(box))


def _path(marks: tuple[Rectangle, ...]) -> str:
    """Rectangles as the data of one SVG path."""
    return "".join(f"M{mark.x:g} {mark.y:g}h{mark.width:g}v{mark.height:g}h-{mark.width:g}z" for mark in marks)


def _jpeg(content: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"
