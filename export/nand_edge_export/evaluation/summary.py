"""The evaluation's figures as one JSON object, as CSV files and as a table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from nand_edge import __version__
from nand_edge.evaluation.paper import paper_figures
from nand_edge.evaluation.protocol import means
from nand_edge_export.evaluation.run import Evaluation, Result

_PAIR_COLUMNS = (
    "class", "group", "words", "object", "frames", "frames_added", "frames_anomalous",
    "auroc_before", "auroc_after", "auroc_change", "threshold",
)  # fmt: skip
_INTERVALS = ("auroc_before", "auroc_after", "auroc_change")
_RATES = ("false_reject_rate_added", "miss_rate_others")


def summarise(evaluation: Evaluation, *, clip: str, seconds: float) -> dict[str, Any]:
    """All figures. At the top stand those of the first candidate in the first form.

    Args:
        evaluation: What was computed.
        clip: The CLIP's name.
        seconds: Wall-clock time of the run.
    """
    results = [_result(evaluation, result) for result in evaluation.results]
    plan = evaluation.plan
    return {
        **results[0],
        "results": results,
        "data_set": {
            "folder": str(plan.dataset.folder),
            "layout": plan.dataset.layout.name,
            "classes": {
                found.name: {"good_frames": len(found.good), "test_frames": len(found.test)}
                for found, _ in plan.classes
            },
        },
        "groups_file": plan.groups.source,
        "clip": clip,
        "skipped": evaluation.skipped,
        "frames_computed": evaluation.computed,
        "frames_reused": evaluation.reused,
        "seconds": round(seconds, 1),
        "version": __version__,
    }


def pairs_csv(summary: dict[str, Any]) -> str:
    """A line a pair, candidate and form."""
    columns = ["detector", "form", *_PAIR_COLUMNS]
    columns += [f"{name}_{end}" for name in _INTERVALS for end in ("low", "high")]
    columns += [
        f"{rate}_{side}{end}" for rate in _RATES for side in ("before", "after") for end in ("", "_low", "_high")
    ]
    return _csv(columns, (_pair_row(result, pair) for result in summary["results"] for pair in result["pairs"]))


def scores_csv(results: Sequence[Result]) -> str:
    """A line a frame, candidate, form and group: the scores from which all else can be computed."""
    columns = ["detector", "form", "class", "group", "frame", "defect", "counts_as", "before", "after", "threshold"]
    return _csv(columns, (row for result in results for row in _score_rows(result)))


def figures_table(summary: dict[str, Any]) -> Table:
    """The pairs of the first candidate and the means of all, for the terminal."""
    table = Table(title=f"{summary['detector']}, form {summary['form']}", title_justify="left")
    for column in (
        "class",
        "declared normal",
        "AUROC before",
        "after",
        "95 % of change",
        "still rejected",
        "now missed",
    ):
        table.add_column(column, justify="left" if column in ("class", "declared normal") else "right")
    for pair in summary["pairs"]:
        low, high = pair["auroc_change_interval_95"]
        table.add_row(
            pair["class"],
            f"“{pair['words']}” ({pair['frames_added']})",
            f"{pair['auroc_before']:.3f}",
            f"{pair['auroc_after']:.3f}",
            f"{low:+.3f} to {high:+.3f}",
            _change(pair["false_reject_rate_added"]),
            _change(pair["miss_rate_others"]),
        )
    for result in summary["results"]:
        table.add_section()
        low, high = result["mean_auroc_change_interval_95"]
        table.add_row(
            "mean",
            f"{result['detector']}, {result['form']}",
            f"{result['mean_auroc_before']:.3f}",
            f"[bold]{result['mean_auroc_after']:.3f}[/]",
            f"{low:+.3f} to {high:+.3f}",
            _mean_change(result["mean_false_reject_rate_added"]),
            _mean_change(result["mean_miss_rate_others"]),
        )
        if "paper" in result:
            paper = result["paper"]
            table.add_row("", f"the paper's {paper['detector']}", f"{paper['before']:.3f}", f"{paper['after']:.3f}")
    return table


def _result(evaluation: Evaluation, result: Result) -> dict[str, Any]:
    paper = paper_figures(result.detector.kind, result.detector.settings) if _is_mvtec(evaluation) else None
    return {
        **means(result.pairs),
        "pairs": [pair.to_json() for pair in result.pairs],
        "detector": result.label,
        "detector_kind": result.detector.kind,
        "detector_settings": result.detector.settings,
        "form": result.form,
        **({"paper": paper._asdict()} if paper else {}),
    }


def _is_mvtec(evaluation: Evaluation) -> bool:
    """Whether the figures may stand beside the paper's: all of its pairs."""
    groups = evaluation.plan.groups
    return groups.built_in and {found.name for found, _ in evaluation.plan.classes} == set(groups.classes)


def _pair_row(result: dict[str, Any], pair: dict[str, Any]) -> list[Any]:
    row = [result["detector"], result["form"], *(pair[column] for column in _PAIR_COLUMNS)]
    row += [end for name in _INTERVALS for end in pair[f"{name}_interval_95"]]
    for rate in _RATES:
        for side in ("before", "after"):
            row += [pair[rate][side]["rate"], *pair[rate][side]["interval_95"]]
    return row


def _score_rows(result: Result) -> Iterable[list[Any]]:
    for pair in result.pairs:
        for place, frame in enumerate(pair.frames):
            counts_as = "anomalous" if pair.anomalous[place] else "normal"
            yield [
                result.label, result.form, pair.class_name, pair.group.name, frame.path.name, frame.label, counts_as,
                pair.before[place], pair.after[place], pair.threshold,
            ]  # fmt: skip


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def _change(rates: dict[str, Any]) -> str:
    before, after = rates["before"], rates["after"]
    return f"{before['hits']} → {after['hits']} of {after['frames']}"


def _mean_change(rates: dict[str, Any]) -> str:
    return f"{rates['before']['rate']:.0%} → {rates['after']['rate']:.0%}"
