"""The options of `nand-edge build` that TensorRT and TensorRT-RTX alone have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nand_edge_export.engines.tensorrt_options import HardwareCompatibility, Span, parse_span

_PANEL = "TensorRT and TensorRT-RTX"
_SPAN = "LEAST:USUAL:MOST"


def _of_sizes(help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        help=help_text, parser=parse_span, metavar=_SPAN, rich_help_panel=_PANEL, show_default=False
    )
    return option


Batches = Annotated[Span | None, _of_sizes("Frames in one run, as in 1:4:16 or 4; instead of --max-batch.")]
Heights = Annotated[Span | None, _of_sizes("Height of a frame, pixels; one number where it never changes.")]
Widths = Annotated[Span | None, _of_sizes("Width of a frame, pixels; one number where it never changes.")]
Normalities = Annotated[Span | None, _of_sizes("Normalities in force at once; instead of --max-normalities.")]
Vectors = Annotated[Span | None, _of_sizes("Vectors of a normality a side; instead of --max-vectors.")]
Workspace = Annotated[
    int | None,
    typer.Option(min=1, help="Most scratch memory, MiB.", rich_help_panel=_PANEL, show_default=False),
]
TimingCacheFile = Annotated[
    Path | None,
    typer.Option(
        help="TensorRT: where kernels' timings are kept for the next build; by default the user's cache folder.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
VersionCompatible = Annotated[
    bool,
    typer.Option(
        "--version-compatible", help="TensorRT: let later versions run the engine, too.", rich_help_panel=_PANEL
    ),
]
HardwareCompatible = Annotated[
    HardwareCompatibility,
    typer.Option(
        help="TensorRT: which other GPUs are to run it, too: of the same compute capability, or all from 8.0 on.",
        rich_help_panel=_PANEL,
    ),
]
Refit = Annotated[
    bool,
    typer.Option("--refit", help="Let weights be exchanged later; normalities need no refit.", rich_help_panel=_PANEL),
]
Strip = Annotated[
    bool,
    typer.Option(
        "--strip", help="Leave the weights out; they come from the bundle's graph on loading.", rich_help_panel=_PANEL
    ),
]
WeightStreaming = Annotated[
    bool,
    typer.Option(
        "--weight-streaming", help="Keep weights that find no room on the GPU beside it.", rich_help_panel=_PANEL
    ),
]
Level = Annotated[
    int | None,
    typer.Option(
        min=0, max=5, help="TensorRT: how long kernels are searched for.", rich_help_panel=_PANEL, show_default=False
    ),
]
