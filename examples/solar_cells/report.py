"""The report for people who rather look: one HTML file with its pictures and charts inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from nand_edge_export.evaluation import charts
from nand_edge_export.evaluation.gallery import Exhibits, exhibits
from solar_cells.device import DeviceResult

TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Section:
    """What the report shows of one normality."""

    figures: dict[str, Any]
    roc: str
    scores: str
    exhibits: Exhibits


def render_report(summary: dict[str, Any], device: DeviceResult) -> str:
    """The report as HTML that refers to no other file.

    Args:
        summary: The content of summary.json.
        device: What the device's process found, for the pictures.
    """
    sections = [
        Section(
            figures=summary["groups"][result.pair.group.name],
            roc=charts.svg_uri(charts.roc_chart(result.pair)),
            scores=charts.svg_uri(charts.score_chart(result.pair)),
            exhibits=exhibits(result.pair, device.inspections[result.pair.group.name].__getitem__),
        )
        for result in device.groups
    ]
    environment = Environment(
        loader=PackageLoader("solar_cells", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE).render(summary=summary, sections=sections)
