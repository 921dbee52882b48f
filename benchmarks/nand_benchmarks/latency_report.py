"""What the latency matrix becomes: the table of what a reader wants to know first, the whole table, and the chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nand_benchmarks.charts import COLOURS, plain, pyplot, save
from nand_benchmarks.machine import in_words
from nand_benchmarks.results import Table, milliseconds
from nand_benchmarks.subjects import Subject
from nand_benchmarks.variants import VARIANTS, Variant

PERCENTS = (0, 1, 10, 100)
"""Suspicious frames among a hundred."""

PEAK, FIRST_VERDICT = "peak", "first verdict"


def engine_name(subject: Subject, variant: Variant) -> str:
    """The name of an engine's figures."""
    return f"{subject.name}|{variant}"


def operations_name(subject: Subject) -> str:
    """The name of the count of a detector's operations."""
    return f"operations of {subject.name}"


def summary(figures: dict[str, Any], subjects: Sequence[Subject], threads: int) -> Table:
    """A row for every engine of every detector: what a reader wants to know first."""
    rows = []
    for subject in subjects:
        for variant in VARIANTS:
            found = figures.get(engine_name(subject, variant))
            if found is not None:
                rows.append([subject.name, str(variant), *_summary_cells(found, figures, subject, variant)])
    first = figures.get(FIRST_VERDICT)
    return {
        "columns": [
            "base detector", "engine", "no frame suspicious, p50", "1 % suspicious, mean", "all suspicious, p50",
            "p99", "frames/s, batch of 16, 1 %", "peak memory", "share of peak", "energy a frame",
        ],
        "rows": rows,
        "note": (
            f"One frame of 640 x 480 to its verdict, one normality, on {in_words(threads)}. A share of the peak "
            "compares operations a second with the machine's fastest matrix product of the same precision"
            f"{_peak_in_words(figures)}. {_energy_in_words(figures)}"
            + (
                f" Import, bundle and first verdict in a fresh process: {first['seconds']:.2f} s, "
                f"{first['peak_memory_mib']:.0f} MiB."
                if first
                else ""
            )
        ),
    }  # fmt: skip


def _summary_cells(found: dict[str, Any], figures: dict[str, Any], subject: Subject, variant: Variant) -> list[str]:
    if "unavailable" in found:
        return ["not here: " + found["unavailable"], *[""] * 7]
    one, most = found["1"]["shares"], found[str(max(map(int, found)))]
    joules = one["100"]["joules_per_frame"]
    return [
        milliseconds(one["0"]["p50_ms"]),
        milliseconds(one["1"]["mean_ms"]),
        milliseconds(one["100"]["p50_ms"]),
        milliseconds(one["100"]["p99_ms"]),
        f"{most['shares']['1']['frames_per_s']:.0f}",
        f"{most['peak_memory_mib']:.0f} MiB" if most["peak_memory_mib"] else "",
        _share_of_peak(figures, subject, variant, one["100"]["p50_ms"]),
        "no counter" if joules is None else f"{joules:.2f} J",
    ]


def _share_of_peak(figures: dict[str, Any], subject: Subject, variant: Variant, p50_ms: float) -> str:
    peak = figures.get(PEAK, {}).get(variant.precision)
    count = figures.get(operations_name(subject))
    if not peak or not count:
        return ""
    return f"{count['clip_runs'] / (p50_ms * 1e-3) / (peak * 1e9):.0%}"


def _peak_in_words(figures: dict[str, Any]) -> str:
    peak = figures.get(PEAK)
    return f" ({', '.join(f'{name} {value:,.0f}' for name, value in peak.items())} GFLOP/s)" if peak else ""


def _energy_in_words(figures: dict[str, Any]) -> str:
    measured = any(
        batch["shares"]["100"]["joules_per_frame"] is not None
        for name, found in figures.items()
        if "|" in name
        for batch in found.values()
        if isinstance(batch, dict)
    )
    return "" if measured else "This machine shows no energy counters."


def matrix(figures: dict[str, Any], subjects: Sequence[Subject], threads: int) -> Table:
    """All cells."""
    rows = []
    for subject in subjects:
        for variant in VARIANTS:
            found = figures.get(engine_name(subject, variant), {})
            for batch, measured in found.items() if "unavailable" not in found else ():
                for percent, cell in measured["shares"].items():
                    rows.append([
                        subject.name, str(variant), batch, f"{percent} %",
                        *(milliseconds(cell[f"p{quantile}_ms"]) for quantile in (50, 90, 99)),
                        f"{cell['frames_per_s']:.1f}",
                        f"{measured['peak_memory_mib']:.0f} MiB" if measured["peak_memory_mib"] else "",
                        "" if cell["joules_per_frame"] is None else f"{cell['joules_per_frame']:.2f} J",
                    ])  # fmt: skip
    return {
        "columns": [
            "base detector", "engine", "batch", "suspicious", "p50", "p90", "p99", "frames/s", "peak memory",
            "energy a frame",
        ],
        "rows": rows,
        "note": f"Times are of whole batches of frames of 640 x 480, on {in_words(threads)}.",
    }  # fmt: skip


def draw(figures: dict[str, Any], subjects: Sequence[Subject], path: Path) -> None:
    """Mean time of a frame, one panel a detector, one group of bars an engine, one bar a share of suspicious frames."""
    panels = [
        (
            subject,
            [
                (variant, found)
                for variant in VARIANTS
                if "1" in (found := figures.get(engine_name(subject, variant), {}))
            ],
        )
        for subject in subjects
    ]
    panels = [(subject, [engine for engine in engines if "1" in engine[1]]) for subject, engines in panels]
    panels = [(subject, engines) for subject, engines in panels if engines]
    if not panels:
        return
    plt = pyplot()
    heights = [len(engines) for _, engines in panels]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(9, 0.6 * len(panels) + 0.72 * sum(heights)), squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    for axis, (subject, engines) in zip(axes[:, 0], panels, strict=True):
        most = 0.0
        for place, percent in enumerate(PERCENTS):
            values = [found["1"]["shares"][str(percent)]["mean_ms"] for _, found in engines]
            most = max(most, *values)
            at = np.arange(len(engines)) + (place - (len(PERCENTS) - 1) / 2) * 0.21
            bars = axis.barh(at, values, height=0.19, color=COLOURS[place], label=f"{percent} % suspicious")
            axis.bar_label(bars, [milliseconds(value) for value in values], padding=4, fontsize=8)
        axis.set_yticks(range(len(engines)), [str(variant) for variant, _ in engines])
        axis.invert_yaxis()
        axis.set_title(f"{subject.name}: mean time of a frame", loc="left", fontsize=11, fontweight="bold")
        # Room for the legend, which no bar may cross.
        axis.set_xlim(0, most * 1.45)
        plain(axis)
    axes[0, 0].legend(loc="lower right", frameon=False, fontsize=9)
    figure.tight_layout()
    save(figure, path)
