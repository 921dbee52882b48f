"""PatchCore's search for the nearest patch in 8 bits, exact all the same: integers say where to look, float32 looks.

The memory is sorted into blocks of patches that are near each other. Integer products give every patch of a frame its
rounded distances to all patches of the memory, of which only the least of each block is kept. Where a block's least is
within rounding of the least of all, float32 computes the distances to that whole block, as the graph did before. All
that is left of the rounding is that, once in very many patches, the nearest stands in a block that was not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from nand_edge_export.graph.builder import OPSET, Builder
from nand_edge_export.precision.search_pattern import MemorySearch, find_search, replace_value

BLOCK = 256
"""Patches of the memory in a block: its products with a frame's thousand patches stay in a core's cache."""

FEWEST_PATCHES = 1000
"""A search of a smaller memory is as fast in float32."""

# 7 bits for the memory: processors without VNNI add two products in 16 bits and would cut off what does not fit.
_MEMORY_LEVELS = 64
FRAME_LEVELS = 127
FRAME_ZERO = 128
# Patches whose numbers are this share of the memory's largest one, or less, get the finest steps.
_FINEST = 1.0 / 8.0
# By how many standard deviations of the rounding a block's least may be above the least of all.
_DEVIATIONS = 4.0
_POWER_ITERATIONS = 6


def search_in_int8(model: onnx.ModelProto, *, block: int = BLOCK, fewest_patches: int = FEWEST_PATCHES) -> bool:
    """Let a model's PatchCore search its memory in 8 bits first; in place, for ONNX Runtime.

    Distances are those of the model to within float32's rounding, but for about one patch in 100,000, whose distance is
    then that to another near patch. Frames of a batch do not change each other's distances. A patch with a NaN has the
    distance NaN.

    Args:
        model: An exported bundle's, with its weights inside.
        block: Most patches in a block.
        fewest_patches: A smaller memory is searched as before.

    Returns:
        Whether there is such a search in the model and a memory that is large enough; if not, nothing was changed.
    """
    search = find_search(model.graph)
    if search is None or len(search.memory) < fewest_patches:
        return False
    memory = IntegerMemory.of(search.memory)
    if memory is None or all(opset.version < OPSET for opset in model.opset_import if opset.domain in ("", "ai.onnx")):
        return False
    builder = Builder()
    squared = _Writer(builder, search, memory, blocks_of_near(search.memory, block)).write()
    replace_value(model.graph, search.squared, builder, squared)
    return True


@dataclass(frozen=True)
class IntegerMemory:
    """A memory as integers, whose products with a patch's integers rank by distance.

    A patch f is rounded to whole steps of `unit` / k, with the largest k from 1 to 127 that lets 8 bits hold it. So
    patches far from the memory are held too. In `places` more places its integers have k.

    Attributes:
        columns: int8 [C + places, M], from -64 to 64: -m, then parts of half the squared length.
        step: What 1 stands for in -m.
        unit: What `columns` say of f, see above.
        places: How many parts the length has.
        offset: What the parts lack of half the squared length.
    """

    columns: NDArray[np.int8]
    step: float
    unit: float
    places: int
    offset: float

    @classmethod
    def of(cls, memory: NDArray[np.float32]) -> IntegerMemory | None:
        """Round a memory float32 [M, C]; None where all of it is 0 or something is not finite.

        The squared length is that of the rounded patch. So products give the distance to the rounded patch, whose error
        shrinks with the distance; with the exact length it would grow with the length.
        """
        largest = float(np.abs(memory).max(initial=0.0))
        if not math.isfinite(largest) or largest <= np.finfo(np.float32).eps:
            return None
        step = largest / _MEMORY_LEVELS
        integers = np.rint(memory / np.float32(step)).astype(np.int64)
        halves = np.square(integers).sum(axis=1) * (step * step / 2.0)
        offset = float(halves.min() + halves.max()) / 2.0
        reach = float(halves.max()) - offset
        # Finer lengths take more places, finer patches need smaller units.
        most = max(8, memory.shape[1] // 8)
        unit = max(largest * _FINEST, reach / (step * _MEMORY_LEVELS * most))
        whole = np.rint((halves - offset) / (step * unit)).astype(np.int64)
        places = max(1, -(-int(np.abs(whole).max()) // _MEMORY_LEVELS))
        each, left = np.divmod(whole[:, None], places)
        parts = each + (np.arange(places) < left)
        return cls(np.concatenate([-integers, parts], axis=1).T.astype(np.int8), step, unit, places, offset)


def blocks_of_near(memory: NDArray[np.float32], block: int) -> list[NDArray[np.int64]]:
    """Sort a memory float32 [M, C] into blocks of at most so many patches, near ones together.

    The memory is cut again and again across the direction in which it is longest. Blocks differ by few patches in size.

    Returns:
        For each block the rows of the memory that are in it.
    """
    return _cut(memory, np.arange(len(memory)), -(-len(memory) // block))


def _cut(memory: NDArray[np.float32], rows: NDArray[np.int64], blocks: int) -> list[NDArray[np.int64]]:
    if blocks == 1:
        return [rows]
    patches = memory[rows] - memory[rows].mean(axis=0)
    direction = patches[np.argmax(np.square(patches).sum(axis=1))]
    for _ in range(_POWER_ITERATIONS):
        longer = patches.T @ (patches @ direction)
        length = np.linalg.norm(longer)
        direction = longer / length if length > 0 else direction
    order = rows[np.argsort(patches @ direction, kind="stable")]
    middle = len(rows) * (blocks // 2) // blocks
    return _cut(memory, order[:middle], blocks // 2) + _cut(memory, order[middle:], blocks - blocks // 2)


class _Writer:
    """Writes the new search; R is N x P, and shapes are those of the values that methods take and give."""

    def __init__(
        self, builder: Builder, search: MemorySearch, memory: IntegerMemory, blocks: Sequence[NDArray[np.int64]]
    ) -> None:
        self._builder, self._search, self._memory, self._blocks = builder, search, memory, blocks
        self._width = search.memory.shape[1]

    def write(self) -> str:
        """Give the name of the squared distances, [N, P]."""
        op, constant = self._builder.op, self._builder.constant
        patches = op("Reshape", self._search.features, constant([-1, self._width]))
        highest = op("ReduceMax", patches, constant([1]), keepdims=1)
        reach = op("Max", highest, op("Neg", op("ReduceMin", patches, constant([1]), keepdims=1)))
        wanted = op("Floor", op("Div", constant(FRAME_LEVELS * self._memory.unit), reach))
        fineness = op("Max", op("Min", wanted, constant(float(FRAME_LEVELS))), constant(1.0))
        least = self._least_of_blocks(patches, fineness)
        # Of a patch that 8 bits cut off they know too little: it is compared with all of the memory.
        looked_at = op(
            "Or", self._near(least, fineness), op("Reshape", op("Less", wanted, fineness), constant([1, -1]))
        )
        nearest = self._looked_up(patches, looked_at)
        shaped = op("Reshape", nearest, op("Shape", self._search.features, end=2))
        return op("Add", shaped, self._search.squares)

    def _least_of_blocks(self, patches: str, fineness: str) -> str:
        """From patches [R, C], k [R, 1] to the least squared distance, less |f|^2, in each block; [blocks, R]."""
        op, constant = self._builder.op, self._builder.constant
        zero = constant(np.array(FRAME_ZERO, np.uint8))
        unit = constant(np.array(self._memory.unit, np.float32))
        integers = op("QuantizeLinear", op("Mul", patches, fineness), unit, zero)
        ones = op("Cast", op("Add", fineness, constant(float(FRAME_ZERO))), to=TensorProto.UINT8)
        integers = op("Concat", integers, *[ones] * self._memory.places, axis=1)
        least = []
        # Nodes run in this order: each product is reduced while it is in the cache.
        for rows in self._blocks:
            product = op("MatMulInteger", integers, constant(self._memory.columns[:, rows], "integers"), zero)
            least.append(op("ReduceMin", product, constant([1]), keepdims=0))
        together = op("Reshape", op("Concat", *least, axis=0), constant([len(least), -1]))
        each = op("Div", op("Cast", together, to=TensorProto.FLOAT), op("Reshape", fineness, constant([1, -1])))
        worth = constant(2.0 * self._memory.step * self._memory.unit)
        return op("Add", op("Mul", each, worth), constant(2.0 * self._memory.offset))

    def _near(self, least: str, fineness: str) -> str:
        """In which blocks the nearest patch may be for all that rounding tells, bool [blocks, R]."""
        op, constant = self._builder.op, self._builder.constant
        least_of_all = op("ReduceMin", least, constant([0]), keepdims=1)
        squared = op(
            "Max", op("Add", least_of_all, op("Reshape", self._search.squares, constant([1, -1]))), constant(0.0)
        )
        # Rounding shifts a squared distance in proportion to the distance, and two of them are compared. Whole steps
        # are off by the 12th part of their square in the mean.
        frame_step = op("Div", constant(self._memory.unit), op("Reshape", fineness, constant([1, -1])))
        steps = op("Add", op("Mul", frame_step, frame_step), constant(self._memory.step**2))
        shift = op("Mul", op("Sqrt", op("Mul", squared, steps)), constant(_DEVIATIONS * math.sqrt(8.0 / 12.0)))
        # Lengths, too, are rounded to whole steps.
        margin = op("Add", shift, constant(2.0 * self._memory.step * self._memory.unit))
        return op("LessOrEqual", least, op("Add", least_of_all, margin))

    def _looked_up(self, patches: str, looked_at: str) -> str:
        """The exact least of |m|^2 - 2 f m in these blocks, [R]."""
        op, constant = self._builder.op, self._builder.constant
        # Pairs of a block and a patch, sorted by block.
        places = op("Gather", op("NonZero", looked_at), constant(np.array(1)), axis=0)
        counts = op("ReduceSum", op("Cast", looked_at, to=TensorProto.INT64), constant([1]), keepdims=0)
        with_one = op("Reshape", self._search.with_one, constant([-1, self._width + 1]))
        parts = [self._builder.name("part") for _ in self._blocks]
        split = [op("Gather", with_one, places, axis=0), counts]
        self._builder.nodes.append(helper.make_node("Split", split, parts, name=self._builder.name("split"), axis=0))
        found = []
        for part, rows in zip(parts, self._blocks, strict=True):
            product = op("MatMul", part, constant(self._search.factors[:, rows], "block"))
            found.append(op("ReduceMin", product, constant([1]), keepdims=0))
        # A patch with a NaN is looked up nowhere: it stays infinitely far, and |f|^2, added next, is NaN.
        nowhere = op("Expand", constant(np.array(np.inf, np.float32)), op("Shape", patches, end=1))
        return op("ScatterElements", nowhere, places, op("Concat", *found, axis=0), axis=0, reduction="min")
