"""The report's charts as SVG text: ROC curves, and where every frame's score went."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from nand_edge.evaluation.protocol import Pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, QUIET, GRID = "#1c2430", "#66707f", "#e3e7ec"
DECLARED, FLAWLESS, ANOMALOUS, BEFORE = "#0f8a7e", "#8b95a3", "#d1462f", "#a9b1bc"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "Segoe UI", "Roboto", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "nand-edge",
    "axes.edgecolor": GRID,
    "axes.labelcolor": QUIET,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "text.color": INK,
}


def roc_chart(pair: Pair) -> str:
    """ROC curves without and with the words, as SVG."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.2, 3.5), layout="constrained")
        axes = figure.subplots()
        _clean(axes)
        axes.plot((0, 1), (0, 1), color=GRID, linewidth=1, linestyle="--")
        for label, scores, area, colour in (
            ("before", pair.before, pair.auroc_before, BEFORE),
            ("after", pair.after, pair.auroc_after, DECLARED),
        ):
            alarms, hits, _ = roc_curve(pair.anomalous, scores)
            axes.plot(alarms, hits, color=colour, linewidth=2.4, label=f"{label}  {area:.3f}")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.set_xlabel("normal frames that score higher")
        axes.set_ylabel("anomalous frames found")
        axes.legend(loc="lower right", frameon=False, title="AUROC")
        return _svg(figure)


def score_chart(pair: Pair) -> str:
    """Every frame's score without and with the words, and the threshold, as SVG."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        axes = figure.subplots()
        _clean(axes)
        spread = np.random.default_rng(0).uniform(-0.2, 0.2, len(pair.frames))
        for label, members, colour in (
            ("still anomalous", pair.anomalous, ANOMALOUS),
            ("good", ~pair.anomalous & ~pair.added, FLAWLESS),
            (f"“{pair.group.words}”", pair.added, DECLARED),
        ):
            for row, scores in ((1, pair.before), (0, pair.after)):
                axes.scatter(
                    scores[members],
                    row + spread[members],
                    s=34 if len(pair.frames) < 150 else 16,
                    color=colour,
                    alpha=0.8,
                    linewidths=0,
                    label=label if row else None,
                )
        axes.axvline(pair.threshold, color=INK, linewidth=1.2)
        axes.annotate("threshold", (pair.threshold, 1.46), (4, 0), textcoords="offset points", fontsize=9, va="top")
        axes.set(ylim=(-0.45, 1.48), yticks=(0, 1), yticklabels=("with\nthe words", "without"), xlabel="score")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False, handletextpad=0.2)
        return _svg(figure)


def svg_uri(svg: str) -> str:
    """A chart as a data URI."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _clean(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return stream.getvalue()
