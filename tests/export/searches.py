"""Searches for the nearest patch of a memory, in the form in which an exported PatchCore has them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder

FEATURES, DISTANCES = "features", "distances"


def search_model(memory: NDArray[np.float32], *, block: int = 1000) -> onnx.ModelProto:
    """Distances [N, P] of features [N, P, C] to the nearest patch of a memory [M, C], as PatchCore's graph has it."""
    builder = Builder()
    op, constant = builder.op, builder.constant
    squares = np.square(memory, dtype=np.float64).sum(axis=1, keepdims=True)
    factors = np.concatenate([-2.0 * memory, squares], axis=1).T.astype(np.float32)
    with_one = op("Pad", FEATURES, constant([0, 0, 0, 0, 0, 1]), constant(1.0))
    nearest = ""
    for start in range(0, len(memory), block):
        product = op("MatMul", with_one, constant(factors[:, start : start + block], "block"))
        least = op("ReduceMin", product, constant([2]), keepdims=0)
        nearest = op("Min", nearest, least) if nearest else least
    lengths = op("ReduceSum", op("Pow", FEATURES, constant(2.0)), constant([2]), keepdims=0)
    squared, floor = op("Add", nearest, lengths), constant(1e-4)
    builder.alias(op("Sqrt", op("Where", op("Less", squared, floor), floor, squared)), DISTANCES)
    graph = helper.make_graph(
        builder.nodes,
        "search",
        [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", "P", memory.shape[1]])],
        [helper.make_tensor_value_info(DISTANCES, TensorProto.FLOAT, ["N", "P"])],
        list(builder.initializers.values()),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def run(model: onnx.ModelProto, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model's distances in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    distances: NDArray[np.float32] = session.run([DISTANCES], {FEATURES: features})[0]
    return distances


def exact(memory: NDArray[np.float32], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The distances in float64, not under the graph's floor of 0.01."""
    apart = features[..., None, :].astype(np.float64) - memory
    return np.maximum(np.sqrt(np.square(apart).sum(axis=-1)).min(axis=-1), 1e-2)


def unit_memory(generator: np.random.Generator, patches: int, width: int, groups: int = 1) -> NDArray[np.float32]:
    """A memory in groups, centred, with patches of length 1 in the mean; float32 [patches, width]."""
    centres = generator.standard_normal((groups, width))
    memory = centres[generator.integers(groups, size=patches)] + 0.5 * generator.standard_normal((patches, width))
    memory -= memory.mean(axis=0)
    length = np.sqrt(np.square(memory).sum(axis=1).mean())
    return (memory / (length or 1.0)).astype(np.float32)
