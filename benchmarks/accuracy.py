"""Measure what words change on real photographs: every form of suppression, and the alternative without words.

Solar cells of `elpv-dataset` (63 test cells; 76 others to choose settings on) and textiles of `conformal-clip-data`, by
`nand-edge evaluate`, with what each form suppresses on good frames. The alternative without words adds frames of the
group to PatchCore's memory. An interrupted run goes on where it was. Writes into `benchmarks/results`. It needs the
examples on its path: `PYTHONPATH=examples python benchmarks/accuracy.py`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nand_edge import command_line
from nand_edge.evaluation.dataset import DatasetClass, LabelledFrame
from nand_edge.evaluation.groups import Group, read_groups
from nand_edge.evaluation.layouts import open_dataset
from nand_edge.evaluation.protocol import auroc
from nand_edge.files import whole_file
from nand_edge_export.clip import NAND_TINY, ClipEncoder, load_clip
from nand_edge_export.detectors.adding import add_frames
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.detectors.patchcore import PatchCore
from nand_edge_export.evaluation.eager import NormalityDetection
from nand_edge_export.evaluation.forms import Material, form_named
from nand_edge_export.fit import fit
from nand_edge_export.forms.report_card import report_card
from solar_cells import dataset as solar_cells
from solar_cells.cells import photographs
from textiles import dataset as textiles

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
FORMS = (
    "paper", "contrast", "keep", "calibrated", "few-shot-1", "few-shot-3", "few-shot-5",
    "few-shot-1+calibrated", "few-shot-5+calibrated", "keep+few-shot-5+calibrated",
)  # fmt: skip
ADDED_FRAMES = (1, 3, 5)


@dataclass(frozen=True)
class Data:
    """A data set of the benchmark: how its folder is made, its title in tables, and the forms it is measured in."""

    title: str
    write: Callable[[Path], Path]
    forms: tuple[str, ...] = FORMS


DATA = {
    "solar-cells": Data("63 test cells", lambda folder: solar_cells.write_dataset(photographs(), folder)),
    "solar-cells-development": Data(
        "cells that settings were chosen on",
        lambda folder: solar_cells.write_dataset(photographs(), folder, development=True),
    ),
    # The words find no place in these photographs, so none can be shown without a box, and the data have no masks.
    "textiles": Data(
        "simulated textiles",
        lambda folder: textiles.write_dataset(textiles.images(), folder),
        tuple(form for form in FORMS if "shot" not in form),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the data sets that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *DATA], help="data sets; all")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "accuracy", help="where an interrupted run goes on"
    )
    options = parser.parse_args(arguments)
    for name in options.names or DATA:
        code = measure(name, DATA[name], options.work / name)
        if code:
            return code
    return 0


def measure(name: str, data: Data, work: Path) -> int:
    """Evaluate one data set and write its results."""
    folder, figures = work / name, work / "figures.json"
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    groups_file = data.write(folder)
    forms = [argument for form in data.forms for argument in ("--form", form)]
    code = command_line.main(
        ["evaluate", str(folder), "--groups", str(groups_file), *forms, "--json", str(figures), "-o", str(work / "run")]
    )
    if code:
        return code
    found = open_dataset(folder).read_class(name)
    groups = read_groups(groups_file).choose([name])[name]
    document = {
        **_compact(json.loads(figures.read_text(encoding="utf-8"))),
        "suppression_on_good": _suppression_on_good(found, groups, data.forms),
        **_without_words(found, groups),
    }
    _write(f"{name}-figures.json", document)
    _write(f"{name}.json", table(data.title, document))
    return 0


def table(title: str, document: dict[str, Any]) -> dict[str, Any]:
    """A row for every form and for the alternative, for the README."""
    groups = [pair["group"] for pair in document["results"][0]["pairs"]]
    first = document["results"][0]
    before = ["detector alone", f"{first['mean_auroc_before']:.3f}"]
    rows = [[*before, *(f"{pair['auroc_before']:.3f}" for pair in first["pairs"]), ""]]
    for result in document["results"]:
        peaks = [document["suppression_on_good"][result["form"]][group]["highest_peak"] for group in groups]
        after = [f"{pair['auroc_after']:.3f}" for pair in result["pairs"]]
        rows.append([result["form"], f"{result['mean_auroc_after']:.3f}", *after, f"{max(peaks):.2f}"])
    for count, of_groups in document["memory_instead_of_words"].items():
        mean = np.mean(list(of_groups.values()))
        rows.append(
            [f"{count} added to the memory, no words", f"{mean:.3f}", *(f"{of_groups[g]:.3f}" for g in groups), ""]
        )
    note = (
        f"Image AUROC on {title}, PatchCore on the embedded backbone and nand-tiny. "
        f"PatchCore alone, good against all defects: {document['auroc_of_the_detector_alone']:.3f}."
    )
    return {"columns": ["form", "mean", *groups, "highest suppression on good frames"], "rows": rows, "note": note}


def _suppression_on_good(found: DatasetClass, groups: Sequence[Group], forms: Sequence[str]) -> dict[str, Any]:
    """For every form and group, the report card of the good test frames."""
    clip = load_clip(NAND_TINY)
    encoder = ClipEncoder(clip)
    detection = NormalityDetection(clip, encoder, encoder.projections.logit_scale)
    material = Material(clip, detection, found.good, groups)
    tokens = material.tokens([frame.path for frame in found.test if not frame.kinds])
    return {
        form: {
            group.name: report_card(form_named(form)(group, material), {"good": tokens})["good"].to_json()
            for group in groups
        }
        for form in forms
    }


def _without_words(found: DatasetClass, groups: Sequence[Group]) -> dict[str, Any]:
    """AUROC when frames of a group are added to PatchCore's memory; and of the detector alone."""
    fitted = fit(PatchCoreMethod(), list(found.good)).detector
    if not isinstance(fitted, PatchCore):
        raise TypeError("the method fits no PatchCore")
    defective = np.array([bool(frame.kinds) for frame in found.test])
    added = {
        str(count): {
            group.name: auroc(
                _anomalous(found, group), _scores(add_frames(fitted, group.shots[:count]).detector, found.test)
            )
            for group in groups
        }
        for count in ADDED_FRAMES
    }
    return {
        "auroc_of_the_detector_alone": auroc(defective, _scores(fitted, found.test)),
        "memory_instead_of_words": added,
    }


def _anomalous(found: DatasetClass, group: Group) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([bool(set(frame.kinds) - set(group.folders)) for frame in found.test])


def _scores(detector: PatchCore, frames: Sequence[LabelledFrame]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([float(detector.map_of(frame.read()).max()) for frame in frames])


def _compact(figures: dict[str, Any]) -> dict[str, Any]:
    """What of the evaluation is worth keeping, without paths of this machine."""
    kept = ("detector", "detector_settings", "clip", "mean_auroc_before", "mean_auroc_after", "version", "results")
    return {key: figures[key] for key in kept if key in figures}


def _write(name: str, document: dict[str, Any]) -> None:
    with whole_file(RESULTS / name) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
