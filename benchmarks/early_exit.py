"""How much of the CLIP branch an early exit spares on real photographs: the solar cells of `make demo`.

Two bundles of the demo's detector and normalities, one of them exported with the early exit, judge the demo's cells at
the demo's threshold, with one normality in force after the other. Counted are the frames that enter the CLIP branch,
how many of them leave it before its last tap, and verdicts that differ (there must be none). What an entering frame
takes is measured by turns.

Writes `early-exit.json` into `benchmarks/results`; needs the results of `make demo`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from nand_benchmarks.machine import in_words, machine
from nand_benchmarks.results import milliseconds, write_json
from nand_edge.bundle import open_bundle
from nand_edge.images import list_images, read_frame
from nand_edge.normality import read_normality
from nand_edge_export.clip import ClipEncoder, load_clip
from nand_edge_export.detectors.files import read_detector
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.graph.assembly import GraphOptions
from nand_edge_runtime import Inspector
from nand_edge_runtime.latency import measure_alternating

ROOT = Path(__file__).resolve().parent.parent
NORMALITIES = ("stain", "crack", "finger")
_WORDS = {"stain": "dark stain", "crack": "crack", "finger": "broken finger lines"}


def make_bundles(demo: Path, folder: Path) -> tuple[Path, Path]:
    """The demo's bundle without and with the early exit."""
    clip = load_clip("nand-tiny")
    normalities = [read_normality(demo / f"{name}.normality") for name in NORMALITIES]
    threshold = open_bundle(demo / "solar-cell.nand").manifest.threshold
    made = []
    for name, early_exit in (("full", False), ("early", True)):
        detector = read_detector(demo / "solar-cell.detector")
        options = GraphOptions(early_exit=early_exit)
        export = Export(detector, clip, ClipEncoder(clip), normalities, threshold, graph=options)
        made.append(export_bundle(export, folder / f"{name}.nand").folder)
    return made[0], made[1]


def compare(
    full: Inspector, early: Inspector, frames: Sequence[NDArray[np.uint8]], name: str, repeats: int
) -> dict[str, Any]:
    """One normality in force, all frames through both."""
    entered, taps, changed, lasting = 0, [], 0, []
    for inspector in (full, early):
        inspector.set_normalities([name])
    for frame in track(frames, f"frames with {name!r}", transient=True):
        expected, found = full.inspect(frame), early.inspect(frame)
        changed += expected.verdict is not found.verdict
        if expected.clip_ran:
            entered += 1
            taps.append(found.taps_run)
            lasting.append(frame)
    latencies = measure_alternating(
        [lambda: [full.inspect(frame) for frame in lasting], lambda: [early.inspect(frame) for frame in lasting]],
        warmup=1,
        repeats=repeats,
    )
    per_frame = [latency.p50 / max(entered, 1) for latency in latencies]
    return {
        "normality": name,
        "frames": len(frames),
        "entered": entered,
        "left_early": int(np.sum(np.array(taps) < len(full.bundle.manifest.clip.taps))),
        "mean_taps": float(np.mean(taps)) if taps else 0.0,
        "verdicts_changed": changed,
        "full_ms": per_frame[0],
        "early_ms": per_frame[1],
        "ratio": per_frame[0] / per_frame[1],
    }


def table(figures: Sequence[dict[str, Any]], taps: int, threads: int) -> dict[str, Any]:
    """The result as a table for documents."""
    return {
        "columns": [
            "declared normal",
            "frames that enter",
            "leave early",
            "taps run",
            "verdicts changed",
            "a frame",
            "with early exit",
        ],
        "rows": [
            [
                f"“{_WORDS[each['normality']]}”",
                f"{each['entered']} of {each['frames']}",
                str(each["left_early"]),
                f"{each['mean_taps']:.2f} of {taps}",
                str(each["verdicts_changed"]),
                milliseconds(each["full_ms"]),
                f"{milliseconds(each['early_ms'])} ({each['ratio']:.2f} times faster)",
            ]
            for each in figures
        ],
        "note": f"The demo's cells at its threshold, ONNX Runtime fp32, by turns on {in_words(threads)}.",
        "figures": list(figures),
        "machine": machine(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=ROOT / "demo", help="what `make demo` wrote")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent / "results")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args(arguments)
    if not (options.demo / "solar-cell.detector").is_file():
        print(f"{options.demo} holds no demo: run `make demo` first.", file=sys.stderr)
        return 1
    frames = [read_frame(path) for path in list_images(options.demo / "cells")]
    with tempfile.TemporaryDirectory() as folder:
        paths = make_bundles(options.demo, Path(folder))
        inspectors = [Inspector(path, target="onnx", threads=options.threads) for path in paths]
        figures = [compare(inspectors[0], inspectors[1], frames, name, options.repeats) for name in NORMALITIES]
        taps = len(inspectors[0].bundle.manifest.clip.taps)
    write_json(options.output / "early-exit.json", table(figures, taps, options.threads))
    return 0


if __name__ == "__main__":
    sys.exit(main())
