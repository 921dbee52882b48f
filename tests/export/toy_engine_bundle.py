"""Adds to the runtime's toy bundle the graph that engines are built from: the same arithmetic, resized by matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from toy_bundle import GRID, LOGIT_SCALE, WIDTH, toy_manifest, write_toy_bundle

from nand_edge.bundle import GRAPH_FOR_OPENVINO, GRAPH_FOR_TENSORRT, write_manifest
from nand_edge.signature import (
    ANOMALY_MAP,
    BASE_MAP,
    BASE_SCORE,
    CLIP_RAN,
    FRAMES,
    MAP_SIZE,
    NORMALITY_BIAS,
    NORMALITY_FEATURES,
    REGION,
    SCORE,
    SUPPRESSION_MAP,
    TAPS_RUN,
    THRESHOLD,
)
from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder
from nand_edge_export.graph.resize import matrix_resize
from nand_edge_export.graph.suppression import Suppression

FLOAT, BOOL = TensorProto.FLOAT, TensorProto.BOOL
WEIGHTS = "weights.bin"


def write_toy_engine_bundle(folder: Path) -> Path:
    """Write the toy bundle with the graphs that engines are built from, their weights in a file beside them."""
    write_toy_bundle(folder)
    for name in (GRAPH_FOR_TENSORRT, GRAPH_FOR_OPENVINO):
        (folder / WEIGHTS).unlink(missing_ok=True)
        onnx.save(engine_graph(), folder / name, save_as_external_data=True, location=WEIGHTS, size_threshold=1024)
    write_manifest(folder, toy_manifest(folder.stem))
    return folder


def engine_graph() -> onnx.ModelProto:
    """Grey value as the base map; a 32 x 32 grid of brightness and darkness against the text, behind the gate."""
    builder = Builder()
    op, constant = builder.op, builder.constant
    frames = op("Cast", FRAMES, to=FLOAT)
    base_map = op("Mul", _grey(builder, frames), constant(1 / 255))
    base_map = op("Mul", base_map, REGION)
    base_score = op("ReduceMax", base_map, constant([1, 2]), keepdims=0)
    suspicious = op("Cast", op("Not", op("Less", base_score, THRESHOLD)), to=FLOAT)
    gate = op("Cast", op("ReduceMax", suspicious, constant([0]), keepdims=0), to=BOOL)
    with builder.branch() as taken:
        # Resized again, as a CLIP does that has its own input size.
        suppression = _suppression(builder, _grey(builder, frames))
    with builder.branch() as skipped:
        nothing = op("Expand", constant(0.0), op("Shape", base_map))
    suppression_map = op(
        "If",
        gate,
        then_branch=helper.make_graph(taken, "clip", [], [_maps(suppression)]),
        else_branch=helper.make_graph(skipped, "skip", [], [_maps(nothing)]),
    )
    final_map = op("Mul", base_map, op("Sub", constant(1.0), suppression_map))
    ran = op("Expand", op("Unsqueeze", op("Cast", gate, to=FLOAT), constant([0])), op("Shape", base_score))
    outputs = {
        SCORE: op("ReduceMax", final_map, constant([1, 2]), keepdims=0),
        ANOMALY_MAP: final_map,
        BASE_SCORE: base_score,
        BASE_MAP: base_map,
        SUPPRESSION_MAP: suppression_map,
        CLIP_RAN: op("Cast", ran, to=BOOL),
        TAPS_RUN: op("Cast", ran, to=TensorProto.INT32),
    }
    for name, value in outputs.items():
        builder.alias(value, name)
    return _model(builder)


def _grey(builder: Builder, frames: str) -> str:
    return builder.op(
        "ReduceMean", matrix_resize(builder, frames, (MAP_SIZE, MAP_SIZE)), builder.constant([1]), keepdims=0
    )


def _suppression(builder: Builder, grey: str) -> str:
    op, constant = builder.op, builder.constant
    # The mean of the two middle pixels of every eight, as the samples' reference has it.
    middle = np.zeros((GRID, MAP_SIZE), dtype=np.float32)
    for cell in range(GRID):
        middle[cell, 8 * cell + 3 : 8 * cell + 5] = 0.5
    grid = op("MatMul", op("MatMul", constant(middle), grey), constant(np.ascontiguousarray(middle.T)))
    bright = op("Mul", op("Reshape", grid, constant([0, -1, 1])), constant(1 / 255))
    tokens = op("Concat", bright, op("Sub", constant(1.0), bright), axis=2)
    tokens = op("Pad", tokens, constant([0, 0, 0, 0, 0, WIDTH - 2]))
    tokens = op("Div", tokens, op("ReduceL2", tokens, constant([2]), keepdims=1))
    suppression = Suppression(builder, [(GRID, GRID)], LOGIT_SCALE, MAP_SIZE)
    return op("Sub", constant(1.0), suppression.kept_share(suppression.tap_map(0, tokens)))


def _maps(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, ["N", MAP_SIZE, MAP_SIZE])


def _model(builder: Builder) -> onnx.ModelProto:
    graph = helper.make_graph(
        builder.nodes,
        "toy",
        [
            helper.make_tensor_value_info(FRAMES, TensorProto.UINT8, ["N", "H", "W", 3]),
            helper.make_tensor_value_info(THRESHOLD, FLOAT, []),
            helper.make_tensor_value_info(NORMALITY_FEATURES, FLOAT, ["K", 1, 2, "V", WIDTH]),
            helper.make_tensor_value_info(NORMALITY_BIAS, FLOAT, ["K", 1, 2, "V"]),
            helper.make_tensor_value_info(REGION, FLOAT, [MAP_SIZE, MAP_SIZE]),
        ],
        [
            helper.make_tensor_value_info(SCORE, FLOAT, ["N"]),
            _maps(ANOMALY_MAP),
            helper.make_tensor_value_info(BASE_SCORE, FLOAT, ["N"]),
            _maps(BASE_MAP),
            _maps(SUPPRESSION_MAP),
            helper.make_tensor_value_info(CLIP_RAN, BOOL, ["N"]),
            helper.make_tensor_value_info(TAPS_RUN, TensorProto.INT32, ["N"]),
        ],
        initializer=list(builder.initializers.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model
