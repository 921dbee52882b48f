"""The graph's outputs: their kinds, the bodies of an `If` that give them, and the maximum of a map."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from nand_edge import signature
from nand_edge.manifest import TensorRecord
from nand_edge_export.graph.builder import Builder

SUSPICIOUS_OUTPUTS = (signature.ANOMALY_MAP, signature.SUPPRESSION_MAP, signature.SCORE, signature.TAPS_RUN)
"""Outputs that the CLIP branch changes."""

_DTYPES = {signature.CLIP_RAN: TensorProto.BOOL, signature.TAPS_RUN: TensorProto.INT32}


def output_type(name: str) -> TensorProto.DataType:
    """Element type of an output."""
    return _DTYPES.get(name, TensorProto.FLOAT)


def output_info(name: str, map_size: int, value: str | None = None) -> onnx.ValueInfoProto:
    """Name, type and shape of an output; `value` is the name that it has in a body."""
    shape: list[str | int] = ["N", map_size, map_size] if name in signature.MAPS else ["N"]
    return helper.make_tensor_value_info(value or name, output_type(name), shape)


def output_record(name: str, map_size: int) -> TensorRecord:
    """The same for the manifest."""
    shape = (-1, map_size, map_size) if name in signature.MAPS else (-1,)
    if name == signature.CLIP_RAN:
        return TensorRecord(dtype="bool", shape=shape)
    return TensorRecord(dtype="int32" if name == signature.TAPS_RUN else "float32", shape=shape)


def body(
    hint: str, nodes: list[onnx.NodeProto], values: Sequence[str], names: Sequence[str], map_size: int
) -> onnx.GraphProto:
    """The body of an `If` whose outputs are `values`, which stand for the outputs `names` of the graph."""
    outputs = [output_info(name, map_size, value) for name, value in zip(names, values, strict=True)]
    return helper.make_graph(nodes, hint, [], outputs)


def maximum(builder: Builder, anomaly_map: str) -> str:
    """Maximum of each map [N, M, M], float32 [N]; NaN when the map has one.

    `ReduceMax` may lose a NaN, a sum cannot: so a broken map can never pass.
    """
    op, constant = builder.op, builder.constant
    axes = constant([1, 2], "axes")
    broken = op("IsNaN", op("ReduceSum", anomaly_map, axes, keepdims=0))
    return op("Where", broken, constant(float("nan")), op("ReduceMax", anomaly_map, axes, keepdims=0))
