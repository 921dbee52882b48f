"""The graph's outputs: their kinds, the bodies of an `If` that give them, and the maximum of a map."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from nand_edge import signature
from nand_edge.manifest import TensorRecord
from nand_edge_export.graph.builder import Builder

SUSPICIOUS_OUTPUTS = (signature.ANOMALY_MAP, signature.SUPPRESSION_MAP, signature.SCORE, signature.TAPS_RUN)
"""Outputs that the CLIP branch changes; in the bodies of the gate all of them are float32."""

_DTYPES = {signature.CLIP_RAN: TensorProto.BOOL, signature.TAPS_RUN: TensorProto.INT32}


def output_info(name: str, map_size: int) -> onnx.ValueInfoProto:
    """Name, type and shape of an output of the graph."""
    return helper.make_tensor_value_info(name, _DTYPES.get(name, TensorProto.FLOAT), _shape(name, map_size))


def _shape(name: str, map_size: int) -> list[str | int]:
    return ["N", map_size, map_size] if name in signature.MAPS else ["N"]


def output_record(name: str, map_size: int) -> TensorRecord:
    """The same for the manifest."""
    shape = (-1, map_size, map_size) if name in signature.MAPS else (-1,)
    if name == signature.CLIP_RAN:
        return TensorRecord(dtype="bool", shape=shape)
    return TensorRecord(dtype="int32" if name == signature.TAPS_RUN else "float32", shape=shape)


def body(
    hint: str, nodes: list[onnx.NodeProto], values: Sequence[str], names: Sequence[str], map_size: int
) -> onnx.GraphProto:
    """The body of an `If` whose outputs are `values`, float32, which stand for the outputs `names` of the graph."""
    outputs = [
        helper.make_tensor_value_info(value, TensorProto.FLOAT, _shape(name, map_size))
        for name, value in zip(names, values, strict=True)
    ]
    return helper.make_graph(nodes, hint, [], outputs)


def maximum(builder: Builder, anomaly_map: str) -> str:
    """Maximum of each map [N, M, M], float32 [N]; NaN when the map has one.

    `ReduceMax` may lose a NaN, a sum cannot: so a broken map can never pass.
    """
    op, constant = builder.op, builder.constant
    axes = constant([1, 2], "axes")
    broken = op("IsNaN", op("ReduceSum", anomaly_map, axes, keepdims=0))
    return op("Where", broken, constant(float("nan")), op("ReduceMax", anomaly_map, axes, keepdims=0))
