"""The demo from the first photograph to the report, stage by stage."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.files import whole_file
from nand_edge.manifest import Target
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from solar_cells import making
from solar_cells.cells import GROUPS, OBJECT, copy_folder, good_cells, labelled_cells, link_folder, photographs
from solar_cells.device import DeviceResult, inspect_on_device, steps
from solar_cells.report import render_report
from solar_cells.stages import Stages
from solar_cells.station import STATION, program, serve_command, write_station
from solar_cells.summary import Run, summarise

BUNDLE, DETECTOR, SUMMARY, REPORT = "solar-cell.nand", "solar-cell.detector", "summary.json", "report.html"
CELLS = "cells"


@dataclass(frozen=True)
class Settings:
    """What the demo does; the defaults are the demo.

    Attributes:
        output: The folder to write into.
        good: Most good cells to fit on.
        of_each: Most labelled cells of each group; None for all.
        method: How the detector is fitted.
        targets: What engines are built for.
    """

    output: Path
    good: int = 300
    of_each: int | None = None
    method: PatchCoreMethod = field(default_factory=PatchCoreMethod)
    targets: tuple[Target, ...] = making.TARGETS


def run(settings: Settings, stages: Stages) -> dict[str, Any]:
    """Run the demo, write its files into the output folder, and give its summary.

    Raises:
        NandEdgeError: A package of the demo is missing, or the output cannot be written.
    """
    output = settings.output
    output.mkdir(parents=True, exist_ok=True)
    data = photographs()
    cells = labelled_cells(data, of_each=settings.of_each)
    bundle, fitted_on = _make(settings, stages, data, cells)
    bundle, refused = _build(settings, stages, bundle)
    device = _inspect(stages, bundle, cells)
    write_station(output)
    with stages.stage("report", "Write the report"):
        summary = summarise(Run(bundle, refused, device, fitted_on)) | {"try_next": try_next(output)}
        _write(output / REPORT, render_report(summary, device))
    summary |= {"seconds": stages.rounded(), "seconds_total": round(sum(stages.seconds.values()), 1)}
    _write(output / SUMMARY, json.dumps(summary, indent=2) + "\n")
    return summary


def written(settings: Settings) -> list[Path]:
    """What a run leaves in the output folder, the most interesting first."""
    names = [REPORT, SUMMARY, BUNDLE, STATION, DETECTOR, *(f"{group.name}.normality" for group in GROUPS)]
    return [settings.output / name for name in names]


def try_next(output: Path) -> list[str]:
    """Commands for the files of the demo, to be run where the demo was run."""
    command = program()
    bundle, cells = output / BUNDLE, output / CELLS
    return [
        serve_command(output),
        f"xdg-open {output / REPORT}",
        f"{command} inspect {bundle} {cells} --normality stain --overlay {output}/overlays --jsonl {output}/out.jsonl",
        f'{command} normality "scratch" --object "{OBJECT}" -o {output}/scratch.normality',
        f"{command} inspect {bundle} {cells} --normality stain --normality {output}/scratch.normality",
        f"{command} bench {bundle}",
    ]


def _make(settings: Settings, stages: Stages, data: Path, cells: tuple[LabelledFrame, ...]) -> tuple[Bundle, int]:
    output = settings.output
    good = good_cells(data, settings.good)
    copy_folder((cell.path for cell in cells), output / CELLS)
    folder = link_folder(good, output / "good")
    with stages.stage("fit", f"Fit PatchCore on {len(good)} good cells") as stage:

        def progress(name: str, done: int, total: int) -> None:
            stage.phase(name)
            stage.step(done, total)

        fitted = making.fit(folder, output / DETECTOR, settings.method, progress)
        threshold = fitted.detector.threshold
        stage.found = f"threshold {threshold.value:.4g}, {threshold.chosen_by}" if threshold else "no threshold"
    with stages.stage("normalities", f"Say in words what is normal of a {OBJECT}") as stage:
        normalities = making.make_normalities(GROUPS, output)
        stage.found = ", ".join(f"“{normality.text}”" for normality in normalities)
    with stages.stage("export", "Export one graph and compare it with PyTorch") as stage:
        bundle = making.export(fitted, normalities, cells, output / BUNDLE, stage.phase)
        stage.found = f"maps within {bundle.manifest.engines[0].max_map_error:.1e}"
    return bundle, fitted.frames


def _build(settings: Settings, stages: Stages, bundle: Bundle) -> tuple[Bundle, tuple[making.Refused, ...]]:
    refused: list[making.Refused] = []
    for target in settings.targets:
        with stages.stage(f"build {target.value}", f"Build the engine for {target.value}") as stage:
            built = making.build(bundle, target, stage.phase)
            if isinstance(built, making.Refused):
                refused.append(built)
                stage.found = "not built, the reason is in the report"
            else:
                bundle = built
                stage.found = bundle.manifest.engines[-1].state.value
    return bundle, tuple(refused)


def _inspect(stages: Stages, bundle: Bundle, cells: tuple[LabelledFrame, ...]) -> DeviceResult:
    total = steps(len(cells), len(GROUPS))
    with stages.stage("inspect", f"Inspect {len(cells)} cells where torch cannot be imported", total) as stage:
        device = inspect_on_device(bundle.folder, cells, GROUPS, on_step=stage.step)
        stage.found = f"{total} inspections; refused: {', '.join(device.refused)}"
    return device


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
