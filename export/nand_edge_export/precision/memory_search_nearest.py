"""PatchCore's search for the nearest patch in 8 bits for engines that want fixed shapes: candidates, then exactly.

OpenVINO prepares a product anew for each number of rows, so it cannot look up as many blocks as a patch needs
(`memory_search`). Here the integers choose four patches of the memory, of four blocks, and float32 computes the
distances to them. They need not know all of a patch for that: most of what tells the memory's patches apart lies in few
directions, and in these alone they compare. Where that left out the nearest patch, another is about as near: a distance
is never too short, and in one patch of a thousand too long by more than a 50th of the unit.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from nand_edge_export.graph.builder import Builder
from nand_edge_export.precision.memory_search import BLOCK, FEWEST_PATCHES, FRAME_LEVELS, FRAME_ZERO, IntegerMemory
from nand_edge_export.precision.search_pattern import MemorySearch, find_search, replace_value

# Of so many blocks the nearest patch by integers is compared exactly.
_CANDIDATES = 4
# The directions in which the memory varies most, as many as hold this share of its variance. Measured on features of
# solar cells: 0.95 leaves about the errors that 8 bits alone leave in all directions, 0.9 twice as much.
_SHARE = 0.95
_DIRECTIONS_STEP = 16
_LAST_AXIS = 2


def nearest_in_int8(model: onnx.ModelProto, *, fewest_patches: int = FEWEST_PATCHES) -> bool:
    """Let a model's PatchCore choose patches of its memory by 8-bit products; in place, for OpenVINO.

    The products stand as `QuantizeLinear`, `DequantizeLinear` and `MatMul`, which OpenVINO fuses; it runs
    `MatMulInteger` in float32.

    Args:
        model: An exported bundle's, with its weights inside.
        fewest_patches: A smaller memory is searched as before.

    Returns:
        Whether there is such a search in the model and a memory that is large enough; if not, nothing was changed.
    """
    search = find_search(model.graph)
    if search is None or len(search.memory) < fewest_patches or not np.isfinite(search.memory).all():
        return False
    centre, directions = leading_directions(search.memory)
    memory = IntegerMemory.of(np.asarray((search.memory - centre) @ directions, np.float32))
    if memory is None:
        return False
    builder = Builder()
    shifted = builder.op("Sub", search.features, builder.constant(centre))
    turned = builder.op("MatMul", shifted, builder.constant(directions, "directions"))
    replace_value(model.graph, search.squared, builder, _write(builder, search, turned, memory))
    return True


def leading_directions(memory: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The memory's mean, float32 [C], and the directions from there in which it varies most, float32 [C, D].

    They hold most of the variance of a memory float32 [M, C]; D is a multiple of 16, or C.
    """
    centre = memory.mean(axis=0, dtype=np.float64)
    patches = memory - centre
    variances, directions = np.linalg.eigh(patches.T @ patches)
    held = np.cumsum(np.maximum(variances[::-1], 0.0))
    fewest = int(np.searchsorted(held, _SHARE * held[-1])) + 1
    count = min(-(-fewest // _DIRECTIONS_STEP) * _DIRECTIONS_STEP, memory.shape[1])
    return centre.astype(np.float32), directions[:, ::-1][:, :count].astype(np.float32)


def _write(builder: Builder, search: MemorySearch, turned: str, memory: IntegerMemory) -> str:
    """Write the new search and give the name of the squared distances, [N, P].

    Args:
        builder: Takes the nodes.
        search: The one that it replaces.
        turned: Name of the features in the directions of the memory's integers, [N, P, D].
        memory: These integers.
    """
    op, constant = builder.op, builder.constant
    rounded, axis = _rounded(builder, turned, memory), constant([_LAST_AXIS])
    step, no_shift = constant(np.array(memory.step, np.float32)), constant(np.array(0, np.int8))
    least, places = [], []
    for start in range(0, memory.columns.shape[1], BLOCK):
        columns = constant(memory.columns[:, start : start + BLOCK], "integers")
        value, place = _least(builder, op("MatMul", rounded, op("DequantizeLinear", columns, step, no_shift)), 1)
        least.append(value)
        places.append(place)
    _, blocks = _least(builder, op("Concat", *least, axis=_LAST_AXIS), min(_CANDIDATES, len(least)))
    within = op("GatherElements", op("Concat", *places, axis=_LAST_AXIS), blocks, axis=_LAST_AXIS)
    nearest = op("Add", op("Mul", blocks, constant([BLOCK])), within)
    patches = op("Gather", constant(search.memory, "memory"), nearest, axis=0)  # [N, P, candidates, C]
    apart = op("Sub", op("Unsqueeze", search.features, axis), patches)
    squared = op("ReduceSum", op("Mul", apart, apart), constant([_LAST_AXIS + 1]), keepdims=0)
    # 0, or NaN where a feature is: an engine's minimum may leave a NaN out.
    no_number = op("Sub", search.squares, search.squares)
    return op("Add", op("ReduceMin", squared, axis, keepdims=0), no_number)


def _rounded(builder: Builder, features: str, memory: IntegerMemory) -> str:
    """Give features [N, P, C] times each patch's k, and the other places, rounded: [N, P, C + places]."""
    op, constant = builder.op, builder.constant
    axis = constant([_LAST_AXIS])
    highest = op("ReduceMax", features, axis, keepdims=1)
    reach = op("Max", highest, op("Neg", op("ReduceMin", features, axis, keepdims=1)))
    wanted = op("Floor", op("Div", constant(FRAME_LEVELS * memory.unit), reach))
    fineness = op("Max", op("Min", wanted, constant(float(FRAME_LEVELS))), constant(1.0))
    ones = op("Mul", fineness, constant(np.full(memory.places, memory.unit, np.float32)))
    unit, zero = constant(np.array(memory.unit, np.float32)), constant(np.array(FRAME_ZERO, np.uint8))
    exact = op("Concat", op("Mul", features, fineness), ones, axis=_LAST_AXIS)
    return op("DequantizeLinear", op("QuantizeLinear", exact, unit, zero), unit, zero)


def _least(builder: Builder, values: str, count: int) -> tuple[str, str]:
    """Give the names of the least along the last axis and of their places, [N, P, count] each."""
    names = [builder.name("least"), builder.name("place")]
    inputs = [values, builder.constant([count])]
    node = helper.make_node("TopK", inputs, names, name=names[0], axis=_LAST_AXIS, largest=0, sorted=0)
    builder.nodes.append(node)
    return names[0], names[1]
