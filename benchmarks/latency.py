"""Measure what one graph saves: against two eager PyTorch models, and by the gate where few parts are suspicious.

Three measurements, each within one run and by turns, so that what else the machine does hits all sides alike:

1. APRIL-GAN as base detector on ViT-B-16 at 224 pixels, weights random (speed does not depend on them): the bundle's
   one graph against the same method as two eager PyTorch models, each with its own preprocessing by OpenCV and its own
   encoder pass.
2. PatchCore as base detector with the embedded CLIP: the mean cost of a frame when 1 % of the frames reach the
   threshold, against the same graph with its gate shut, which is the base detector alone.
3. Import, bundle and first verdict in a fresh process: seconds and peak memory, on the bundle of 2.

Writes `latency.json` and `latency.svg` into `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch.nn import functional

from nand_edge.files import whole_file
from nand_edge.manifest import ThresholdRecord
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.detectors import AprilGan, PatchCore
from nand_edge_export.detectors.backbones import DEFAULT, load_backbone
from nand_edge_export.detectors.patchcore import PatchFeatures
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.normality import make_normality
from nand_edge_export.preprocessing import Preprocessing
from nand_edge_export.reference import Resize, pillow_resize
from nand_edge_runtime import Inspector
from nand_edge_runtime.latency import Latency, measure, measure_alternating
from nand_edge_runtime.machine import processor_name

RESULTS = Path(__file__).resolve().parent / "results"
RANDOM_CLIP = "ViT-B-16:random"
IMAGE_SIZE = 224
MEMORY_PATCHES = 4000
MAP_SIZE = 256
FRAME = (480, 640)
LOGIT_SCALE = 100.0
REJECT_EVERY = 100
_OPEN, _SHUT = -1e30, 1e30
_ALWAYS_REACHED = 1e-9
_ALLOWED_MAP_ERROR = {"fp32": 2e-2, "bf16": 0.2}
"""What final maps may be off by, on a scale of 0 to 4: the graph's resize may miss Pillow's by a grey level."""

_FIRST_VERDICT = """
import sys, time
started = time.perf_counter()
import numpy
from nand_edge_runtime import Inspector
with Inspector(sys.argv[1]) as inspector:
    inspector.inspect(numpy.zeros((480, 640, 3), numpy.uint8))
seconds = time.perf_counter() - started
from nand_edge_runtime.latency import peak_memory_mib
print(seconds, peak_memory_mib() or "nan")
"""


@dataclass(frozen=True)
class Row:
    """One line of the result.

    Attributes:
        what: What was measured.
        latency: Its times.
        against: What the ratio compares it with; empty for a line that others are compared with.
        ratio: How many times faster, or dearer, as the note of the table says.
    """

    what: str
    latency: Latency
    against: str = ""
    ratio: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The line as one JSON object."""
        return {"what": self.what, "latency_ms": self.latency.to_json(), "against": self.against, "ratio": self.ratio}


class TwoEagerModels:
    """The method without a toolkit: a detector and an ND module in PyTorch, each preparing and encoding the frame.

    Args:
        detector: The base detector, a reader of CLIP's tokens.
        encoders: Its encoder and the ND module's.
        text_features: float32 [2, D], `f_nor` and `f_add`.
    """

    def __init__(
        self, detector: AprilGan, encoders: tuple[ClipEncoder, ClipEncoder], text_features: NDArray[np.float32]
    ) -> None:
        self._detector = detector
        self._base_encoder, self._nd_encoder = encoders
        self._text = torch.from_numpy(text_features)

    def __call__(self, frame: NDArray[np.uint8], resize: Resize) -> NDArray[np.float32]:
        """Final map, float32 [M, M], of a frame uint8 [H, W, 3] BGR (Eq. 6 of NAND)."""
        base_map = self._base_map(frame, resize)
        return base_map * (1 - self._suppression_map(frame, resize))

    def _base_map(self, frame: NDArray[np.uint8], resize: Resize) -> NDArray[np.float32]:
        with torch.inference_mode():
            image = _prepared(self._base_encoder.preprocessing, frame, resize)
            result: NDArray[np.float32] = self._detector(*self._base_encoder(image))[0].numpy()
        return result

    def _suppression_map(self, frame: NDArray[np.uint8], resize: Resize) -> NDArray[np.float32]:
        with torch.inference_mode():
            image = _prepared(self._nd_encoder.preprocessing, frame, resize)
            maps = []
            for tokens, (rows, columns) in zip(self._nd_encoder(image), self._nd_encoder.grids, strict=True):
                logits = (LOGIT_SCALE * tokens @ self._text.T).transpose(1, 2).unflatten(2, (rows, columns))
                logits = functional.interpolate(logits, size=MAP_SIZE, mode="bilinear", align_corners=True)
                maps.append(logits.softmax(dim=1)[:, 1])
            result: NDArray[np.float32] = torch.stack(maps).mean(dim=0)[0].numpy()
        return result


def opencv_resize(frames: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """What a client without a toolkit does: quick, and not what the model was trained with."""
    side = (preprocessing.size, preprocessing.size)
    return np.stack([cv2.resize(frame, side, interpolation=cv2.INTER_AREA)[..., ::-1] for frame in frames])


def _map_error(inspector: Inspector, frame: NDArray[np.uint8], expected: NDArray[np.float32]) -> float:
    inspection = inspector.inspect(frame)
    if not inspection.clip_ran:
        raise SystemExit("the gate stayed shut, so there is nothing to compare")
    return float(np.abs(inspection.anomaly_map - expected).max())


def _prepared(preprocessing: Preprocessing, frame: NDArray[np.uint8], resize: Resize) -> torch.Tensor:
    return preprocessing.normalise(resize(frame[None], preprocessing))


def measure_one_graph(folder: Path, repeats: int, threads: int) -> list[Row]:
    """One graph against two eager models, on the open side of the gate."""
    clip = load_clip(RANDOM_CLIP, image_size=IMAGE_SIZE)
    normality = make_normality(clip, "dark stain", "part", name="stain")
    encoder = ClipEncoder(clip, projection="random")
    detector = make_april_gan(clip, encoder)
    eager = TwoEagerModels(
        detector,
        (encoder, ClipEncoder(load_clip(RANDOM_CLIP, image_size=IMAGE_SIZE), projection="random")),
        normality.features[0, :, 0],
    )
    threshold = ThresholdRecord(value=_ALWAYS_REACHED, chosen_by="the benchmark")
    export = Export(detector, clip, encoder, [normality], threshold, logit_scale=LOGIT_SCALE)
    bundle = export_bundle(export, folder / "april-gan.nand")
    frame = make_frames(1)[0]
    variants = [("onnx", "fp32")]
    if find_spec("openvino"):
        variants += [("openvino", "fp32"), ("openvino", "bf16")]
    inspectors = [
        Inspector(bundle, target=target, precision=precision, threads=threads) for target, precision in variants
    ]
    expected = eager(frame, pillow_resize)
    errors = [_map_error(inspector, frame, expected) for inspector in inspectors]
    for (target, precision), error in zip(variants, errors, strict=True):
        if error > _ALLOWED_MAP_ERROR[precision]:
            raise SystemExit(f"{target} in {precision} is off by {error:.2g} from the eager models: nothing to time")
    baseline, *graphs = measure_alternating(
        [lambda: eager(frame, opencv_resize), *(_inspecting(inspector, frame) for inspector in inspectors)],
        warmup=3,
        repeats=repeats,
    )
    for inspector in inspectors:
        inspector.close()
    name = "two eager PyTorch models"
    rows = [Row(f"{name} (APRIL-GAN and ND, ViT-B-16 at {IMAGE_SIZE})", baseline)]
    for (target, precision), error, latency in zip(variants, errors, graphs, strict=True):
        what = f"one graph, {target} {precision} (final map within {error:.0e} of 0..{len(encoder.taps)})"
        rows.append(Row(what, latency, f"{name}, times faster", baseline.p50 / latency.p50))
    return rows


def measure_gate(folder: Path, frames: int, threads: int) -> tuple[list[Row], Path]:
    """What the CLIP branch costs when one frame of a hundred needs it."""
    clip = load_clip("nand-tiny")
    normality = make_normality(clip, "dark stain", "part", name="stain")
    encoder = ClipEncoder(clip)
    threshold = ThresholdRecord(value=_ALWAYS_REACHED, chosen_by="the benchmark")
    bundle = export_bundle(Export(make_patchcore(), clip, encoder, [normality], threshold), folder / "patchcore.nand")
    images = make_frames(10)
    with Inspector(bundle, threads=threads) as inspector:

        def inspect(number: int, gate: float) -> None:
            inspector.threshold = gate
            if inspector.inspect(images[number % len(images)]).clip_ran is not (gate == _OPEN):
                raise SystemExit("the gate did not do what the measurement needs")

        # "every frame" is measured apart: after its work the caches are cold, which must not fall to one side only.
        numbers = iter(range(10**9))
        alone, rare = measure_alternating(
            [
                lambda: inspect(next(numbers), _SHUT),
                lambda: inspect(number := next(numbers), _OPEN if number % (2 * REJECT_EVERY) == 1 else _SHUT),
            ],
            warmup=REJECT_EVERY,
            repeats=frames,
        )
        always = measure(lambda: inspect(next(numbers), _OPEN), warmup=5, repeats=max(frames // 5, 1))
    name = "base detector alone"
    return [
        Row(f"{name} (PatchCore, {MEMORY_PATCHES} patches)", alone),
        Row("1 % of frames suspicious", rare, f"{name}, mean, times dearer", rare.mean / alone.mean),
        Row("every frame suspicious", always, f"{name}, mean, times dearer", always.mean / alone.mean),
    ], bundle.folder


def measure_first_verdict(bundle: Path, runs: int = 5) -> dict[str, float]:
    """Median seconds and largest peak memory, MiB, of fresh processes that import, load and judge one frame."""
    command = [sys.executable, "-c", _FIRST_VERDICT, str(bundle)]
    results = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(runs)]  # noqa: S603 - our own interpreter
    seconds, memory = (np.array([float(result[place]) for result in results]) for place in (0, 1))
    return {"seconds": round(float(np.median(seconds)), 3), "peak_memory_mib": round(float(memory.max()), 1)}


def make_frames(count: int) -> list[NDArray[np.uint8]]:
    """Frames of smooth noise, uint8 [H, W, 3]: every pixel matters, and none is a photograph that we may not copy."""
    noise = np.random.default_rng(0)
    frames = (noise.integers(0, 256, (*FRAME, 3), dtype=np.uint8) for _ in range(count))
    return [np.asarray(cv2.GaussianBlur(frame, (0, 0), 3), dtype=np.uint8) for frame in frames]


def make_april_gan(clip: Clip, encoder: ClipEncoder) -> AprilGan:
    """APRIL-GAN on the CLIP's own tokens."""
    features = [clip.text_features([prompt]) for prompt in ("a flawless part", "a damaged part")]
    return AprilGan(
        torch.from_numpy(np.stack(features)),
        encoder.identity(),
        object_name="part",
        weights=clip.weights,
    ).eval()


def make_patchcore() -> PatchCore:
    """PatchCore with a memory of random patches of noise: its cost depends on their number only."""
    backbone = load_backbone(DEFAULT, 256)
    features = PatchFeatures(backbone)
    with torch.inference_mode():
        images = backbone.preprocessing.prepare(np.stack(make_frames(8)))
        patches = features(images).permute(0, 2, 3, 1).flatten(0, 2)
    chosen = torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))[:MEMORY_PATCHES]
    return PatchCore(features, backbone, patches[chosen].clone()).eval()


def _inspecting(inspector: Inspector, frame: NDArray[np.uint8]) -> Callable[[], object]:
    return lambda: inspector.inspect(frame)


def machine() -> dict[str, Any]:
    """What was measured on."""
    packages = ("torch", "onnxruntime-gpu", "onnxruntime", "openvino", "numpy", "opencv-python", "pillow")
    return {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: version for package in packages if (version := _version(package))},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def document(rows: Sequence[Row], first_verdict: dict[str, float], threads: int) -> dict[str, Any]:
    """The result: a table for the README, and all figures."""
    where = machine()
    table = [
        [
            row.what,
            f"{row.latency.p50:.1f} ms",
            f"{row.latency.percentile(90):.1f} ms",
            f"{row.latency.mean:.1f} ms",
            "" if row.ratio is None else f"{row.ratio:.2f} ({row.against})",
        ]
        for row in rows
    ]
    return {
        "columns": ["one frame of 640 x 480", "p50", "p90", "mean", "ratio"],
        "rows": table,
        "note": (
            f"Measured by turns in one run on {where['cores']} cores of {where['cpu']}, {threads} threads. "
            f"Import, bundle and first verdict in a fresh process: {first_verdict['seconds']:.2f} s, "
            f"{first_verdict['peak_memory_mib']:.0f} MiB."
        ),
        "figures": [row.to_json() for row in rows],
        "first_verdict": first_verdict,
        "machine": where,
    }


def draw(groups: Sequence[tuple[str, Sequence[Row], Callable[[Latency], float]]], path: Path) -> None:
    """One bar a line; each group says by its title which figure of the latency the bar shows."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "nand-edge", "font.family": "DejaVu Sans", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(groups), 1, figsize=(9, 1.3 + 0.62 * sum(len(rows) for _, rows, _ in groups)))
    for axis, (title, rows, figure_of) in zip(axes, groups, strict=True):
        values = [figure_of(row.latency) for row in rows]
        labels = [row.what.replace(" (", "\n(") for row in rows]
        bars = axis.barh(labels, values, color=["#9ca3af", "#2563eb", "#0d9488", "#7c3aed"][: len(rows)], height=0.62)
        axis.bar_label(bars, [f"{value:.1f} ms" for value in values], padding=4, fontsize=10)
        axis.invert_yaxis()
        axis.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axis.set_xlim(0, max(values) * 1.22)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(left=False, bottom=False, labelbottom=False)
    figure.tight_layout()
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the results and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30, help="repetitions of one graph against two models")
    parser.add_argument("--frames", type=int, default=300, help="frames of the gate's measurement")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads for one frame")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="nand-edge-latency-") as folder:
        with console.status("one graph against two eager PyTorch models"):
            graph_rows = measure_one_graph(Path(folder), options.repeats, options.threads)
        with console.status("the gate: one suspicious frame in a hundred"):
            gate_rows, bundle = measure_gate(Path(folder), options.frames, options.threads)
        with console.status("first verdict in a fresh process"):
            first_verdict = measure_first_verdict(bundle)
    result = document([*graph_rows, *gate_rows], first_verdict, options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    with whole_file(options.output / "latency.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    groups = (
        ("APRIL-GAN, every frame through CLIP: median", graph_rows, lambda latency: latency.p50),
        ("PatchCore with the gate: mean of a frame", gate_rows, lambda latency: latency.mean),
    )
    draw(groups, options.output / "latency.svg")
    for line in result["rows"]:
        print("  ".join(str(cell) for cell in line))
    print(result["note"])


if __name__ == "__main__":
    main()
