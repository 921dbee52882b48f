"""The report for people who rather look: one HTML file with its pictures and charts inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from nand_edge_export.evaluation import charts
from nand_edge_export.evaluation.gallery import Exhibits
from nand_edge_export.evaluation.run import Evaluation

TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Section:
    """What the report shows of one pair."""

    figures: dict[str, Any]
    detector: str
    roc: str
    scores: str
    exhibits: Exhibits


def render_report(evaluation: Evaluation, summary: dict[str, Any]) -> str:
    """The report as HTML that refers to no other file.

    Args:
        evaluation: What was computed.
        summary: Its figures, see `summarise`.
    """
    environment = Environment(
        loader=PackageLoader("nand_edge_export.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(summary=summary, sections=_sections(evaluation, summary))


def _sections(evaluation: Evaluation, summary: dict[str, Any]) -> list[Section]:
    """The pairs of every candidate in the form that counts."""
    return [
        Section(
            figures=figures,
            detector=result.label,
            roc=charts.svg_uri(charts.roc_chart(pair)),
            scores=charts.svg_uri(charts.score_chart(pair)),
            exhibits=shown,
        )
        for result, of_result in zip(evaluation.results, summary["results"], strict=True)
        if result.exhibits
        for pair, figures, shown in zip(result.pairs, of_result["pairs"], result.exhibits, strict=True)
    ]
