"""`nand-edge bench`: latency, throughput and memory of a bundle on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge_runtime.benchmark import BenchmarkOptions, BenchmarkResult, run_benchmark
from nand_edge_runtime.commands.choosing import TARGET_HELP, USUAL_LOSS, MaxLoss, choosing
from nand_edge_runtime.commands.engine_options import CudaGraphs, Precision, Provider, Spinning, Threads
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.latency_chart import write_latency_chart


def bench(
    bundle: Annotated[Path, typer.Argument(help="The bundle, NAME.nand.", show_default=False)],
    *,
    frames: Annotated[int, typer.Option(min=1, help="Runs of the engine that count.")] = 100,
    size: Annotated[str, typer.Option(help="Width and height of the frames, pixels.")] = "640x480",
    batch: Annotated[int, typer.Option(min=1, help="Frames a run.")] = 1,
    reject_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the runs in which the CLIP branch is needed.")
    ] = 1.0,
    target: Annotated[str | None, typer.Option(help=TARGET_HELP)] = None,
    max_loss: MaxLoss = USUAL_LOSS,
    again: Annotated[bool, typer.Option("--again", help="For --target auto: measure, whatever is remembered.")] = False,
    provider: Provider = "cpu",
    threads: Threads = None,
    spinning: Spinning = True,
    precision: Precision = "fp32",
    cuda_graphs: CudaGraphs = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON; - is stdout.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Write a histogram as SVG.")] = None,
) -> None:
    """Measure a bundle on this machine with frames of noise."""
    width, height = _parse_size(size)
    options = BenchmarkOptions(frames, height, width, batch, reject_rate)
    with (
        choosing(
            target,
            precision,
            reject_rate=reject_rate,
            max_loss=max_loss,
            frame_size=(height, width),
            batch=batch,
            again=again,
        ) as wished,
        Inspector(
            bundle,
            target=wished,
            provider=provider,
            threads=threads,
            spinning=spinning,
            precision=precision,
            cuda_graphs=cuda_graphs,
        ) as inspector,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("measuring", total=options.warmup + options.frames)
        result = run_benchmark(inspector, options, on_run=lambda: progress.advance(task))
    if chart is not None:
        title = f"{result.setting['bundle']} on {result.setting['target']}: latency of a run"
        subtitle = f"{size}, batch {batch}, CLIP branch in {result.clip_share:.0%} of {frames} runs"
        write_latency_chart(result.stages["total"], title, subtitle, chart)
    _write(result, json_file)


def _parse_size(size: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if match is None:
        raise NandEdgeError("size", found=repr(size), needed="WIDTHxHEIGHT in pixels", do="write it as 640x480")
    return int(match[1]), int(match[2])


def _write(result: BenchmarkResult, json_file: Path | None) -> None:
    document = json.dumps(result.to_json(), indent=2)
    if json_file == Path("-"):
        print(document)
        return
    if json_file is not None:
        with whole_file(json_file) as temporary:
            temporary.write_text(document + "\n", encoding="utf-8")
    setting = result.setting
    table = Table(title=f"{setting['bundle']} on {setting['target']} ({setting['device']})", title_justify="left")
    for column in ("stage", "mean", "p50", "p90", "p99"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, latency in result.stages.items():
        figures = (latency.mean, latency.p50, latency.percentile(90), latency.percentile(99))
        table.add_row(stage, *(f"{value:.2f} ms" for value in figures))
    memory = "unknown" if result.peak_memory_mib is None else f"{result.peak_memory_mib:.0f} MiB"
    table.caption = (
        f"{setting['size']}, batch {setting['batch']}, CLIP branch in {result.clip_share:.0%} of the runs; "
        f"{result.frames_per_second:.1f} frames/s; peak memory {memory}"
    )
    table.caption_justify = "left"
    Console().print(table)
