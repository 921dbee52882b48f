"""The report for people who rather look: one HTML file with its pictures and charts inside."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from solar_cells import charts, gallery
from solar_cells.device import DeviceResult

TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Section:
    """What the report shows of one normality."""

    figures: dict[str, Any]
    name: str
    roc: str
    scores: str
    helped: list[gallery.Exhibit]
    hurt: list[gallery.Exhibit]


def render_report(summary: dict[str, Any], device: DeviceResult) -> str:
    """The report as HTML that refers to no other file.

    Args:
        summary: The content of summary.json.
        device: What the device's process found, for the pictures.
    """
    sections = [
        Section(
            figures=summary["groups"][result.group.name],
            name=result.group.name,
            roc=_svg_uri(charts.roc_chart(result)),
            scores=_svg_uri(charts.score_chart(result)),
            helped=gallery.helped(result, device.inspections[result.group.name]),
            hurt=gallery.hurt(result, device.inspections[result.group.name]),
        )
        for result in device.groups
    ]
    environment = Environment(
        loader=PackageLoader("solar_cells", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE).render(summary=summary, sections=sections)


def _svg_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
