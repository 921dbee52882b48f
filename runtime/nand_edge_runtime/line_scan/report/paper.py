"""The report as a PDF: the same map and lists, drawn by fpdf2, which is pure Python and needs no system library."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nand_edge.installation import explain_import_error
from nand_edge_runtime.line_scan.region import Region
from nand_edge_runtime.line_scan.report.layout import WIDTH, Layout, Rectangle
from nand_edge_runtime.line_scan.report.summary import Summary, metres

if TYPE_CHECKING:
    from fpdf import FPDF

_FONT = "Helvetica"
_MARGIN = 14.0
_PAGE_WIDTH, _PAGE_HEIGHT = 210.0, 297.0
_BOTTOM = _PAGE_HEIGHT - 16.0
_SCALE = (_PAGE_WIDTH - 2 * _MARGIN) / WIDTH
"""Millimetres on paper of one unit of the drawing."""
_GREY, _LINE, _BLACK = (90, 102, 117), (154, 165, 179), (28, 36, 48)
_HATCH_STEP = 1.4
_ROW = 4.6
_PICTURE = 40.0

_REGION_COLUMNS = (
    ("region", 13), ("along", 22), ("across", 20), ("length", 20), ("width", 20), ("area", 25), ("score", 15),
    ("base score", 18), ("threshold", 18),
)  # fmt: skip
_STRETCH_COLUMNS = (("from", 24), ("to", 24), ("across", 34), ("tiles", 12), ("reason and detail", 88))


def paper(summary: Summary, target: Path) -> None:
    """Write the PDF.

    Raises:
        NandEdgeError: fpdf2 is not installed.
        OSError: The file cannot be written.
    """
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise explain_import_error(error, "the report of a roll as PDF", "station") or error from None
    pdf = FPDF(format="A4")
    pdf.set_auto_page_break(False)
    pdf.set_margin(_MARGIN)
    pdf.set_title(_printable(summary.title))
    pdf.add_page()
    _heading(pdf, summary)
    _map(pdf, summary)
    _pictures(pdf, summary)
    _section(pdf, "Regions", _REGION_COLUMNS, map(_region_row, summary.regions))
    _section(pdf, "Taken out by normalities", _REGION_COLUMNS, map(_region_row, summary.suppressed))
    stretches = (
        (
            metres(stretch.box.along_from),
            metres(stretch.box.along_to),
            f"{stretch.box.across_from:.1f} to {stretch.box.across_to:.1f} mm",
            str(stretch.tiles),
            ": ".join(filter(None, (stretch.reason, stretch.detail))),
        )
        for stretch in summary.stretches
    )
    _section(pdf, "Not inspected", _STRETCH_COLUMNS, stretches)
    pdf.output(str(target))


def _heading(pdf: FPDF, summary: Summary) -> None:
    _text(pdf, summary.title, size=15, bold=True, height=8)
    pdf.ln(1)
    for words, value in summary.facts:
        pdf.set_font(_FONT, "", 8.5)
        pdf.set_text_color(*_GREY)
        pdf.cell(66, _ROW, _printable(words))
        pdf.set_text_color(*_BLACK)
        pdf.cell(0, _ROW, _printable(value), new_x="LMARGIN", new_y="NEXT")


def _map(pdf: FPDF, summary: Summary) -> None:
    layout = summary.layout
    _title(pdf, "Map")
    hatched = [mark for stretch in summary.all_stretches for mark in layout.rectangles(stretch.box)]
    by_band = _by_band(layout, hatched)
    shades = [(shade.colour, _by_band(layout, shade.marks)) for shade in summary.shades]
    pitch = (layout.top(1) - layout.top(0)) * _SCALE
    for band in range(layout.bands):
        _room(pdf, pitch)
        top = pdf.get_y()
        pdf.set_fill_color(243, 245, 248)
        pdf.set_draw_color(*_LINE)
        pdf.rect(_MARGIN, top, WIDTH * _SCALE, layout.band_height * _SCALE, style="DF")
        for mark in by_band[band]:
            _hatch(pdf, *_on_paper(mark, layout.top(band), top))
        for colour, marks in shades:
            pdf.set_fill_color(*(int(colour[place : place + 2], 16) for place in (1, 3, 5)))
            for mark in marks[band]:
                pdf.rect(*_on_paper(mark, layout.top(band), top), style="F")
        _ticks(pdf, layout, band, top + layout.band_height * _SCALE)
        pdf.set_y(top + pitch)
    _legend(pdf, summary, hatched=bool(hatched))


def _ticks(pdf: FPDF, layout: Layout, band: int, y: float) -> None:
    pdf.set_font(_FONT, "", 6)
    pdf.set_text_color(*_GREY)
    for x, millimetres in layout.ticks(band):
        words = f"{millimetres / 1000:g} m"
        place = _MARGIN + x * _SCALE
        pdf.line(place, y, place, y + 0.8)
        half = pdf.get_string_width(words) / 2
        pdf.text(min(max(place - half, _MARGIN), _PAGE_WIDTH - _MARGIN - 2 * half), y + 2.9, words)


def _legend(pdf: FPDF, summary: Summary, *, hatched: bool) -> None:
    _room(pdf, 8)
    y = pdf.get_y() + 1
    x = _MARGIN
    pdf.set_font(_FONT, "", 7)
    pdf.set_text_color(*_GREY)
    for shade in summary.shades:
        pdf.set_fill_color(*(int(shade.colour[place : place + 2], 16) for place in (1, 3, 5)))
        pdf.rect(x, y, 2.6, 2.6, style="F")
        pdf.text(x + 3.6, y + 2.2, _printable(shade.words))
        x += 9 + pdf.get_string_width(_printable(shade.words))
    if hatched:
        _hatch(pdf, x, y, 2.6, 2.6)
        pdf.text(x + 3.6, y + 2.2, "not inspected")
    pdf.set_y(y + 4)
    if summary.left_out:
        _text(pdf, summary.left_out, size=8, bold=False, height=4)


def _pictures(pdf: FPDF, summary: Summary) -> None:
    shown = [region for region in summary.regions if region.number in summary.thumbnails]
    if not shown:
        return
    _title(pdf, "Pictures of the regions with the highest scores")
    across = int((_PAGE_WIDTH - 2 * _MARGIN) // (_PICTURE + 4))
    for start in range(0, len(shown), across):
        _room(pdf, _PICTURE + 6)
        top = pdf.get_y()
        for place, region in enumerate(shown[start : start + across]):
            x = _MARGIN + place * (_PICTURE + 4)
            content = io.BytesIO(summary.thumbnails[region.number])
            pdf.image(content, x, top, _PICTURE, _PICTURE, keep_aspect_ratio=True)
            pdf.set_font(_FONT, "", 6.5)
            pdf.set_text_color(*_GREY)
            pdf.text(x, top + _PICTURE + 2.8, f"{region.number}: {region.score:.3f} at {metres(region.along)}")
        pdf.set_y(top + _PICTURE + 6)


def _section(pdf: FPDF, title: str, columns: Sequence[tuple[str, float]], rows: Iterable[Sequence[str]]) -> None:
    """A list that goes on over as many pages as it needs, with its head on each."""
    _title(pdf, title)
    some = False
    for row in rows:
        if not some:
            _head(pdf, columns)
            some = True
        if pdf.get_y() + _ROW > _BOTTOM:
            pdf.add_page()
            _head(pdf, columns)
        for (_, width), words in zip(columns, row, strict=True):
            pdf.cell(width, _ROW, _fitting(pdf, words, width))
        pdf.ln(_ROW)
    if not some:
        _text(pdf, "None.", size=8.5, bold=False, height=_ROW)


def _head(pdf: FPDF, columns: Sequence[tuple[str, float]]) -> None:
    pdf.set_font(_FONT, "B", 7.5)
    pdf.set_text_color(*_GREY)
    pdf.set_draw_color(*_LINE)
    for words, width in columns:
        pdf.cell(width, _ROW, words, border="B")
    pdf.ln(_ROW)
    pdf.set_font(_FONT, "", 7.5)
    pdf.set_text_color(*_BLACK)


def _region_row(region: Region) -> tuple[str, ...]:
    return (
        str(region.number),
        metres(region.along),
        f"{region.across:.1f} mm",
        f"{region.box.along_to - region.box.along_from:.1f} mm",
        f"{region.box.across_to - region.box.across_from:.1f} mm",
        f"{region.area_mm2:.4g} mm²",
        f"{region.score:.3f}",
        f"{region.base_score:.3f}",
        f"{region.threshold:.3f}",
    )


def _by_band(layout: Layout, marks: Iterable[Rectangle]) -> list[list[Rectangle]]:
    bands: list[list[Rectangle]] = [[] for _ in range(layout.bands)]
    pitch = layout.top(1)
    for mark in marks:
        bands[min(int(mark.y / pitch), layout.bands - 1)].append(mark)
    return bands


def _on_paper(mark: Rectangle, band_top: float, top: float) -> tuple[float, float, float, float]:
    return (
        _MARGIN + mark.x * _SCALE, top + (mark.y - band_top) * _SCALE, mark.width * _SCALE, mark.height * _SCALE
    )  # fmt: skip


def _hatch(pdf: FPDF, x: float, y: float, width: float, height: float) -> None:
    """A rectangle of slanted lines."""
    pdf.set_draw_color(74, 85, 99)
    pdf.set_line_width(0.15)
    pdf.rect(x, y, width, height)
    offset = _HATCH_STEP
    while offset < width + height:
        pdf.line(
            x + max(offset - height, 0.0), y + min(offset, height), x + min(offset, width), y + max(offset - width, 0.0)
        )
        offset += _HATCH_STEP


def _title(pdf: FPDF, words: str) -> None:
    _room(pdf, 20)
    pdf.ln(3)
    _text(pdf, words, size=11, bold=True, height=7)


def _text(pdf: FPDF, words: str, *, size: float, bold: bool, height: float) -> None:
    pdf.set_font(_FONT, "B" if bold else "", size)
    pdf.set_text_color(*_BLACK)
    pdf.multi_cell(0, height, _printable(words), new_x="LMARGIN", new_y="NEXT")


def _room(pdf: FPDF, height: float) -> None:
    if pdf.get_y() + height > _BOTTOM:
        pdf.add_page()


def _fitting(pdf: FPDF, words: str, width: float) -> str:
    words = _printable(words)
    while words and pdf.get_string_width(words) > width - 1.5:
        words = words[:-2]
    return words


def _printable(words: str) -> str:
    """The words in the letters that PDF's own fonts have."""
    return words.encode("latin-1", "replace").decode("latin-1")
