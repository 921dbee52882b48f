"""Putting QuantizeLinear and DequantizeLinear around layers: what engines fuse into 8-bit kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from nand_edge_export.precision.float8 import LARGEST_E4M3, e4m3_tensor
from nand_edge_export.precision.layers import Layer
from nand_edge_export.precision.nested import Place, constants, consumers, graphs, places, producers
from nand_edge_export.precision.observation import Range

_CLAMPS = ("Clip", "Relu")
_SMALLEST_SCALE = 1e-12
_LARGEST_BIAS = 2**30


class Kind(Enum):
    """What activations are rounded to."""

    UNSIGNED = "unsigned"
    """Integers 0..255 with a zero point, which x86 multiplies fastest with signed weights."""

    SIGNED = "signed"
    """Integers -127..127 around 0, as TensorRT wants them."""

    FLOAT8 = "float8"
    """Floating point of 8 bits, E4M3; weights, too, with one scale for all."""


@dataclass(frozen=True)
class Rounding:
    """How numbers become 8 bits.

    Attributes:
        kind: What activations are rounded to.
        weight_levels: Largest weight after rounding.
        outputs: Whether what convolutions give is rounded as soon as it is there, and biases become 32-bit integers, as
            ONNX Runtime fuses convolutions; other engines round what a layer reads, and what other parts read of it
            stays exact.
    """

    kind: Kind = Kind.UNSIGNED
    weight_levels: int = 127
    outputs: bool = True


def quantise(
    model: onnx.ModelProto, layers: Sequence[Layer], ranges: Mapping[str, Range], rounding: Rounding
) -> list[str]:
    """Round what these layers read, their weights, and what convolutions give; in place.

    Args:
        model: With its weights; the layers are its own.
        layers: The layers, in the order in which they run.
        ranges: For each value that is rounded the values that it takes; a layer without its ranges stays as it is.
        rounding: How.

    Returns:
        Names of the layers that now run in 8 bits.
    """
    writer = _Writer(model, ranges, rounding)
    done = [layer.name for layer in layers if writer.add(layer)]
    writer.join_additions()
    writer.finish()
    return done


def values_to_observe(graph: onnx.GraphProto, layers: Sequence[Layer]) -> list[str]:
    """The values whose ranges `quantise` wants to know."""
    readers, known = consumers(graph), constants(graph)
    joined = {_end(layer, readers, known)[0] for layer in layers if layer.place.node.op_type == "Conv"}
    for place in places(graph):
        if _is_addition(place) and joined.issuperset(place.node.input):
            joined.add(place.node.output[0])
    return sorted(joined | {layer.source for layer in layers})


class _Writer:
    def __init__(self, model: onnx.ModelProto, ranges: Mapping[str, Range], rounding: Rounding) -> None:
        self._graph, self._ranges, self._rounding = model.graph, ranges, rounding
        self._known, self._readers = constants(model.graph), consumers(model.graph)
        # Held, since nodes and graphs are told apart by their identity.
        self._producers = producers(model.graph)
        # By the id of the graph that they stand in: nodes to put before or after a node, and rounded values.
        self._before: dict[int, list[onnx.NodeProto]] = {}
        self._after: dict[int, list[onnx.NodeProto]] = {}
        self._rounded_here: dict[tuple[int, str], str] = {}
        self._rounded_at_source: set[str] = set()
        self._holders = {tensor.name: graph for graph in graphs(model.graph) for tensor in graph.initializer}

    def add(self, layer: Layer) -> bool:
        node = layer.place.node
        end, last = _end(layer, self._readers, self._known)
        convolution = node.op_type == "Conv" and self._rounding.outputs
        if layer.source not in self._ranges and layer.source not in self._rounded_at_source:
            return False
        if convolution and end not in self._ranges:
            return False
        scale = self._scale(layer.source)
        node.input[0] = self._rounded(layer.source, layer.place)
        weight_scale = self._round_weight(layer, scale)
        if layer.bias is not None and self._rounding.outputs:
            self._round_bias(layer, scale * weight_scale)
        if convolution:
            self._round_at_source(end, last)
        return True

    def join_additions(self) -> None:
        """Round sums of rounded values that a rounded layer reads next, so that no float lies between."""
        for place in list(self._producers.values()):
            node = place.node
            if not _is_addition(place) or node.output[0] not in self._ranges:
                continue
            name = node.output[0]
            if all(each in self._rounded_at_source for each in node.input) and self._read_rounded(name):
                self._round_at_source(name, place)

    def _read_rounded(self, name: str) -> bool:
        return any(value == name for _, value in self._rounded_here)

    def _round_at_source(self, name: str, place: Place) -> None:
        raw = f"{name}/exact"
        outputs = place.node.output
        outputs[list(outputs).index(name)] = raw
        self._after.setdefault(id(place.node), []).extend(self._pair(raw, name, name))
        self._rounded_at_source.add(name)
        # Whoever had rounded it before reads it as it now is.
        for (graph, value), rounded in list(self._rounded_here.items()):
            if value == name:
                self._drop(rounded, name)
                del self._rounded_here[graph, value]

    def _drop(self, rounded: str, name: str) -> None:
        for nodes in self._before.values():
            nodes[:] = [node for node in nodes if node.output[0] not in (rounded, f"{rounded}/integers")]
        for graph in graphs(self._graph):
            for node in graph.node:
                for place, value in enumerate(node.input):
                    if value == rounded:
                        node.input[place] = name

    def _rounded(self, name: str, place: Place) -> str:
        """The rounded value of a name, for a reader in this graph."""
        if name in self._rounded_at_source:
            return name
        key = (id(place.graph), name)
        if key not in self._rounded_here:
            self._rounded_here[key] = f"{name}/rounded_{len(self._rounded_here)}"
            pair = self._pair(name, self._rounded_here[key], name)
            self._before.setdefault(id(place.node), []).extend(pair)
        return self._rounded_here[key]

    def _pair(self, source: str, target: str, ranged: str) -> list[onnx.NodeProto]:
        scale, zero = self._parameters(ranged)
        integers = f"{target}/integers"
        return [
            helper.make_node("QuantizeLinear", [source, scale, zero], [integers], name=f"{target}/quantise"),
            helper.make_node("DequantizeLinear", [integers, scale, zero], [target], name=f"{target}/dequantise"),
        ]

    def _scale(self, name: str) -> float:
        found = self._ranges[name]
        if self._rounding.kind is Kind.UNSIGNED:
            return (found.high - found.low) / 255
        return max(-found.low, found.high) / (127 if self._rounding.kind is Kind.SIGNED else LARGEST_E4M3)

    def _parameters(self, name: str) -> tuple[str, str]:
        scale = self._scale(name)
        if self._rounding.kind is Kind.UNSIGNED:
            zero = numpy_helper.from_array(np.array(round(-self._ranges[name].low / scale), np.uint8))
        elif self._rounding.kind is Kind.SIGNED:
            zero = numpy_helper.from_array(np.array(0, np.int8))
        else:
            zero = e4m3_tensor(np.zeros((), np.float32))
        return self._constant(f"{name}/scale", np.float32(scale)), self._constant(f"{name}/zero", zero)

    def _constant(self, name: str, values: NDArray[Any] | np.generic | onnx.TensorProto, beside: str = "") -> str:
        """Add a constant, to the outer graph or to where another constant stands."""
        if name not in self._known:
            tensor = values if isinstance(values, onnx.TensorProto) else numpy_helper.from_array(np.asarray(values))
            tensor.name = name
            self._holders.get(beside, self._graph).initializer.append(tensor)
            self._known[name] = tensor
        return name

    def _round_weight(self, layer: Layer, source_scale: float) -> NDArray[np.float32]:
        weight = layer.weight
        axis = layer.channel_axis
        values = numpy_helper.to_array(weight)
        if self._rounding.kind is Kind.FLOAT8:
            self._round_weight_to_float8(layer, values)
            return np.ones(1, np.float32)
        others = tuple(each for each in range(values.ndim) if each != axis)
        levels = self._rounding.weight_levels
        scale = np.maximum(np.abs(values).max(axis=others) / levels, _SMALLEST_SCALE)
        if layer.bias is not None and self._rounding.outputs:
            # A channel that is nearly all bias: finer weights would not leave it room in 32 bits.
            scale = np.maximum(scale, np.abs(numpy_helper.to_array(layer.bias)) / (source_scale * _LARGEST_BIAS))
        scale = scale.astype(np.float32)
        shape = [-1 if each == axis else 1 for each in range(values.ndim)]
        name = f"{weight.name}/rounded_for_{layer.name}"
        integers = np.clip(np.round(values / scale.reshape(shape)), -levels, levels).astype(np.int8)
        inputs = [
            self._constant(f"{name}/integers", integers, weight.name),
            self._constant(f"{name}/scale", scale, weight.name),
            self._constant(f"{name}/zero", np.zeros(scale.shape, np.int8), weight.name),
        ]
        self._dequantised(layer, 1, name, inputs, axis)
        return np.asarray(scale, np.float32)

    def _round_weight_to_float8(self, layer: Layer, values: NDArray[np.float32]) -> None:
        scale = np.float32(max(float(np.abs(values).max()) / LARGEST_E4M3, _SMALLEST_SCALE))
        name = f"{layer.weight.name}/rounded_for_{layer.name}"
        inputs = [
            self._constant(f"{name}/floats", e4m3_tensor(values / scale), layer.weight.name),
            self._constant(f"{name}/scale", scale, layer.weight.name),
            self._constant(f"{name}/zero", e4m3_tensor(np.zeros((), np.float32)), layer.weight.name),
        ]
        self._dequantised(layer, 1, name, inputs, None)

    def _round_bias(self, layer: Layer, scale: NDArray[np.float32]) -> None:
        if layer.bias is None:
            return
        scale = scale.astype(np.float32)
        integers = np.round(numpy_helper.to_array(layer.bias).astype(np.float64) / scale).astype(np.int32)
        name = f"{layer.bias.name}/rounded_{layer.name}"
        inputs = [
            self._constant(f"{name}/integers", integers, layer.bias.name),
            self._constant(f"{name}/scale", scale, layer.bias.name),
            self._constant(f"{name}/zero", np.zeros(scale.shape, np.int32), layer.bias.name),
        ]
        self._dequantised(layer, 2, name, inputs, 0)

    def _dequantised(self, layer: Layer, place: int, name: str, inputs: list[str], axis: int | None) -> None:
        node = layer.place.node
        output = f"{name}/values"
        along: dict[str, Any] = {} if axis is None else {"axis": axis}
        dequantise = helper.make_node("DequantizeLinear", inputs, [output], name=f"{name}/dequantise", **along)
        self._before.setdefault(id(node), []).append(dequantise)
        node.input[place] = output

    def finish(self) -> None:
        """Write the new nodes to where they belong, and drop weights that nobody reads any more."""
        replace_nodes(self._graph, self._before, self._after)
        drop_unread(self._graph)


NodesOfNode = Mapping[int, Sequence[onnx.NodeProto]]
"""By the identity of a node that is there, new nodes."""


def replace_nodes(graph: onnx.GraphProto, before: NodesOfNode, after: NodesOfNode) -> None:
    """Put new nodes before and after nodes that are there, in the graph and its bodies; their nodes become copies."""
    # Bodies first: a graph's nodes are copied with all that is in them.
    for each in reversed(list(graphs(graph))):
        if any(id(node) in before or id(node) in after for node in each.node):
            nodes = [new for node in each.node for new in (*before.get(id(node), ()), node, *after.get(id(node), ()))]
            copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
            del each.node[:]
            each.node.extend(copies)


def drop_unread(graph: onnx.GraphProto) -> None:
    """Drop initialisers that no node reads and that are no default of an input."""
    read = {name for each in graphs(graph) for node in each.node for name in node.input}
    read |= {output.name for each in graphs(graph) for output in each.output}
    inputs = {value.name for value in graph.input}
    for each in graphs(graph):
        kept = [tensor for tensor in each.initializer if tensor.name in read or tensor.name in inputs]
        if len(kept) != len(each.initializer):
            copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
            del each.initializer[:]
            each.initializer.extend(copies)


def _end(layer: Layer, readers: Mapping[str, list[Place]], known: Mapping[str, onnx.TensorProto]) -> tuple[str, Place]:
    """The value that a layer's kernel gives when it clamps as well, and the node that makes it."""
    following = readers.get(layer.output, [])
    if len(following) == 1 and following[0].graph is layer.place.graph:
        node = following[0].node
        if node.op_type in _CLAMPS and all(name in known for name in node.input[1:] if name):
            return node.output[0], following[0]
    return layer.output, layer.place


def _is_addition(place: Place) -> bool:
    return place.node.op_type == "Add"
