"""Which element type each value of a graph has, as far as lowering a precision needs to know."""

from __future__ import annotations

import onnx
from onnx import AttributeProto, TensorProto

from nand_edge_export.precision.nested import bodies, places

_INTEGERS = ("Shape", "Size", "NonZero", "ArgMax", "ArgMin")
_TRUTHS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "And", "Or", "Not", "IsNaN", "IsInf", "Xor")


def element_types(graph: onnx.GraphProto) -> dict[str, int]:
    """By name, the element type of every value of the graph and its bodies; their names are unique in the model."""
    types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    found = list(places(graph))
    for each in [graph, *(body for place in found for body in bodies(place.node))]:
        types.update({tensor.name: tensor.data_type for tensor in each.initializer})
        types.update({value.name: value.type.tensor_type.elem_type for value in each.input})
    for place in found:
        types.update(zip(place.node.output, _of_outputs(place.node, types), strict=False))
    return types


def _of_outputs(node: onnx.NodeProto, types: dict[str, int]) -> list[int]:
    if inside := bodies(node):
        outputs = [value.type.tensor_type.elem_type for value in inside[0].output]
        # The first output of a loop's body is its condition.
        return outputs[1:] if node.op_type == "Loop" else outputs
    attributes = {attribute.name: attribute for attribute in node.attribute}
    first = types.get(node.input[1 if node.op_type == "Where" else 0] if node.input else "", 0)
    if node.op_type in _INTEGERS:
        first = TensorProto.INT64
    elif node.op_type in _TRUTHS:
        first = TensorProto.BOOL
    elif node.op_type == "Cast":
        first = attributes["to"].i
    elif node.op_type in ("Constant", "ConstantOfShape"):
        first = _of_constant(attributes)
    elif node.op_type == "DequantizeLinear":
        first = types.get(node.input[1], TensorProto.FLOAT)
    elif node.op_type == "QuantizeLinear":
        first = types.get(node.input[2], TensorProto.UINT8) if len(node.input) > 2 else TensorProto.UINT8
    return [first, TensorProto.INT64] if node.op_type == "TopK" else [first] * len(node.output)


def _of_constant(attributes: dict[str, AttributeProto]) -> int:
    if "value" in attributes:
        return int(attributes["value"].t.data_type)
    integers = "value_int" in attributes or "value_ints" in attributes
    return int(TensorProto.INT64 if integers else TensorProto.FLOAT)
