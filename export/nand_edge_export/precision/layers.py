"""The layers of a graph that a lower precision pays for: products with constant weights, large enough to matter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from nand_edge_export.precision.nested import Place, constants, consumers, places

# Narrower ones are the matrices that enlarge a map.
_SMALLEST_SIDE = 64
_STEM_CHANNELS = 4
_ELEMENTWISE = ("Add", "Sub", "Mul", "Neg", "Max", "Min", "Clip", "Relu", "Sqrt", "Identity", "Reshape")
_SEARCHES = ("ReduceMin", "ArgMin", "ReduceMax", "ArgMax", "TopK")
_STEPS_TO_A_SEARCH = 6
# In float32 on a CPU; found on the embedded network, whose layers' times it tells to within a fifth.
_PRODUCTS_A_VALUE_MOVED = 8


@dataclass(frozen=True)
class Layer:
    """A convolution or a matrix product with constant weights.

    Attributes:
        place: Its node and the graph or body that it stands in.
        weight: Its weights.
        bias: Its bias, where the node has one.
        channel_axis: The weights' axis of output channels.
    """

    place: Place
    weight: TensorProto
    bias: TensorProto | None
    channel_axis: int

    @property
    def name(self) -> str:
        """The node's name, unique in the model."""
        return str(self.place.node.name)

    @property
    def source(self) -> str:
        """The value that it reads."""
        return str(self.place.node.input[0])

    @property
    def output(self) -> str:
        """The value that it makes."""
        return str(self.place.node.output[0])

    def cost(self, values: int) -> int:
        """What it costs in a frame: its products and, as so many more, the values that it reads and writes.

        Args:
            values: How many it reads.
        """
        node, dims = self.place.node, [int(dim) for dim in self.weight.dims]
        if node.op_type == "Conv":
            positions = values // (dims[1] * _groups(node) * math.prod(_strides(node)))
        else:
            positions = values // dims[1 - self.channel_axis]
        moved = values + positions * dims[self.channel_axis]
        return positions * math.prod(dims) + _PRODUCTS_A_VALUE_MOVED * moved


def find_layers(graph: onnx.GraphProto, *, stems: bool = False) -> list[Layer]:
    """The layers of the encoder's and the detector's networks, in the order in which they run.

    Left out are the arithmetic of maps (its matrices stand on the left or are narrow), a first layer that reads an
    image, since it costs little and sees every grey level, and products that a search for the nearest patch follows:
    their small differences decide, and they have a pass of their own.

    Args:
        graph: The graph; the layers are its own.
        stems: Whether first layers, which read an image, are wanted, too.
    """
    known, readers = constants(graph), consumers(graph)
    layers = (_layer(place, known, fewest_channels=2 if stems else _STEM_CHANNELS + 1) for place in places(graph))
    return [layer for layer in layers if layer is not None and not _leads_to_search(layer, readers)]


def _layer(place: Place, known: Mapping[str, TensorProto], *, fewest_channels: int) -> Layer | None:
    node = place.node
    if node.op_type not in ("Conv", "MatMul", "Gemm") or node.domain not in ("", "ai.onnx") or node.input[0] in known:
        return None
    weight = known.get(node.input[1])
    if weight is None or weight.data_type != TensorProto.FLOAT:
        return None
    bias = known.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    if len(node.input) > 2 and node.input[2] and bias is None:
        return None
    axis = _channel_axis(node, weight, fewest_channels)
    return None if axis is None else Layer(place, weight, bias, axis)


def _channel_axis(node: onnx.NodeProto, weight: TensorProto, fewest_channels: int) -> int | None:
    """The axis of output channels; None where the layer is not worth it or has a form that no engine fuses."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Conv":
        channels = weight.dims[1] * _groups(node)
        return 0 if channels >= fewest_channels and weight.dims[0] > _STEM_CHANNELS else None
    if len(weight.dims) != 2 or min(weight.dims) < _SMALLEST_SIDE:
        return None
    if node.op_type == "MatMul":
        return 1
    plain = all(name not in attributes or attributes[name].f == 1.0 for name in ("alpha", "beta"))
    if not plain or ("transA" in attributes and attributes["transA"].i):
        return None
    return 0 if "transB" in attributes and attributes["transB"].i else 1


def _groups(node: onnx.NodeProto) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "group"), 1)


def _strides(node: onnx.NodeProto) -> tuple[int, ...]:
    return next((tuple(attribute.ints) for attribute in node.attribute if attribute.name == "strides"), ())


def _leads_to_search(layer: Layer, readers: Mapping[str, list[Place]]) -> bool:
    if layer.place.node.op_type == "Conv":
        return False
    values = [layer.output]
    for _ in range(_STEPS_TO_A_SEARCH):
        following = [place.node for value in values for place in readers.get(value, [])]
        if any(node.op_type in _SEARCHES for node in following):
            return True
        values = [output for node in following if node.op_type in _ELEMENTWISE for output in node.output]
    return False
