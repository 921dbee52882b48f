"""The workstation's view of the device's process: start it, follow it, read what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.groups import Group
from nand_edge.evaluation.protocol import Pair
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.latency import Latency
from solar_cells import on_device
from solar_cells.cells import OBJECT
from solar_cells.protocol import GroupResult

_EXAMPLES = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class DeviceResult:
    """What the device's process found.

    Attributes:
        groups: What each normality did.
        inspections: By normality, one inspection a cell: score and maps with the gate open, verdict as it was judged.
        with_clip: Time a frame where the CLIP branch ran.
        without_clip: Time a frame where the gate was shut.
        checks: What `nand-edge verify` says of each engine.
        device: What ONNX Runtime ran on.
        refused: Packages that could not be imported in that process.
    """

    groups: tuple[GroupResult, ...]
    inspections: dict[str, tuple[Inspection, ...]]
    with_clip: Latency
    without_clip: Latency
    checks: tuple[dict[str, Any], ...]
    device: str
    refused: tuple[str, ...]


def inspect_on_device(
    bundle: Path, cells: Sequence[LabelledFrame], groups: Sequence[Group], *, on_step: Callable[[], None] = lambda: None
) -> DeviceResult:
    """Inspect the cells and verify the bundle in a process where torch cannot be imported.

    Args:
        bundle: The folder NAME.nand, with a normality for every group.
        cells: What to inspect.
        groups: The normalities to switch on, one after the other.
        on_step: Called `steps(...)` times or a few more.

    Raises:
        RuntimeError: The process failed; what it said is in the message.
    """
    with tempfile.TemporaryDirectory(prefix="solar-cells-") as folder:
        request = {
            "bundle": str(bundle.resolve()),
            "frames": [str(cell.path) for cell in cells],
            "normalities": [group.name for group in groups],
        }
        request_file = Path(folder) / "request.json"
        request_file.write_text(json.dumps(request), encoding="utf-8")
        _run(request_file, on_step)
        return _read(Path(folder), tuple(cells), groups)


def steps(cells: int, groups: int) -> int:
    """How many inspections `inspect_on_device` makes."""
    return cells * (1 + 2 * groups)


def _run(request_file: Path, on_step: Callable[[], None]) -> None:
    command = [sys.executable, "-m", on_device.__name__, str(request_file)]
    environment = {**os.environ, "PYTHONPATH": str(_EXAMPLES)}
    errors = request_file.with_name("errors.txt")
    # Errors go to a file: a pipe that nobody reads could fill up and stop the process.
    with errors.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(  # noqa: S603 - this interpreter with a module of ours
            command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        with process:
            for _ in process.stdout or ():
                on_step()
    if process.returncode != 0:
        raise RuntimeError(f"the device's process failed:\n{errors.read_text(encoding='utf-8')}")


def _read(folder: Path, cells: tuple[LabelledFrame, ...], groups: Sequence[Group]) -> DeviceResult:
    results = json.loads((folder / on_device.RESULTS).read_text(encoding="utf-8"))
    passes = {(each["kind"], each["normality"]): each["inspections"] for each in results["passes"]}
    without_words = passes[on_device.WITHOUT_WORDS, None]
    scored = {group.name: passes[on_device.SCORED, group.name] for group in groups}
    judged = {group.name: passes[on_device.JUDGED, group.name] for group in groups}
    return DeviceResult(
        groups=tuple(
            GroupResult(
                Pair(
                    class_name=OBJECT,
                    group=group,
                    frames=cells,
                    before=_scores(without_words),
                    after=_scores(scored[group.name]),
                    threshold=without_words[0]["threshold"],
                ),
                verdicts_after=tuple(Verdict(each["verdict"]) for each in judged[group.name]),
            )
            for group in groups
        ),
        inspections={
            name: _with_maps(folder / f"{name}.npz", scored[name], judged[name]) for name in (g.name for g in groups)
        },
        with_clip=_latency([each for inspections in scored.values() for each in inspections]),
        without_clip=_latency(without_words),
        checks=tuple(results["checks"]),
        device=results["device"],
        refused=tuple(results["refused"]),
    )


def _scores(inspections: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    return np.array([each["score"] for each in inspections], dtype=np.float64)


def _latency(inspections: Sequence[dict[str, Any]]) -> Latency:
    return Latency(tuple(each["latency_ms"]["total"] for each in inspections))


def _with_maps(
    path: Path, scored: Sequence[dict[str, Any]], judged: Sequence[dict[str, Any]]
) -> tuple[Inspection, ...]:
    """Inspections as Python objects again: scores and maps of one pass, verdicts of the other."""
    fields = set(Inspection.__dataclass_fields__)
    with np.load(path) as stored:
        maps = {name: stored[name].astype(np.float32) for name in stored.files}
    inspections = []
    for place, record in enumerate(scored):
        known = {name: value for name, value in record.items() if name in fields}
        inspection = Inspection(**known, **{name: stack[place] for name, stack in maps.items()})
        verdict, threshold = Verdict(judged[place]["verdict"]), judged[place]["threshold"]
        inspections.append(
            replace(inspection, verdict=verdict, threshold=threshold, normalities=tuple(known["normalities"]))
        )
    return tuple(inspections)
