"""Finding PatchCore's search for the nearest patch in an exported graph, and putting another in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from nand_edge_export.graph.builder import Builder
from nand_edge_export.graph.nodes import all_nodes, reads, renamed_node
from nand_edge_export.precision.nested import constants

PRECISE = "precise_"
"""What the names of nodes begin with, after the prefix, that should run in float32 whatever else an engine runs in."""

_PREFIX = "detector/memory_search"


@dataclass(frozen=True)
class MemorySearch:
    """The search as an exported PatchCore has it: |f|^2 and the least of |m|^2 - 2 f m over a memory's patches m.

    Attributes:
        features: Name of the frames' features f, float32 [N, P, C].
        with_one: Name of the same with a 1 after each patch's features, [N, P, C + 1].
        squares: Name of |f|^2, [N, P].
        squared: Name of the result, the squared distance to the nearest patch of the memory, [N, P].
        factors: float32 [C + 1, M]: -2 m, and |m|^2 in the last row.
        memory: float32 [M, C], the patches m.
    """

    features: str
    with_one: str
    squares: str
    squared: str
    factors: NDArray[np.float32]
    memory: NDArray[np.float32]


def find_search(graph: onnx.GraphProto) -> MemorySearch | None:
    """Find the search of an exported PatchCore; None where there is none, as with another base detector.

    Args:
        graph: The outer graph of a model with its weights inside.
    """
    finder = _Finder(graph)
    found = (finder.after(node) for node in graph.node if node.op_type == "Pad")
    return next((search for search in found if search is not None), None)


def replace_value(
    graph: onnx.GraphProto, replaced: str, builder: Builder, result: str, precise: frozenset[str] = frozenset()
) -> None:
    """Let a value of a graph be made in another way; in place.

    Args:
        graph: The graph. What only the old way needed goes from it.
        replaced: The value's name.
        builder: With the new nodes, which read values of the graph by their names.
        result: The builder's value that takes the replaced one's name.
        precise: Values of the builder whose names shall begin with `PRECISE`.
    """
    own = {output for node in builder.nodes for output in node.output} | set(builder.initializers)

    def rename(value: str) -> str:
        if value == result:
            return replaced
        return f"{_PREFIX}/{PRECISE if value in precise else ''}{value}" if value in own else value

    nodes = list(graph.node)
    place = next(index for index, node in enumerate(nodes) if replaced in node.output)
    nodes[place : place + 1] = [renamed_node(node, rename) for node in builder.nodes]
    for name, tensor in builder.initializers.items():
        tensor.name = rename(name)
    read = {output.name for output in graph.output}
    kept = []
    for node in reversed(nodes):
        if not read.isdisjoint(node.output):
            kept.append(node)
            read |= reads(node)
    tensors = [tensor for tensor in (*graph.initializer, *builder.initializers.values()) if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(tensors)


class _Finder:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self._constants: Mapping[str, TensorProto] = constants(graph)
        self._makers = {output: node for node in graph.node for output in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in all_nodes(graph.node):
            for name in filter(None, node.input):
                self._readers.setdefault(name, []).append(node)
        self._shown = {output.name for output in graph.output}

    def after(self, pad: onnx.NodeProto) -> MemorySearch | None:
        """The search that reads what this node adds a 1 to."""
        if not self._adds_one(pad):
            return None
        blocks = {
            least: self._array(product.input[1])
            for product in self._readers.get(pad.output[0], [])
            if (least := self._least_of(product)) is not None
        }
        nearest = self._joined(set(blocks)) if blocks else None
        addition = self._only_reader(nearest) if nearest else None
        if nearest is None or addition is None or addition.op_type != "Add":
            return None
        squares = next((name for name in addition.input if name != nearest), "")
        if not self._are_squares(squares, pad.input[0]) or len({len(block) for block in blocks.values()}) > 1:
            return None
        factors = np.concatenate(list(blocks.values()), axis=1)
        memory = np.ascontiguousarray(factors[:-1].T / np.float32(-2.0))
        if not np.allclose(factors[-1], np.square(memory, dtype=np.float64).sum(axis=1), rtol=1e-3, atol=1e-6):
            return None
        return MemorySearch(pad.input[0], pad.output[0], squares, addition.output[0], factors, memory)

    def _adds_one(self, pad: onnx.NodeProto) -> bool:
        """Whether it puts a 1 after the last axis of three, and nothing anywhere else."""
        mode = next((attribute.s for attribute in pad.attribute if attribute.name == "mode"), b"constant")
        if mode != b"constant" or len([name for name in pad.input if name]) != 3:
            return False
        return self._is(pad.input[1], [0, 0, 0, 0, 0, 1]) and self._is(pad.input[2], 1.0)

    def _least_of(self, product: onnx.NodeProto) -> str | None:
        """The least of each row of a product with constant factors."""
        factors = self._constants.get(product.input[1]) if product.op_type == "MatMul" else None
        if factors is None or len(factors.dims) != 2 or factors.data_type != TensorProto.FLOAT:
            return None
        least = self._only_reader(product.output[0])
        return str(least.output[0]) if least is not None and self._reduces_last(least, "ReduceMin") else None

    def _reduces_last(self, node: onnx.NodeProto, kind: str) -> bool:
        keeps = next((attribute.i for attribute in node.attribute if attribute.name == "keepdims"), 1)
        if node.op_type != kind or keeps or len(node.input) != 2:
            return False
        return self._is(node.input[1], [2]) or self._is(node.input[1], [-1])

    def _joined(self, minima: set[str]) -> str | None:
        """Follow the nodes `Min` that join the blocks' minima to the one value that is left."""
        values = set(minima)
        while len(values) > 1:
            followers = (self._only_reader(value) for value in sorted(values))
            joins = (node for node in followers if node is not None and node.op_type == "Min")
            joint = next((node for node in joins if values.issuperset(node.input)), None)
            if joint is None:
                return None
            values = (values - set(joint.input)) | {joint.output[0]}
        return values.pop()

    def _are_squares(self, value: str, features: str) -> bool:
        """Whether a value is the sum of the squares of each patch's features."""
        total = self._makers.get(value)
        if total is None or not self._reduces_last(total, "ReduceSum"):
            return False
        power = self._makers.get(total.input[0])
        if power is None or power.input[0] != features:
            return False
        by_itself = power.op_type == "Mul" and power.input[1] == features
        return by_itself or (power.op_type == "Pow" and self._is(power.input[1], 2.0))

    def _only_reader(self, value: str) -> onnx.NodeProto | None:
        readers = self._readers.get(value, [])
        return readers[0] if len(readers) == 1 and value not in self._shown else None

    def _array(self, name: str) -> NDArray[Any]:
        return numpy_helper.to_array(self._constants[name])

    def _is(self, name: str, value: float | list[int]) -> bool:
        return name in self._constants and bool(self._array(name).tolist() == value)
