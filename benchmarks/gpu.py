"""Measure what an NVIDIA GPU does: ONNX Runtime's CUDA provider and the engines of TensorRT and TensorRT-RTX.

The subjects are APRIL-GAN with ViT-L-14-336 at 518 and the embedded bundle, one frame of 640 x 480 from the camera's
bytes to the verdict, the CLIP branch run and not run. Engines are built here for this GPU, for that one size of frames.
An engine that cannot be built or run keeps its row, with the reason. Written on machines without a GPU: built, not run.

Writes `gpu.json`; a run that was stopped goes on where it was. Energy is the card's own counter, read by `pynvml` where
that is installed.
"""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nand_benchmarks.energy import NvmlMeter
from nand_benchmarks.frames import FRAME, make_frames
from nand_benchmarks.results import Ledger, Table, milliseconds
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_edge.bundle import open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_runtime import Inspector
from nand_edge_runtime.doctor.graphics import Graphics, read_graphics
from nand_edge_runtime.latency import measure

NAME = "gpu"
LARGE, EMBEDDED = "APRIL-GAN, ViT-L-14-336 at 518", "PatchCore, 8,000 patches, nand-tiny"
ASKED = {(LARGE, "onnx", "fp16", "cuda"): 6.0}
"""Milliseconds that the median is to stay within."""

_OPEN, _SHUT = -1e30, 1e30
_FRAMES = 8
_FP32, _FP16 = "fp32", "fp16"


@dataclass(frozen=True)
class Variant:
    """One way to run a bundle on the GPU.

    Attributes:
        target: The target.
        precision: The engine's.
        provider: ONNX Runtime's; other targets have none of their own.
        cuda_graphs: Whether runs are recorded and played again.
    """

    target: Target
    precision: str
    provider: str = "cpu"
    cuda_graphs: bool = False

    def __str__(self) -> str:
        """As a table names it."""
        provider = f" {self.provider}" if self.target is Target.ONNX else ""
        return f"{self.target.value}{provider} {self.precision}" + (", CUDA graphs" if self.cuda_graphs else "")


VARIANTS = (
    Variant(Target.ONNX, _FP32, "cuda"),
    Variant(Target.ONNX, _FP16, "cuda"),
    *(
        Variant(target, precision, cuda_graphs=cuda_graphs)
        for target in (Target.TENSORRT, Target.TENSORRT_RTX)
        for precision in (_FP32, _FP16)
        for cuda_graphs in (False, True)
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 where there is no GPU."""
    settings = parse(__doc__, arguments)
    graphics = read_graphics()
    if not graphics.gpus:
        print(_no_gpu(graphics), file=sys.stderr)
        return 1
    cells = [(name, variant) for name in (LARGE, EMBEDDED) for variant in VARIANTS]
    with Ledger(NAME, settings, lambda figures: table(figures, graphics)) as ledger, progress_bar() as bar:
        task = bar.add_task("", total=len(cells))
        for name, variant in cells:
            cell = f"{name}|{variant}"
            if settings.wants(cell) and cell not in ledger:
                ledger.put(cell, _measured(name, variant, settings, lambda words: bar.update(task, description=words)))
            bar.advance(task)
    return 0


def _no_gpu(graphics: Graphics) -> str:
    fault = NandEdgeError(
        "benchmarks/gpu.py",
        found=graphics.fault,
        needed="an NVIDIA GPU with its driver",
        do="run it on a machine that has one; `nand-edge doctor` says what is missing",
    )
    return str(fault)


def _measured(name: str, variant: Variant, settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of one cell, or why there are none."""
    try:
        bundle = _bundle(name, variant, settings, say)
        say(f"{name}, {variant}: measuring")
        with Inspector(
            bundle,
            target=variant.target,
            provider=variant.provider,
            precision=variant.precision,
            threads=settings.threads,
            cuda_graphs=variant.cuda_graphs,
        ) as inspector:
            shut, opened = (_times(inspector, gate, quick=settings.quick) for gate in (_SHUT, _OPEN))
            return {"device": inspector.device, "gate_shut": shut, "gate_open": opened}
    except NandEdgeError as error:
        return {"unavailable": str(error)}


def _times(inspector: Inspector, threshold: float, *, quick: bool) -> dict[str, Any]:
    """Latency of one frame to its verdict, and the card's energy for it."""
    frames = itertools.cycle(make_frames(_FRAMES, FRAME))
    inspector.threshold = threshold
    repeats = 20 if quick else 500
    meter = NvmlMeter()
    # Warm before the counter starts: kernels are compiled, and runs recorded, in the first ones.
    measure(lambda: inspector.inspect(next(frames)), warmup=0, repeats=5 if quick else 50)
    meter.start()
    latency = measure(lambda: inspector.inspect(next(frames)), warmup=0, repeats=repeats)
    joules = meter.joules()
    return {**latency.to_json(), "joules_per_frame": None if joules is None else round(joules / repeats, 4)}


def _bundle(name: str, variant: Variant, settings: Settings, say: Callable[[str], None]) -> Path:
    """A bundle with the variant's engine for this GPU."""
    from nand_benchmarks.subjects import bundle_of

    own = settings.work / "gpu" / f"{subjects(quick=settings.quick)[name].key}.nand"
    if not own.is_dir():
        exported = bundle_of(subjects(quick=settings.quick)[name], settings.work, say)
        own.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(exported, own)
    bundle = open_bundle(own, check_files=False)
    known = {(engine.target, engine.precision) for engine in bundle.manifest.engines}
    if (variant.target, variant.precision) not in known:
        _build(own, variant, lambda phase: say(f"{name}, {variant}: {phase}"))
    return own


def _build(bundle: Path, variant: Variant, say: Callable[[str], None]) -> None:
    from nand_edge_export.engines import BuildOptions
    from nand_edge_export.engines.build import build_engine
    from nand_edge_export.engines.tensorrt_options import Span, TensorRTOptions

    height, width = FRAME
    one_size = TensorRTOptions(
        batches=Span(1, 1, 1), heights=Span(height, height, height), widths=Span(width, width, width)
    )
    options = BuildOptions(precision=variant.precision, tensorrt=one_size)
    build_engine(open_bundle(bundle, check_files=False), variant.target, options, on_phase=say)


def subjects(*, quick: bool) -> dict[str, Any]:
    """The subjects by their names, small ones where it is to be quick."""
    from nand_benchmarks.subjects import APRIL_GAN, PATCHCORE, TINY, Subject

    large = Subject(LARGE, APRIL_GAN, "ViT-S-16:random" if quick else "ViT-L-14-336:random", 64 if quick else 518)
    return {LARGE: large, EMBEDDED: Subject(EMBEDDED, PATCHCORE, TINY, memory_patches=200 if quick else 8000)}


def table(figures: dict[str, Any], graphics: Graphics) -> Table:
    """A row for each bundle and engine."""
    rows = []
    for name, variant in ((name, variant) for name in (LARGE, EMBEDDED) for variant in VARIANTS):
        found = figures.get(f"{name}|{variant}")
        if found is not None:
            rows.append([name, str(variant), *_cells(found, ASKED.get(_key(name, variant)))])
    gpu = graphics.gpus[0]
    return {
        "columns": ["base detector", "engine", "gate shut, p50", "CLIP runs, p50", "p90", "p99", "energy", "asked"],
        "rows": rows,
        "note": (
            f"One frame of {FRAME[1]} x {FRAME[0]} to its verdict, one normality, on one {gpu.name} (compute "
            f"capability {gpu.compute_capability}, driver {graphics.driver}, CUDA {graphics.cuda}); "
            "energy is the card's, a frame."
        ),
    }


def _key(name: str, variant: Variant) -> tuple[str, str, str, str]:
    return name, variant.target.value, variant.precision, variant.provider


def _cells(found: dict[str, Any], asked: float | None) -> list[str]:
    if "unavailable" in found:
        return ["", "not here: " + found["unavailable"], "", "", "", ""]
    opened, joules = found["gate_open"], found["gate_open"]["joules_per_frame"]
    kept = "" if asked is None else f"at most {asked:g} ms: {'kept' if opened['p50'] <= asked else 'missed'}"
    return [
        milliseconds(found["gate_shut"]["p50"]),
        *(milliseconds(opened[name]) for name in ("p50", "p90", "p99")),
        "no counter" if joules is None else f"{joules:.3f} J",
        kept,
    ]


if __name__ == "__main__":
    sys.exit(main())
