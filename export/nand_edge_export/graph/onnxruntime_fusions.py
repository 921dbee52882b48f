"""A transformer's blocks in the operators that ONNX Runtime runs fastest, found in the graph as PyTorch exports it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from nand_edge_export.graph.nodes import all_nodes, reads

DOMAIN = "com.microsoft"
"""The domain of ONNX Runtime's own operators; since 1.17, on CPUs and on CUDA."""

_ROOT_OF_TWO = math.sqrt(2)
_LAYOUT_ONLY = ("Reshape", "Transpose", "Squeeze", "Unsqueeze")


def fused(graph: onnx.GraphProto) -> onnx.GraphProto:
    """The same graph, with what ONNX Runtime has faster operators for in the place of many small nodes.

    - Attention becomes `MultiHeadAttention`, which needs no room for the scores of all heads and moves no axis.
    - `x * (1 + erf(x / sqrt(2))) / 2` becomes `Gelu`.
    - A product with weights and the addition of a bias become one `Gemm` on rows [N * P, C].
    - Transpositions of a tap's tokens there and back are left out.

    What was tried and is slower there: `SkipLayerNormalization` (five times the time of `Add` and
    `LayerNormalization`), `BiasGelu` (twice that of `Gelu` behind a `Gemm`), and `Attention` on long sequences.
    Weights stay as they are, so that graphs of other targets share their bytes. Anything that is not found is left as
    it is; results differ by rounding alone.

    Args:
        graph: A graph without bodies, in topological order, with the shapes of its values in `value_info`.

    Returns:
        Another graph with the same inputs and outputs; a model that holds it must import `DOMAIN`, see `needs_domain`.
    """
    result = onnx.GraphProto()
    result.CopyFrom(graph)
    for find in (_attentions, _gelus, _linears, _token_transpositions):
        _replace(result, find(_Values(result)))
    return result


def needs_domain(graph: onnx.GraphProto) -> bool:
    """Whether a graph or a body in it has nodes of `DOMAIN`."""
    return any(node.domain == DOMAIN for node in all_nodes(graph.node))


@dataclass(frozen=True)
class _Replacement:
    """New nodes in the place of the one that gave `output`; what was behind it alone is dropped."""

    output: str
    nodes: tuple[onnx.NodeProto, ...]
    constants: tuple[onnx.TensorProto, ...] = ()


class _Values:
    """Where a graph's values come from, who reads them, and what is known of them."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self._producers = {name: node for node in graph.node for name in node.output if name}
        self._outputs = {value.name for value in graph.output}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in reads(node):
                self._readers.setdefault(name, []).append(node)
        self._shapes = {
            value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
            for value in (*graph.value_info, *graph.input, *graph.output)
        }

    def producer(self, name: str, *op_types: str) -> onnx.NodeProto | None:
        """The node that gives a value, if it is of one of these kinds."""
        node = self._producers.get(name)
        return node if node is not None and node.op_type in op_types else None

    def only_reader(self, node: onnx.NodeProto | None, *op_types: str) -> onnx.NodeProto | None:
        """The one node that reads a node's value, if it is of one of these kinds and nobody else needs the value."""
        if node is None or node.output[0] in self._outputs:
            return None
        readers = self._readers.get(node.output[0], [])
        return readers[0] if len(readers) == 1 and readers[0].op_type in op_types else None

    def shape(self, name: str) -> list[int]:
        """A value's sides, 0 for one that is not known; empty when nothing is known."""
        tensor = self._constants.get(name)
        return self._shapes.get(name, []) if tensor is None else list(tensor.dims)

    def is_constant(self, name: str) -> bool:
        """Whether a value is a constant."""
        return name in self._constants

    def constant(self, name: str) -> NDArray[Any] | None:
        """The numbers of a constant; None for any other value."""
        tensor = self._constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def number(self, name: str) -> float | None:
        """The number of a constant that has one alone."""
        tensor = self._constants.get(name)
        if tensor is None or math.prod(tensor.dims) != 1:
            return None
        return float(numpy_helper.to_array(tensor).reshape(-1)[0])

    def with_number(self, node: onnx.NodeProto | None) -> tuple[str, float] | None:
        """For a node of two inputs of which one is a number: the other input, and the number."""
        if node is None or len(node.input) != 2:
            return None
        for value, number in (node.input, reversed(node.input)):
            known = self.number(number)
            if known is not None and self.number(value) is None:
                return value, known
        return None


def _attentions(values: _Values) -> Iterable[_Replacement]:
    for node in values.graph.node:
        if node.op_type == "Softmax":
            found = _attention(values, node)
            if found is not None:
                yield found


def _attention(values: _Values, softmax: onnx.NodeProto) -> _Replacement | None:
    """Self-attention without a mask on rows [P, N, C], as `torch.nn.MultiheadAttention` is exported."""
    sides = _sides(values, softmax)
    mixed = values.only_reader(softmax, "MatMul")
    output = values.only_reader(values.only_reader(values.only_reader(mixed, "Transpose"), "Reshape"), "Gemm")
    last = values.only_reader(values.only_reader(output, "Reshape"), "Transpose")
    if sides is None or output is None or last is None:
        return None
    added = values.producer(sides[0].source, "Add")
    product = values.producer(added.input[0], "MatMul") if added is not None else None
    turned = values.producer(product.input[0], "Transpose") if product is not None else None
    if (
        added is None
        or product is None
        or turned is None
        or not _permutation(turned) == _permutation(last) == [1, 0, 2]
    ):
        return None
    weights, bias = product.input[1], added.input[1]
    heads, rows, width = sides[0].heads[1:]
    channels = heads * width
    if values.shape(weights) != [channels, 3 * channels] or values.shape(bias) != [3 * channels]:
        return None
    name, parts = f"{last.output[0]}/attention", ("query", "key", "value")
    rows_2d, rows_3d = _shape(f"{name}/rows", [-1, channels]), _shape(f"{name}/batch", [-1, rows, channels])
    scale = sides[0].scale * sides[1].scale
    split, joined = [f"{name}/{part}_rows" for part in parts], [f"{name}/{part}" for part in parts]
    mix = _node("MultiHeadAttention", joined, [f"{name}/mixed"], domain=DOMAIN, num_heads=heads, scale=scale)
    nodes = (
        _node("Reshape", [turned.input[0], rows_2d.name], [f"{name}/input"]),
        _node("Gemm", [f"{name}/input", weights, bias], [f"{name}/projected"]),
        _node("Split", [f"{name}/projected"], split, axis=1, num_outputs=3),
        *(_node("Reshape", [part, rows_3d.name], [whole]) for part, whole in zip(split, joined, strict=True)),
        mix,
        _node("Reshape", [f"{name}/mixed", rows_2d.name], [f"{name}/mixed_rows"]),
        _like(output, [f"{name}/mixed_rows", *output.input[1:]], [f"{name}/output"]),
        _node("Reshape", [f"{name}/output", rows_3d.name], [last.output[0]]),
    )
    return _Replacement(last.output[0], nodes, (rows_2d, rows_3d))


@dataclass(frozen=True)
class _Side:
    """What a side of an attention is made of: a third of `source`, times `scale`, split into heads [N, H, P, D]."""

    source: str
    part: int
    scale: float
    heads: tuple[int, ...]


def _sides(values: _Values, softmax: onnx.NodeProto) -> list[_Side] | None:
    """Query, key and value around a softmax, if they are the three thirds of one value in this order."""
    scores, mixed = values.producer(softmax.input[0], "MatMul"), values.only_reader(softmax, "MatMul")
    if scores is None or mixed is None or mixed.input[0] != softmax.output[0]:
        return None
    found = [_side(values, name) for name in (*scores.input, mixed.input[1])]
    sides = [side for side in found if side is not None]
    thirds = [side.part for side in sides] == [0, 1, 2] and len({side.source for side in sides}) == 1
    return sides if thirds and len(sides[0].heads) == 4 and sides[2].scale == 1.0 else None


def _side(values: _Values, name: str) -> _Side | None:
    scale: float = 1.0
    heads: tuple[int, ...] = ()
    while (node := values.producer(name, "Mul", "Gather", *_LAYOUT_ONLY)) is not None and node.op_type != "Gather":
        if node.op_type == "Mul":
            scaled = values.with_number(node)
            if scaled is None:
                return None
            name, factor = scaled
            scale *= factor
            continue
        shape = values.constant(node.input[1]) if node.op_type == "Reshape" else None
        if shape is not None and shape.size == 4:
            heads = tuple(int(side) for side in shape)
        name = node.input[0]
    part = None if node is None else values.number(node.input[1])
    if node is None or part is None:
        return None
    name = node.input[0]
    while (behind := values.producer(name, *_LAYOUT_ONLY)) is not None:
        name = behind.input[0]
    return _Side(name, int(part), scale, heads)


def _gelus(values: _Values) -> Iterable[_Replacement]:
    for erf in values.graph.node:
        if erf.op_type != "Erf":
            continue
        divided = values.with_number(values.producer(erf.input[0], "Div"))
        plus = values.only_reader(erf, "Add")
        half = values.only_reader(plus, "Mul")
        last = values.only_reader(half, "Mul")
        if divided is None or last is None:
            continue
        one, factor = values.with_number(plus), values.with_number(half)
        if one is None or factor is None or (one[1], factor[1]) != (1.0, 0.5):
            continue
        if abs(divided[1] - _ROOT_OF_TWO) < 1e-6 and divided[0] in last.input:
            yield _Replacement(last.output[0], (_node("Gelu", [divided[0]], [last.output[0]], domain=DOMAIN),))


def _linears(values: _Values) -> Iterable[_Replacement]:
    """Products of rows [N, P, C] with weights [C, D], and the bias [D] added to them."""
    for added in values.graph.node:
        if added.op_type != "Add":
            continue
        product = values.producer(added.input[0], "MatMul")
        if product is None or values.only_reader(product, "Add") is None:
            continue
        weights, bias = product.input[1], added.input[1]
        sides, shape = values.shape(weights), values.shape(added.output[0])
        if not values.is_constant(weights) or not values.is_constant(bias) or values.shape(bias) != sides[1:]:
            continue
        if len(sides) != 2 or len(shape) != 3 or shape[1] == 0 or shape[2] != sides[1]:
            continue
        name = f"{added.output[0]}/linear"
        rows_2d, rows_3d = _shape(f"{name}/rows", [-1, sides[0]]), _shape(f"{name}/batch", [-1, *shape[1:]])
        nodes = (
            _node("Reshape", [product.input[0], rows_2d.name], [f"{name}/input"]),
            _node("Gemm", [f"{name}/input", weights, bias], [f"{name}/output"]),
            _node("Reshape", [f"{name}/output", rows_3d.name], [added.output[0]]),
        )
        yield _Replacement(added.output[0], nodes, (rows_2d, rows_3d))


def _token_transpositions(values: _Values) -> Iterable[_Replacement]:
    """Tokens [N, P, C] that become channels [N, C, P] and tokens again."""
    for back in values.graph.node:
        if back.op_type != "Transpose" or _permutation(back) != [0, 2, 1]:
            continue
        same = values.producer(back.input[0], "Reshape")
        there = values.producer(same.input[0], "Transpose") if same is not None else None
        if same is None or there is None or _permutation(there) != [0, 2, 1]:
            continue
        before, after = values.shape(same.input[0]), values.shape(same.output[0])
        if len(before) == 3 and before[1:] == after[1:] and all(before[1:]):
            yield _Replacement(back.output[0], (_node("Identity", [there.input[0]], [back.output[0]]),))


def _replace(graph: onnx.GraphProto, replacements: Iterable[_Replacement]) -> None:
    """Put the new nodes where the old ones were, and drop what nobody needs any more."""
    found = {replacement.output: replacement for replacement in replacements}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        replacement = next((found[name] for name in node.output if name in found), None)
        nodes.extend([node] if replacement is None else replacement.nodes)
    constants = [*graph.initializer, *(tensor for each in found.values() for tensor in each.constants)]
    needed = {value.name for value in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if not needed.isdisjoint(node.output):
            needed |= reads(node)
            kept.append(_copy(node))
    left = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in constants if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(left)


def _node(op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, list(inputs), list(outputs), name=outputs[0], **attributes)


def _like(node: onnx.NodeProto, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.NodeProto:
    copy = _copy(node)
    copy.input[:], copy.output[:] = list(inputs), list(outputs)
    return copy


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def _shape(name: str, sides: Sequence[int]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(sides, dtype=np.int64), name)


def _permutation(node: onnx.NodeProto) -> list[int]:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), [])
