"""`nand-edge build`: build an engine for a target into a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_export.commands import tensorrt_arguments as for_tensorrt
from nand_edge_export.engines import BUILDERS, BuildOptions
from nand_edge_export.engines.build import build_engine
from nand_edge_export.engines.precision_choice import AUTO, PrecisionChoice, choose_precision
from nand_edge_export.engines.tensorrt_options import HardwareCompatibility, TensorRTOptions
from nand_edge_export.precision import FP32, check_precision
from nand_edge_export.precision.labels import read_labels

_TARGETS = ", ".join(target.value for target in BUILDERS)


def build(
    bundle: Annotated[Path, typer.Argument(help="The bundle, NAME.nand.", show_default=False)],
    *,
    target: Annotated[str, typer.Option(help=f"What to build for: {_TARGETS}.", show_default=False)],
    compute_capability: Annotated[
        str | None,
        typer.Option(help="The GPU's, such as 8.6, for tensorrt-rtx also 8.6,8.9; by default this machine's."),
    ] = None,
    max_batch: Annotated[int, typer.Option(min=1, help="Most frames in one run.")] = 8,
    max_side: Annotated[int, typer.Option(min=64, help="Longest side of a frame, pixels.")] = 2048,
    max_normalities: Annotated[int, typer.Option(min=1, help="Most normalities in force at once.")] = 8,
    max_vectors: Annotated[int, typer.Option(min=1, help="Most vectors a side of a normality; words alone: 1.")] = 64,
    precision: Annotated[
        str, typer.Option(help="fp32, fp16, bf16, int8 or fp8, as far as the target has it; auto measures them all.")
    ] = FP32,
    frames: Annotated[
        Path | None, typer.Option(help="Real frames, good and defective: int8 is calibrated and judged on them.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="A data set with labels: then AUROC before and after is measured, too.")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="Its groups file; groups are taken that are named as the bundle's normalities.")
    ] = None,
    max_loss: Annotated[
        float, typer.Option(min=0.0, help="For auto: most AUROC to lose, and share of verdicts to change.")
    ] = 0.005,
    tf32: Annotated[bool, typer.Option("--tf32", help="Faster products, maps less exact.")] = False,
    batches: for_tensorrt.Batches = None,
    heights: for_tensorrt.Heights = None,
    widths: for_tensorrt.Widths = None,
    normalities: for_tensorrt.Normalities = None,
    vectors: for_tensorrt.Vectors = None,
    workspace_mib: for_tensorrt.Workspace = None,
    timing_cache: for_tensorrt.TimingCacheFile = None,
    version_compatible: for_tensorrt.VersionCompatible = False,
    hardware_compatible: for_tensorrt.HardwareCompatible = HardwareCompatibility.NONE,
    refit: for_tensorrt.Refit = False,
    strip: for_tensorrt.Strip = False,
    weight_streaming: for_tensorrt.WeightStreaming = False,
    level: for_tensorrt.Level = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the engine's record as one JSON object.")] = False,
) -> None:
    """Build an engine for a target into a bundle; needs no torch, and for tensorrt-rtx no GPU."""
    options = BuildOptions(
        compute_capability=compute_capability,
        max_batch=max_batch,
        max_normalities=max_normalities,
        max_vectors=max_vectors,
        max_side=max_side,
        workspace_mib=workspace_mib,
        tf32=tf32,
        tensorrt=TensorRTOptions(
            batches=batches,
            heights=heights,
            widths=widths,
            normalities=normalities,
            vectors=vectors,
            timing_cache=timing_cache,
            version_compatible=version_compatible,
            hardware_compatible=hardware_compatible,
            refit=refit,
            strip=strip,
            weight_streaming=weight_streaming,
            level=level,
        ),
        precision=precision,
        frames=frames,
    )
    if (dataset is None) != (groups is None):
        raise typer.BadParameter("--dataset and --groups belong together")
    chosen, opened = _parse_target(target), open_bundle(bundle)
    if precision != AUTO:
        check_precision(chosen, precision)
    labels = read_labels(opened, dataset, groups) if dataset and groups else None
    with _progress(f"building for {target}") as on_phase:
        if precision == AUTO:
            choice = choose_precision(opened, chosen, options, max_loss=max_loss, labels=labels, on_phase=on_phase)
        else:
            built = build_engine(opened, chosen, options, labels=labels, on_phase=on_phase)
    if precision == AUTO:
        _print_choice(choice, as_json=as_json)
        return
    record = built.manifest.engines[-1]
    print(record.model_dump_json(indent=2) if as_json else _sentence(built, record))


@contextmanager
def _progress(title: str) -> Iterator[Callable[[str], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda phase: progress.update(task, description=phase)


def _parse_target(target: str) -> Target:
    try:
        return Target(target)
    except ValueError:
        raise NandEdgeError("target", found=repr(target), needed=f"one of {_TARGETS}", do="correct it") from None


def _sentence(bundle: Bundle, record: EngineRecord) -> str:
    mebibytes = bundle.path(record.file).stat().st_size / (1 << 20)
    error = record.max_map_error
    proof = record.reason if error is None else f"maps within {error:.1e} of the reference"
    told = f"{bundle.path(record.file)} ({mebibytes:.1f} MiB, {record.built_with}): {record.state.value}, {proof}"
    return told if record.accuracy is None else f"{told}; {record.accuracy.sentence()}"


def _print_choice(choice: PrecisionChoice, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(choice.to_json(), indent=2))
        return
    for candidate in choice.candidates:
        print(f"{candidate.precision}: {candidate.told}")
    print(f"chosen: {choice.chosen.precision}, {choice.reason}")
