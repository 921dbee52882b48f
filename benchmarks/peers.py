"""Measure the same frames through what users could run instead, each in a process of its own, by turns in one run.

1. A base detector with a normality detection: two eager PyTorch models, the same two under `torch.compile`, the same
   two as ONNX graphs in two sessions of ONNX Runtime with OpenCV between them, and this project's single graph in the
   engines that run here. Every frame goes through the CLIP branch.
2. PatchCore alone (resnet18, 256 pixels, 8,000 patches, the same weights): anomalib's own inferencers and this
   project's graph with its gate shut; beside them AnomaVision's PaDiM in ONNX Runtime.

anomalib and AnomaVision live in the environment that `tools/setup_anomalib.sh` makes. All processes keep to the same
cores, and only one works at a time. Writes `peers.json` and `peers.svg`; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nand_benchmarks.charts import plain, pyplot, save
from nand_benchmarks.children import Child, NotHereError, Work, by_turns
from nand_benchmarks.machine import in_words
from nand_benchmarks.results import Ledger, Table, milliseconds
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_benchmarks.subjects import APRIL_GAN, PATCHCORE, RESNET18, Subject, bundle_of, resnet18_weights
from nand_benchmarks.variants import VARIANTS, Variant, build

ROOT = Path(__file__).resolve().parent.parent
ANOMALIB_PYTHON = ROOT / os.environ.get("VENV_ANOMALIB", ".venv-anomalib") / "bin" / "python"
OURS = "one graph, "
EAGER = "two eager PyTorch models"
COMPILED = "the same under torch.compile"
UNFUSED = "two ONNX Runtime sessions, OpenCV between"
ANOMALIB_TORCH, ANOMALIB_OPENVINO = "anomalib TorchInferencer", "anomalib OpenVINOInferencer"
ANOMAVISION = "AnomaVision, ONNX PaDiM (resnet18, 224)"
_OPEN: Work = {"gate": "open"}
_SHUT: Work = {"gate": "shut"}
_SECONDS, _MOST_TURNS, _LEAST_TURNS, _BURST = 25.0, 40, 4, 2


@dataclass(frozen=True)
class Comparison:
    """One table: sides that do the same.

    Attributes:
        subject: What all sides run.
        against: The side that the others' ratios are taken of.
        peers: The other sides' names.
        work: What this project's graphs are to do.
        variants: The engines that are tried.
    """

    subject: Subject
    against: str
    peers: tuple[str, ...]
    work: str
    variants: tuple[Variant, ...] = VARIANTS


def comparisons(settings: Settings) -> list[Comparison]:
    """All tables."""
    whole = (EAGER, COMPILED, UNFUSED)
    alone = (ANOMALIB_TORCH, ANOMALIB_OPENVINO, ANOMAVISION)
    weights = f"{RESNET18}:{resnet18_weights(settings.work)}"
    if settings.quick:
        return [
            Comparison(Subject("APRIL-GAN on nand-tiny", APRIL_GAN), EAGER, whole, "open"),
            Comparison(
                Subject("PatchCore alone, resnet18, 500 patches", PATCHCORE, memory_patches=500, backbone=weights),
                ANOMALIB_OPENVINO, alone, "shut",
            ),
        ]  # fmt: skip
    return [
        Comparison(Subject("APRIL-GAN on ViT-B-16 at 224", APRIL_GAN, "ViT-B-16:random", 224), EAGER, whole, "open"),
        Comparison(
            Subject("PatchCore, 8,000 patches, with nand-tiny", PATCHCORE, memory_patches=8000), EAGER, whole, "open"
        ),
        Comparison(
            Subject("PatchCore alone, resnet18, 8,000 patches", PATCHCORE, memory_patches=8000, backbone=weights),
            ANOMALIB_OPENVINO, alone, "shut",
        ),
    ]  # fmt: skip


def peer(name: str, subject: Subject, settings: Settings) -> Child:
    """The process of a side that is not this project's graph.

    Raises:
        NotHereError: It cannot run here.
    """
    folder = settings.work / f"peers-{subject.key}" / name.partition(",")[0].replace(" ", "-").lower()
    folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"threads": settings.threads, "folder": str(folder)}
    if name in (EAGER, COMPILED):
        return Child("two-models", {**options, "subject": asdict(subject), "compiled": name == COMPILED})
    if name == UNFUSED:
        return Child("unfused", {**options, "subject": asdict(subject)})
    if name == ANOMAVISION:
        return Child("anomavision-onnx", options, ANOMALIB_PYTHON)
    kind = "anomalib-torch" if name == ANOMALIB_TORCH else "anomalib-openvino"
    weights = subject.backbone.partition(":")[2]
    return Child(kind, {**options, "weights": weights, "memory_patches": subject.memory_patches}, ANOMALIB_PYTHON)


def ours(bundle: Path, variant: Variant, settings: Settings, **more: Any) -> Child:
    """The process of this project's graph in one engine.

    Raises:
        NotHereError: The engine cannot be built or run here.
    """
    options = {"bundle": str(bundle), "target": variant.target, "precision": variant.precision, **more}
    return Child("inspector", {**options, "threads": settings.threads})


def measure(comparison: Comparison, settings: Settings, say: Any) -> dict[str, Any]:
    """All sides of one table, by turns."""
    subject = comparison.subject
    bundle = bundle_of(subject, settings.work, say)
    absent: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        sides: dict[str, tuple[Child, Work]] = {}
        for name in comparison.peers:
            say(f"{subject.name}: {name}")
            try:
                child = stack.enter_context(peer(name, subject, settings))
                # What fails on its first frame is not here either.
                child.time({}, 1)
                sides[name] = (child, {})
            except NotHereError as error:
                absent[name] = str(error)
        for variant in comparison.variants:
            say(f"{subject.name}: {variant}")
            try:
                build(bundle, variant, say)
                child = stack.enter_context(ours(bundle, variant, settings))
                work = _OPEN if comparison.work == "open" else _SHUT
                child.time(work, 1)
                sides[f"{OURS}{variant}"] = (child, work)
            except NotHereError as error:
                absent[f"{OURS}{variant}"] = str(error)
        say(f"{subject.name}: by turns")
        latencies = by_turns(list(sides.values()), turns=_turns(sides, settings), burst=_BURST)
        return {
            "sides": {name: latency.to_json() for name, latency in zip(sides, latencies, strict=True)},
            "absent": absent,
            "map_errors": _map_errors(sides, settings) if EAGER in sides else {},
        }


def _turns(sides: dict[str, tuple[Child, Work]], settings: Settings) -> int:
    """As many as fit into the time for one table, a first try being thrown away."""
    if settings.quick:
        return 1
    first = sum(child.time(work, 1)[0] for child, work in sides.values())
    return int(min(max(_SECONDS * 1e3 / (first * (_BURST + 1)), _LEAST_TURNS), _MOST_TURNS))


def _map_errors(sides: dict[str, tuple[Child, Work]], settings: Settings) -> dict[str, float]:
    """Largest difference of this project's final maps from the eager models', both with Pillow's resize."""
    files = {name: settings.work / f"map-{place}.npy" for place, name in enumerate(sides)}
    wanted = [name for name in sides if name == EAGER or name.startswith(OURS)]
    for name in wanted:
        sides[name][0].call("final_map", file=str(files[name]))
    expected = np.load(files[EAGER])
    return {name: float(np.abs(np.load(files[name]) - expected).max()) for name in wanted if name != EAGER}


def table(figures: dict[str, Any], threads: int) -> Table:
    """A row for every side."""
    rows = []
    for subject, found in figures.items():
        baseline = found["sides"].get(found["against"], {}).get("p50")
        for name, side in found["sides"].items():
            error = found["map_errors"].get(name)
            ratio = f"{baseline / side['p50']:.2f}" if baseline and name != found["against"] else ""
            off = "" if error is None else f"{error:.0e}"
            rows.append([subject, name, milliseconds(side["p50"]), milliseconds(side["p90"]), ratio, off])
        for name, reason in found["absent"].items():
            rows.append([subject, name, f"not here: {reason}", "", "", ""])
    return {
        "columns": ["what", "in", "p50", "p90", "times faster than the baseline", "map error"],
        "rows": rows,
        "note": (
            "One frame of 640 x 480. The baseline is the two eager models, for PatchCore alone anomalib's OpenVINO "
            "inferencer. The map error is the largest difference of the final map from the eager models'. "
            f"AnomaVision's PaDiM is another method, shown for its cost. By turns on {in_words(threads)}."
        ),
    }


def draw(figures: dict[str, Any], path: Path) -> None:
    """One panel a table, one bar a side."""
    panels = [(subject, found["sides"]) for subject, found in figures.items() if found["sides"]]
    if not panels:
        return
    plt = pyplot()
    heights = [len(sides) for _, sides in panels]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(9, 0.8 * len(panels) + 0.36 * sum(heights)), squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    for axis, (subject, sides) in zip(axes[:, 0], panels, strict=True):
        values = [side["p50"] for side in sides.values()]
        colours = ["#2563eb" if name.startswith(OURS) else "#9ca3af" for name in sides]
        bars = axis.barh(list(sides), values, color=colours, height=0.66)
        axis.bar_label(bars, [milliseconds(value) for value in values], padding=4, fontsize=9)
        axis.invert_yaxis()
        axis.set_title(f"{subject}: median of a frame", loc="left", fontsize=11, fontweight="bold")
        axis.set_xlim(0, max(values) * 1.15)
        plain(axis)
    figure.tight_layout()
    save(figure, path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not yet measured, write the results and print the table."""
    settings = parse(__doc__, arguments)
    with (
        Ledger("peers", settings, lambda figures: table(figures, settings.threads)) as ledger,
        progress_bar() as progress,
    ):
        wanted = [
            comparison
            for comparison in comparisons(settings)
            if settings.wants(comparison.subject.name) and comparison.subject.name not in ledger
        ]
        task = progress.add_task("", total=len(wanted))
        for comparison in wanted:
            found = measure(comparison, settings, lambda what: progress.update(task, description=what))
            ledger.put(comparison.subject.name, {"against": comparison.against, **found})
            progress.advance(task)
    draw(ledger.figures, settings.output / "peers.svg")
    for row in table(ledger.figures, settings.threads)["rows"]:
        print("  ".join(row))


if __name__ == "__main__":
    main()
