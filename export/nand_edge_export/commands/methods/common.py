"""Options that several methods have, and what options go through."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nand_edge.errors import NandEdgeError

InputSize = Annotated[int | None, typer.Option(help="Side that frames are resized to, pixels.")]
ClipName = Annotated[str | None, typer.Option(help="nand-tiny, MODEL:TAG, MODEL:FILE or MODEL:random.")]
ObjectName = Annotated[str | None, typer.Option("--object", help='What is inspected, such as "solar cell".')]
ShotsText = Annotated[
    str | None, typer.Option(help="Reference frames: a folder of them, or how many of the good frames are drawn.")
]


def given(**options: Any) -> dict[str, Any]:
    """The options that are not None, so that all others keep their defaults."""
    return {name: value for name, value in options.items() if value is not None}


def required_object(object_name: str | None) -> str:
    """The object's name.

    Raises:
        NandEdgeError: None was given.
    """
    if object_name is None or not object_name.strip():
        raise NandEdgeError(
            "--object", found="none", needed="what is inspected, in words", do='give --object "solar cell", say'
        )
    return object_name


def parse_taps(taps: str | None) -> tuple[int, ...] | None:
    """Taps as numbers.

    Raises:
        NandEdgeError: The text is something else.
    """
    if taps is None:
        return None
    try:
        return tuple(int(tap) for tap in taps.split(","))
    except ValueError:
        raise NandEdgeError(
            "--taps", found=repr(taps), needed="whole numbers with commas between", do="give 6,12,18,24, say"
        ) from None
