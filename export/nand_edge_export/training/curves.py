"""The record of a training: one JSON line a step, and the loss as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from nand_edge.files import whole_file

_STYLE: dict[Any, Any] = {"font.family": "sans-serif", "svg.hashsalt": "nand-edge", "axes.edgecolor": "#e3e7ec"}
_INK, _FAINT = "#0f8a7e", "#c9d2dc"
_TAPS = ("#3b82f6", "#8b5cf6", "#d97706", "#d1462f", "#64748b")


class LossLog:
    """The log of a training; what a killed run wrote after its last checkpoint is dropped when it goes on.

    Args:
        path: The file, one JSON object a line with `step`, `epoch`, `loss` and one entry a tap.
        step: Steps that the training has done.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.records: list[dict[str, float]] = [record for record in _read(path) if record["step"] <= step]
        with whole_file(path) as temporary:
            temporary.write_text("".join(map(_line, self.records)), encoding="utf-8")

    def add(self, record: dict[str, float]) -> None:
        """Write one more line at once."""
        self.records.append(record)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(_line(record))

    def epoch_means(self) -> list[float]:
        """The mean loss of every epoch that was begun."""
        epochs = sorted({record["epoch"] for record in self.records})
        return [
            float(np.mean([record["loss"] for record in self.records if record["epoch"] == epoch])) for epoch in epochs
        ]


def _read(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            # The line that a killed run could not finish.
            break
    return records


def _line(record: dict[str, float]) -> str:
    return json.dumps(record) + "\n"


def write_loss_chart(records: list[dict[str, float]], title: str, path: Path) -> None:
    """Draw the loss over the steps, whole and by tap, as SVG.

    Raises:
        NandEdgeError: The folder of `path` cannot be written.
    """
    steps = [record["step"] for record in records]
    taps = [name for name in records[0] if name.startswith("tap")]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        loss = [record["loss"] for record in records]
        axes.plot(steps, loss, color=_FAINT, linewidth=1)
        axes.plot(steps, _smooth(loss), color=_INK, linewidth=2.4, label="loss")
        for place, tap in enumerate(taps):
            values = _smooth([record[tap] for record in records])
            axes.plot(steps, values, color=_TAPS[place % len(_TAPS)], linewidth=1.2, label=tap.replace("tap", "tap "))
        axes.set(xlabel="step", ylabel="focal + dice", title=title)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, ncols=2)
        with whole_file(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def _smooth(values: list[float]) -> list[float]:
    """Mean of each value and up to a twentieth of the training before it."""
    reach = max(1, len(values) // 20)
    return [float(np.mean(values[max(0, place - reach + 1) : place + 1])) for place in range(len(values))]
