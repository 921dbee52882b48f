"""Options of a ready ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from nand_edge.errors import NandEdgeError
from nand_edge_export.commands.methods.common import given
from nand_edge_export.detectors.fit_onnx_model import OnnxModelMethod
from nand_edge_export.detectors.onnx_graph import MapRange
from nand_edge_export.detectors.onnx_interface import COLORS, LAYOUTS, RANGES, Choice, Wishes

Numbers = Annotated[str | None, typer.Option(help="One number, or one a channel, such as 0.485,0.456,0.406.")]


def onnx_model(
    *,
    onnx: Annotated[Path | None, typer.Option(help="The model, with an anomaly map among its outputs.")] = None,
    input_name: Annotated[str | None, typer.Option("--input", help="Its input that takes the frames.")] = None,
    map_output: Annotated[str | None, typer.Option(help="Its output that is the anomaly map.")] = None,
    layout: Annotated[str | None, typer.Option(help=f"Order of the input's axes: {' or '.join(LAYOUTS)}.")] = None,
    color: Annotated[str | None, typer.Option(help=f"Order of its channels: {', '.join(COLORS)}.")] = None,
    value_range: Annotated[
        str | None,
        typer.Option("--range", help=f"Range of its pixels, {' or '.join(RANGES)}, before mean and deviation."),
    ] = None,
    mean: Numbers = None,
    std: Numbers = None,
    size: Annotated[str | None, typer.Option(help="Height and width of its input, such as 256x320.")] = None,
    map_offset: Annotated[float | None, typer.Option(help="Added to its map, which must not fall below 0.")] = None,
    clamp_map: Annotated[bool | None, typer.Option("--clamp-map", help="Make its map 0 where it is below.")] = None,
) -> OnnxModelMethod:
    """An ONNX model with the options that were given; what is guessed of it is shown.

    Raises:
        NandEdgeError: No file was given, or an option has a value that it cannot have.
    """
    if onnx is None:
        raise NandEdgeError("--onnx", found="none", needed="an .onnx file", do="name the model's file")
    wishes = Wishes(
        input=input_name,
        map_output=map_output,
        layout=layout,
        color=color,
        range=value_range,
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        size=_size(size),
    )
    map_range = MapRange(**given(offset=map_offset, clamp=clamp_map))
    return OnnxModelMethod(onnx, wishes, map_range, on_choices=show_choices)


def show_choices(choices: Sequence[Choice]) -> None:
    """Show on stderr what was read or guessed of a model, and the options that change it."""
    table = Table("option of fit", "value", "why", title="what the model is taken for", title_justify="left")
    for choice in choices:
        table.add_row(choice.option, choice.value, choice.reason)
    Console(stderr=True).print(table)


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise NandEdgeError(
            option, found=repr(text), needed="one number, or one a channel with commas between", do="correct it"
        ) from None


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise NandEdgeError("--size", found=repr(text), needed="height x width such as 256x320", do="correct it")
    return int(height), int(width)
