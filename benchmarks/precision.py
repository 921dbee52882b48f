"""Measure what each precision gives away and gains: AUROC, verdicts and speed on real solar cells.

Engines of the demo's bundle are calibrated on the development cells and judged on the 63 test cells, each against the
fp32 graph in ONNX Runtime, timed by turns. Writes `precision.json` and `precision.svg` into `benchmarks/results`. It
needs the demo's bundle (`make demo`) and the examples on its path:
`PYTHONPATH=examples python benchmarks/precision.py`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nand_benchmarks.charts import COLOURS, plain, pyplot, save
from nand_benchmarks.machine import in_words, machine
from nand_benchmarks.results import write_json
from nand_edge.bundle import Bundle, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.layouts import open_dataset
from nand_edge.manifest import AccuracyRecord, EngineRecord, Target
from nand_edge_export.engines import BuildOptions
from nand_edge_export.engines.build import build_engine
from nand_edge_export.precision import precisions_of
from nand_edge_export.precision.accuracy import Frames, measure
from nand_edge_export.precision.labels import read_labels
from solar_cells import dataset as solar_cells
from solar_cells.cells import photographs

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
NAME = "precision"
REFERENCE = "onnx fp32"
TARGETS = (Target.ONNX, Target.OPENVINO)

Figures = dict[str, dict[str, Any]]
"""By engine, the accuracy record as JSON, or `{"unavailable": reason}`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=ROOT / "demo" / "solar-cell.nand", help="what to measure")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads for one frame")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "precision", help="folder for engines and data")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    figures = measure_all(options.bundle, options.work, threads=options.threads)
    document = {**table(figures, options.threads), "figures": figures, "machine": machine()}
    write_json(options.output / f"{NAME}.json", document)
    chart(figures, options.output / f"{NAME}.svg")
    return 0


def measure_all(source: Path, work: Path, *, threads: int) -> Figures:
    """Build every engine of a bundle's copy and measure it on the test cells."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copytree(source, work / source.name)
    bundle = open_bundle(work / source.name)
    calibration = _development_cells(work)
    data = photographs()
    groups = solar_cells.write_dataset(data, work / "test")
    labels = read_labels(bundle, work / "test", groups)
    frames = Frames([frame.path for frame in labels.frames], labels, threads)
    figures: Figures = {}
    for target in TARGETS:
        for precision in precisions_of(target):
            name = f"{target.value} {precision}"
            if name == REFERENCE:
                continue
            print(f"{name} ...", file=sys.stderr, flush=True)
            options = BuildOptions(precision=precision, frames=calibration if precision == "int8" else None)
            try:
                bundle = build_engine(bundle, target, options)
                found = measure(bundle, _engine(bundle, target, precision), frames, told=lambda _: None)
                figures[name] = found.model_dump(mode="json") if found else {"unavailable": "it cannot run here"}
            except NandEdgeError as error:
                figures[name] = {"unavailable": str(error)}
    return figures


def _development_cells(work: Path) -> Path:
    """A folder with the cells that settings are chosen on, good and defective ones; no test cell is among them."""
    solar_cells.write_dataset(photographs(), work / "development", development=True)
    dataset = open_dataset(work / "development")
    folder = work / "calibration"
    folder.mkdir()
    for name in dataset.class_names:
        for number, frame in enumerate(dataset.read_class(name, test_only=True).test):
            (folder / f"{number:03d}{frame.path.suffix}").symlink_to(frame.path.resolve())
    return folder


def _engine(bundle: Bundle, target: Target, precision: str) -> EngineRecord:
    return next(each for each in bundle.manifest.engines if (each.target, each.precision) == (target, precision))


def table(figures: Figures, threads: int) -> dict[str, Any]:
    """A row an engine, for the README."""
    measured = {name: AccuracyRecord.model_validate(each) for name, each in figures.items() if "frames" in each}
    rows = []
    if measured:
        first = next(iter(measured.values()))
        rows.append([REFERENCE, f"{first.auroc_of_compared or 0:.4f}", "", "", "", "", "1.00"])
    for name, each in figures.items():
        rows.append([name, *(_cells(measured[name]) if name in measured else ["not here: " + each["unavailable"]])])
        rows[-1] += [""] * (7 - len(rows[-1]))
    frames = next((each.frames for each in measured.values()), 0)
    return {
        "columns": [
            "engine", "AUROC", "AUROC lost", "verdicts changed", "map error, largest", "in 99 % of pixels",
            "times as fast as onnx fp32",
        ],
        "rows": rows,
        "note": (
            f"{frames} test cells, PatchCore on the embedded backbone and nand-tiny, the CLIP branch run for every "
            "cell. AUROC with each group's words in force, mean over the groups; verdicts with all words in force. "
            f"int8 was calibrated on other cells. By turns on {in_words(threads)}."
        ),
    }  # fmt: skip


def _cells(found: AccuracyRecord) -> list[str]:
    lost = (found.auroc_of_compared or 0.0) - (found.auroc or 0.0)
    return [
        f"{found.auroc or 0.0:.4f}",
        f"{lost:+.4f}",
        f"{found.verdicts_changed} of {found.frames}",
        f"{found.max_map_error or 0.0:.2g}",
        f"{found.p99_map_error or 0.0:.2g}",
        f"{found.speed_ratio or 0.0:.2f}",
    ]


def chart(figures: Figures, path: Path) -> None:
    """Bars of speed beside bars of AUROC, one row an engine."""
    measured = {name: each for name, each in figures.items() if "frames" in each}
    if not measured:
        return
    first = next(iter(measured.values()))
    names = [REFERENCE, *measured]
    speeds = [1.0, *(each["speed_ratio"] for each in measured.values())]
    aurocs = [first["auroc_of_compared"], *(each["auroc"] for each in measured.values())]
    plt = pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(8, 0.5 + 0.4 * len(names)), sharey=True, layout="constrained")
    columns = ((speeds, "times as fast as onnx fp32", "{:.2f}"), (aurocs, "AUROC, test cells", "{:.4f}"))
    for axis, (values, title, form), colour in zip(axes, columns, COLOURS[1:], strict=False):
        bars = axis.barh(names, values, color=[COLOURS[0], *[colour] * len(measured)])
        axis.bar_label(bars, [form.format(value) for value in values], padding=3)
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlim(0, 1.25 * max(values))
        plain(axis)
    axes[0].invert_yaxis()
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
