"""`nand-edge inspect`: verdicts for an image, a folder, a video or a camera."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from nand_edge.inspection import Inspection
from nand_edge.region import make_region, parse_frame_size
from nand_edge_runtime.commands.choosing import (
    TARGET_HELP,
    USUAL_LOSS,
    USUAL_REJECT_RATE,
    MaxLoss,
    RejectRate,
    choosing,
)
from nand_edge_runtime.commands.engine_options import CudaGraphs, Precision, Provider, Spinning, Threads
from nand_edge_runtime.inspecting import Summary, inspect_source, jsonl_writer
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.overlay import write_overlay
from nand_edge_runtime.sources import Frame, Source, open_source


def inspect(
    bundle: Annotated[Path, typer.Argument(help="The bundle, NAME.nand.", show_default=False)],
    source: Annotated[
        str, typer.Argument(help="An image, a folder of images, a video file or a camera's index.", show_default=False)
    ],
    *,
    jsonl: Annotated[Path | None, typer.Option(help="Write one JSON object a frame to this file.")] = None,
    overlay: Annotated[Path | None, typer.Option(help="Write a picture a frame to this folder.")] = None,
    normality: Annotated[
        list[str] | None,
        typer.Option(help="A normality in force: its name in the bundle or a .normality file; may be given again."),
    ] = None,
    no_normalities: Annotated[bool, typer.Option("--no-normalities", help="No normality is in force.")] = False,
    threshold: Annotated[float | None, typer.Option(help="Compare scores with this, not the bundle's.")] = None,
    region: Annotated[
        str | None,
        typer.Option(help="Inspect this rectangle, not the bundle's region: x,y,width,height in pixels or fractions."),
    ] = None,
    region_mask: Annotated[Path | None, typer.Option(help="PNG; inspect only where it is not zero.")] = None,
    ignore_mask: Annotated[Path | None, typer.Option(help="PNG; inspect only where it is zero.")] = None,
    frame_size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of the frames, for a region in pixels.")] = None,
    target: Annotated[str | None, typer.Option(help=TARGET_HELP)] = None,
    reject_rate: RejectRate = USUAL_REJECT_RATE,
    max_loss: MaxLoss = USUAL_LOSS,
    provider: Provider = "cpu",
    threads: Threads = None,
    spinning: Spinning = True,
    precision: Precision = "fp32",
    cuda_graphs: CudaGraphs = False,
    frames: Annotated[int | None, typer.Option(min=1, help="Stop after so many frames.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Pass over unreadable images and count them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Inspect frames and give a verdict for each.

    The exit code says whether the inspection ran, not what the verdicts were.
    """
    if normality and no_normalities:
        raise typer.BadParameter("give either --normality or --no-normalities")
    summary = Summary()
    with ExitStack() as stack:
        wished = stack.enter_context(choosing(target, precision, reject_rate=reject_rate, max_loss=max_loss))
        inspector = stack.enter_context(
            Inspector(
                bundle,
                target=wished,
                provider=provider,
                normalities=[] if no_normalities else normality or None,
                threshold=threshold,
                region=make_region(
                    rectangle=region,
                    region_mask=region_mask,
                    ignore_mask=ignore_mask,
                    frame_size=parse_frame_size(frame_size) if frame_size else None,
                ),
                threads=threads,
                spinning=spinning,
                precision=precision,
                cuda_graphs=cuda_graphs,
            )
        )
        opened = open_source(source, skip_bad=skip_bad)
        write_line = stack.enter_context(jsonl_writer(jsonl))
        progress = stack.enter_context(_progress())
        task = progress.add_task("inspecting", total=_total(opened, frames), rejected=0)
        # Also after Ctrl-C, the usual end of a camera's run, the summary is printed.
        stack.callback(lambda: _print_summary(summary, inspector, as_json=as_json) if summary.frames else None)
        stack.callback(progress.stop)

        def on_inspection(frame: Frame, inspection: Inspection) -> None:
            write_line(inspection)
            if overlay is not None:
                write_overlay(frame.image, inspection, overlay)
            progress.update(task, advance=1, rejected=summary.rejected)

        inspect_source(inspector, opened, on_inspection, limit=frames, summary=summary)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rejected]} rejected"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def _total(source: Source, limit: int | None) -> int | None:
    known = [count for count in (source.length, limit) if count is not None]
    return min(known) if known else None


def _print_summary(summary: Summary, inspector: Inspector, *, as_json: bool) -> None:
    if as_json:
        setting = {
            "bundle": inspector.bundle.name,
            "target": inspector.target.value,
            "device": inspector.device,
            "normalities": list(inspector.normalities),
            "threshold": inspector.threshold,
            "region": inspector.region.given_as,
            **({} if inspector.choice is None else {"choice": inspector.choice.to_json()}),
        }
        print(json.dumps({**summary.to_json(), **setting}))
        return
    table = Table(
        title=f"{inspector.bundle.name} on {inspector.target.value} ({inspector.device})", title_justify="left"
    )
    for column in ("frames", "pass", "reject", "suppressed", "skipped", "p50"):
        table.add_column(column, justify="right")
    table.add_row(
        str(summary.frames),
        f"[green]{summary.passed}[/]",
        f"[red]{summary.rejected}[/]",
        str(summary.suppressed),
        str(summary.skipped),
        f"{summary.p50_ms:.1f} ms",
    )
    words = ", ".join(inspector.normalities) or "none"
    table.caption = f"threshold {inspector.threshold:.4g}; normalities: {words}; region: {inspector.region.given_as}"
    table.caption_justify = "left"
    Console().print(table)
