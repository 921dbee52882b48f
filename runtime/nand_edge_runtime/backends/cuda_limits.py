"""What an engine's profile lets through, said in a user's words where something does not fit."""

from __future__ import annotations

from collections.abc import Mapping

from nand_edge.errors import NandEdgeError
from nand_edge.signature import FRAMES, NORMALITY_FEATURES

Shape = tuple[int, ...]
Limits = Mapping[str, tuple[Shape, Shape]]
"""Smallest and largest shape of each input that has free dimensions."""

_NAMES = {
    FRAMES: {0: "frames in one batch", 1: "pixels of height", 2: "pixels of width"},
    NORMALITY_FEATURES: {0: "normalities in force", 3: "vectors of a normality a side"},
}
_WIDER = {
    FRAMES: {0: "--max-batch", 1: "--max-side", 2: "--max-side"},
    NORMALITY_FEATURES: {0: "--max-normalities", 3: "--max-vectors"},
}
_NARROWER = {FRAMES: {0: "--batches", 1: "--heights", 2: "--widths"}}
_HEIGHT, _WIDTH = 1, 2


def check_limits(engine: str, limits: Limits, name: str, shape: Shape) -> None:
    """Refuse a shape that the engine was not built for.

    Args:
        engine: The engine's file, for the message.
        limits: The engine's.
        name: The input.
        shape: Its shape.

    Raises:
        NandEdgeError: A dimension is outside.
    """
    least, most = limits.get(name, ((), ()))
    # A tensor with no free dimension has no profile: its limits are empty.
    if not shape or len(least) != len(shape):
        return
    for place, (value, low, high) in enumerate(zip(shape, least, most, strict=True)):
        if not low <= value <= high:
            raise _outside(engine, name, shape, place, (low, high))


def _outside(engine: str, name: str, shape: Shape, place: int, span: tuple[int, int]) -> NandEdgeError:
    low, high = span
    bound = f"at most {high}" if shape[place] > high else f"at least {low}"
    words = _NAMES.get(name, {}).get(place)
    if words is None:
        return NandEdgeError(
            f"engine {engine!r}",
            found=f"{name} of shape {list(shape)}",
            needed=f"{bound} along dimension {place}",
            do="give the inputs of the bundle's graph",
        )
    what = f"frame of {shape[_WIDTH]} x {shape[_HEIGHT]} pixels" if name == FRAMES and place else f"engine {engine!r}"
    options = _WIDER if shape[place] > high else _NARROWER
    option = options.get(name, {}).get(place, "limits")
    return NandEdgeError(
        what,
        found=f"{shape[place]} {words}",
        needed=f"{bound}, for which the engine was built",
        do=f"build the engine again with other {option}, or use the target onnx, which has no limits",
    )
