"""`nand-edge calibrate`: choose a bundle's threshold on frames of this line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from nand_edge.bundle import Bundle, open_bundle, set_threshold
from nand_edge.calibration import (
    USUAL_FALSE_REJECT_RATE,
    Calibration,
    balanced,
    by_false_rejects,
    by_misses,
    missed_words,
    rejected_words,
)
from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent
from nand_edge_runtime.calibrating import score_frames
from nand_edge_runtime.commands.engine_options import Precision, Provider, Threads
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.sources import Source, open_source


def calibrate(
    bundle: Annotated[
        Path, typer.Argument(help="The bundle, NAME.nand; its threshold is replaced.", show_default=False)
    ],
    *,
    good: Annotated[
        Path, typer.Option(help="Folder of good frames that the detector was not fitted on.", show_default=False)
    ],
    bad: Annotated[
        Path | None, typer.Option(help="Folder of frames that must be rejected; alone, both rates are balanced.")
    ] = None,
    false_reject_rate: Annotated[
        float | None,
        typer.Option(help=f"Share of good frames that may be rejected; without --bad {USUAL_FALSE_REJECT_RATE}."),
    ] = None,
    miss_rate: Annotated[
        float | None, typer.Option(help="Share of the frames in --bad that may pass, in the place of the other goals.")
    ] = None,
    normality: Annotated[
        list[str] | None,
        typer.Option(help="A normality in force: its name in the bundle or a .normality file; may be given again."),
    ] = None,
    no_normalities: Annotated[bool, typer.Option("--no-normalities", help="No normality is in force.")] = False,
    target: Annotated[str | None, typer.Option(help="onnx, openvino, tensorrt or tensorrt-rtx.")] = None,
    provider: Provider = "cpu",
    threads: Threads = None,
    precision: Precision = "fp32",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Pass over unreadable images and count them.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the threshold, and leave the bundle as it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Choose a bundle's threshold on frames, and write it with how it was chosen and what the frames can say of it.

    With good frames alone: as low as a false-reject rate allows. With bad ones too: where both rates are lowest
    together, or as high as --miss-rate allows. The engines stay as they are.
    """
    if normality and no_normalities:
        raise typer.BadParameter("give either --normality or --no-normalities")
    if false_reject_rate is not None and miss_rate is not None:
        raise typer.BadParameter("give either --false-reject-rate or --miss-rate")
    if bundle.is_file():
        raise NandEdgeError(
            f"calibration of {str(bundle)!r}",
            found="a file",
            needed="a bundle, NAME.nand",
            do="make one of it with `nand-edge export` and calibrate that",
        )
    opened = open_bundle(bundle)
    if not dry_run:
        require_writable_parent(opened.folder / "manifest.json")
    sources = [open_source(folder, skip_bad=skip_bad) for folder in (good, bad) if folder is not None]
    with Inspector(
        opened,
        target=target,
        provider=provider,
        normalities=[] if no_normalities else normality or None,
        threads=threads,
        precision=precision,
    ) as inspector:
        scores = _scores(inspector, sources)
        setting = _setting(inspector)
    chosen = _choose(scores[0], scores[1] if bad else None, false_reject_rate, miss_rate)
    if not dry_run:
        set_threshold(opened, chosen.record(setting))
    document = {
        "bundle": str(opened.folder),
        **chosen.to_json(),
        "before": opened.manifest.threshold.value,
        "setting": setting,
        "skipped": sum(source.skipped for source in sources),
        "written": not dry_run,
    }
    if as_json:
        print(json.dumps(document))
    else:
        _print(opened, chosen, document)


def _scores(inspector: Inspector, sources: list[Source]) -> list[list[float]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scoring", total=sum(source.length or 0 for source in sources) or None)
        return [
            list(score_frames(inspector, source, on_frame=lambda: progress.update(task, advance=1)))
            for source in sources
        ]


def _choose(
    good: list[float], bad: list[float] | None, false_reject_rate: float | None, miss_rate: float | None
) -> Calibration:
    if miss_rate is not None:
        return by_misses(good, bad or [], miss_rate)
    if false_reject_rate is None and bad is not None:
        return balanced(good, bad)
    rate = USUAL_FALSE_REJECT_RATE if false_reject_rate is None else false_reject_rate
    return by_false_rejects(good, rate, bad or [])


def _setting(inspector: Inspector) -> str:
    """What was in force; another choice of normalities or region would need another threshold."""
    words = ", ".join(inspector.normalities) or "none"
    return f"normalities: {words}; region: {inspector.region.given_as}"


def _print(bundle: Bundle, chosen: Calibration, document: dict[str, Any]) -> None:
    written = "not written" if not document["written"] else "written"
    typer.echo(f"{bundle.folder}: threshold {chosen.threshold:.6g} (was {document['before']:.6g}), {written}")
    typer.echo(f"  for {chosen.goal}; {document['setting']}")
    typer.echo(f"  {rejected_words(chosen.false_reject)}")
    if chosen.miss is not None:
        typer.echo(f"  {missed_words(chosen.miss)}")
    if chosen.interval is not None:
        low, high = ("open" if end is None else f"{end:.6g}" for end in chosen.interval)
        typer.echo(f"  95 % interval of the threshold for this rate: {low} to {high}")
    if document["skipped"]:
        typer.echo(f"  {document['skipped']} unreadable frames were passed over")
    if chosen.warning:
        typer.echo(f"  careful: {chosen.warning}")
