"""`nand-edge build`: build an engine for a target into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_export.engines import BUILDERS, BuildOptions
from nand_edge_export.engines.build import build_engine

_TARGETS = ", ".join(target.value for target in BUILDERS)


def build(
    bundle: Annotated[Path, typer.Argument(help="The bundle, NAME.nand.", show_default=False)],
    *,
    target: Annotated[str, typer.Option(help=f"What to build for: {_TARGETS}.", show_default=False)],
    compute_capability: Annotated[
        str | None, typer.Option(help="The GPU's, such as 8.6; by default that of this machine's GPU.")
    ] = None,
    max_batch: Annotated[int, typer.Option(min=1, help="Most frames in one run.")] = 8,
    max_side: Annotated[int, typer.Option(min=64, help="Longest side of a frame, pixels.")] = 2048,
    max_normalities: Annotated[int, typer.Option(min=1, help="Most normalities in force at once.")] = 8,
    max_vectors: Annotated[int, typer.Option(min=1, help="Most vectors a side of a normality; words alone: 1.")] = 64,
    tf32: Annotated[bool, typer.Option("--tf32", help="Faster products, maps less exact.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the engine's record as one JSON object.")] = False,
) -> None:
    """Build an engine for a target into a bundle; needs no torch, and for tensorrt-rtx no GPU."""
    options = BuildOptions(
        compute_capability=compute_capability,
        max_batch=max_batch,
        max_normalities=max_normalities,
        max_vectors=max_vectors,
        max_side=max_side,
        tf32=tf32,
    )
    chosen, opened = _parse_target(target), open_bundle(bundle)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"building for {target}", total=None)
        built = build_engine(opened, chosen, options, on_phase=lambda phase: progress.update(task, description=phase))
    record = built.manifest.engines[-1]
    print(record.model_dump_json(indent=2) if as_json else _sentence(built, record))


def _parse_target(target: str) -> Target:
    try:
        return Target(target)
    except ValueError:
        raise NandEdgeError("target", found=repr(target), needed=f"one of {_TARGETS}", do="correct it") from None


def _sentence(bundle: Bundle, record: EngineRecord) -> str:
    mebibytes = bundle.path(record.file).stat().st_size / (1 << 20)
    error = record.max_map_error
    proof = record.reason if error is None else f"maps within {error:.1e} of the reference"
    return f"{bundle.path(record.file)} ({mebibytes:.1f} MiB, {record.built_with}): {record.state.value}, {proof}"
