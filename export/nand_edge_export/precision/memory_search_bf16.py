"""PatchCore's search for the nearest patch as one product that gives squared distances, for engines in bfloat16.

Such an engine rounds what a product gives to 8 significant bits. Of |m|^2 - 2 f m, to which |f|^2 is added, that leaves
little where the distance is small. Here the product itself adds all three, as [f, 1, |f|^2] times [-2 m, |m|^2, 1], the
squared lengths in three parts of 8 bits each. So the rounding is a 500th of the distance at most, however short it is.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from nand_edge_export.graph.builder import Builder
from nand_edge_export.precision.search_pattern import MemorySearch, find_search, replace_value

BLOCK = 256
"""Columns of one product, which stays in a core's cache until its minimum is taken."""

# The factors' rows come in so many, or OpenVINO 2026.4 takes twice as long.
_ROWS = 32
_PARTS = 3
_LAST_AXIS = 2


def search_in_bf16(model: onnx.ModelProto) -> bool:
    """Let a model's PatchCore search its memory by a product that gives squared distances; in place.

    Frames' and memory's features are rounded to bfloat16, all else is exact until the engine rounds. The small nodes
    around the product, which should stay in float32 then, have `/precise_` in their names.

    Args:
        model: An exported bundle's, with its weights inside.

    Returns:
        Whether there is such a search in the model; if not, nothing was changed.
    """
    search = find_search(model.graph)
    if search is None:
        return False
    builder = Builder()
    precise, squared = _write(builder, search)
    replace_value(model.graph, search.squared, builder, squared, precise)
    return True


def as_bfloat16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round finite float32 values to the nearest bfloat16, even where two are as near."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    back: NDArray[np.float32] = rounded.view(np.float32)
    return back


def factors_of(memory: NDArray[np.float32]) -> NDArray[np.float32]:
    """The right-hand side of the product for a memory float32 [M, C], all of it bfloat16: float32 [K, M].

    Rows: -2 m, three parts of |m|^2, three times 1, then 0 up to a multiple of 32.
    """
    patches = as_bfloat16(memory)
    left = np.square(patches, dtype=np.float64).sum(axis=1)
    rows = [*(-2.0 * patches.T)]
    for _ in range(_PARTS):
        rows.append(as_bfloat16(left.astype(np.float32)))
        left = left - rows[-1]
    rows += [np.ones(len(memory), np.float32)] * _PARTS
    rows += [np.zeros(len(memory), np.float32)] * (-len(rows) % _ROWS)
    return np.stack(rows)


def _write(builder: Builder, search: MemorySearch) -> tuple[frozenset[str], str]:
    """Write the new search; give the names of the values that need float32, and that of the squared distances."""
    op, constant = builder.op, builder.constant
    factors = factors_of(search.memory)
    patches = _rounded(builder, search.features)
    squares = left = op("ReduceSum", op("Mul", patches, patches), constant([_LAST_AXIS]), keepdims=1)
    parts = []
    for _ in range(_PARTS):
        parts.append(_rounded(builder, left))
        left = op("Sub", left, parts[-1])
    ones = op("Pad", patches, constant([0, 0, 0, 0, 0, _PARTS]), constant(1.0))
    left_side = op("Concat", ones, *parts, axis=_LAST_AXIS)
    filling = len(factors) - search.memory.shape[1] - 2 * _PARTS
    if filling:
        left_side = op("Pad", left_side, constant([0, 0, 0, 0, 0, filling]), constant(0.0))
    precise = {output for node in builder.nodes for output in node.output}
    products = (
        op("MatMul", left_side, constant(factors[:, start : start + BLOCK], "block"))
        for start in range(0, factors.shape[1], BLOCK)
    )
    axis = constant([_LAST_AXIS])
    least = op("Concat", *(op("ReduceMin", product, axis, keepdims=1) for product in products), axis=_LAST_AXIS)
    nearest = op("ReduceMin", least, axis, keepdims=0)
    # 0, or NaN where a feature is: an engine's minimum may leave a NaN out.
    length = op("Squeeze", squares, axis)
    no_number = op("Sub", length, length)
    result = op("Add", nearest, no_number)
    return frozenset(precise | {length, no_number}), result


def _rounded(builder: Builder, value: str) -> str:
    return builder.op("Cast", builder.op("Cast", value, to=TensorProto.BFLOAT16), to=TensorProto.FLOAT)
