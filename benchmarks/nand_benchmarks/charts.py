"""Charts in one style, the same file byte for byte for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nand_edge.files import whole_file

COLOURS = ("#9ca3af", "#2563eb", "#0d9488", "#7c3aed", "#d97706", "#dc2626", "#65a30d", "#0891b2")


def pyplot() -> Any:
    """Matplotlib's pyplot for SVG whose texts stay texts."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "nand-edge", "font.family": "DejaVu Sans", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    return plt


def save(figure: Any, path: Path) -> None:
    """Write a figure and close it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    pyplot().close(figure)


def plain(axis: Any) -> None:
    """Take away what says nothing: frame and ticks of the value axis of labelled bars."""
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.tick_params(left=False, bottom=False, labelbottom=False)
