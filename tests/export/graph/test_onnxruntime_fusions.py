from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nand_edge_export.clip import ClipEncoder, load_clip
from nand_edge_export.graph.builder import IR_VERSION, OPSET
from nand_edge_export.graph.conversion import convert
from nand_edge_export.graph.onnxruntime_fusions import DOMAIN, fused, needs_domain

IMAGE = (3, 48, 48)


def run(graph: onnx.GraphProto, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The graph's outputs in ONNX Runtime, which leaves it as it is."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results: list[NDArray[np.float32]] = session.run(None, {graph.input[0].name: image})
    return results


def kinds(graph: onnx.GraphProto) -> Counter[str]:
    return Counter(node.op_type for node in graph.node)


@pytest.fixture(scope="module")
def transformer(small_vit: str) -> onnx.GraphProto:
    """A transformer of two blocks, every bias of it other than zero: a lost one would show."""
    encoder = ClipEncoder(load_clip(small_vit), taps=(1, 2), projection="random")
    generator = torch.Generator().manual_seed(0)
    for name, values in encoder.named_parameters():
        if name.endswith("bias"):
            values.data = 0.1 * torch.randn(values.shape, generator=generator)
    return convert(encoder, [torch.zeros(2, *IMAGE)], ["image"])


@pytest.fixture
def images() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((3, *IMAGE), dtype=np.float32)


def test_a_transformer_computes_the_same_in_fewer_nodes(
    transformer: onnx.GraphProto, images: NDArray[np.float32]
) -> None:
    graph = fused(transformer)
    found = kinds(graph)
    assert (found["MultiHeadAttention"], found["Gelu"]) == (2, 2)
    assert not {"Softmax", "Erf", "MatMul"} & set(found), "they are in the new nodes"
    assert len(graph.node) < 0.6 * len(transformer.node)
    for batch in (1, 3):
        for found_value, expected in zip(run(graph, images[:batch]), run(transformer, images[:batch]), strict=True):
            np.testing.assert_allclose(found_value, expected, atol=1e-5)


def test_weights_keep_their_bytes_so_that_the_graphs_of_a_bundle_share_them(transformer: onnx.GraphProto) -> None:
    before = {tensor.name: tensor.raw_data for tensor in transformer.initializer}
    after = {tensor.name: tensor.raw_data for tensor in fused(transformer).initializer}
    shared = before.keys() & after.keys()
    assert all(before[name] == after[name] for name in shared)
    assert sum(len(after[name]) for name in after.keys() - shared) < 2000, "nothing new but the shapes of reshapes"


def test_the_graph_that_was_given_stays_as_it_is(transformer: onnx.GraphProto) -> None:
    before = transformer.SerializeToString(deterministic=True)
    fused(transformer)
    assert transformer.SerializeToString(deterministic=True) == before


def test_attention_with_a_mask_is_left_alone(transformer: onnx.GraphProto, images: NDArray[np.float32]) -> None:
    masked = onnx.GraphProto()
    masked.CopyFrom(transformer)
    place, softmax = next((place, node) for place, node in enumerate(masked.node) if node.op_type == "Softmax")
    masked.node.insert(place, helper.make_node("Add", [softmax.input[0], "mask"], ["masked"]))
    softmax.input[0] = "masked"
    tokens = 37
    mask = np.triu(np.full((tokens, tokens), -10, np.float32), k=1)
    masked.initializer.append(numpy_helper.from_array(mask, "mask"))
    graph = fused(masked)
    assert (kinds(graph)["MultiHeadAttention"], kinds(graph)["Softmax"]) == (1, 1)
    for found, expected in zip(run(graph, images), run(masked, images), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_activation_that_something_else_reads_in_part_is_left_alone() -> None:
    numbers = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    nodes = [
        helper.make_node("Div", ["x", "root"], ["divided"]),
        helper.make_node("Erf", ["divided"], ["erf"]),
        helper.make_node("Add", ["erf", "one"], ["plus"]),
        helper.make_node("Mul", ["half", "plus"], ["share"]),
        helper.make_node("Mul", ["x", "share"], ["gelu"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("gelu", "share")]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()]
    alone = helper.make_graph(nodes, "alone", [x], outputs[:1], constants)
    assert kinds(fused(alone)) == {"Gelu": 1}
    values = np.linspace(-4, 4, 50, dtype=np.float32)
    np.testing.assert_allclose(run(fused(alone), values)[0], run(alone, values)[0], atol=1e-6)
    read_twice = helper.make_graph(nodes, "read_twice", [x], outputs, constants)
    assert kinds(fused(read_twice)) == kinds(read_twice)


def test_a_convolutional_trunk_needs_no_operator_of_onnx_runtime(encoder: ClipEncoder) -> None:
    trunk = convert(encoder, [torch.zeros(2, 3, 240, 240)], ["image"])
    graph = fused(trunk)
    assert needs_domain(graph) is False
    image = np.random.default_rng(1).standard_normal((1, 3, 240, 240), dtype=np.float32)
    for found, expected in zip(run(graph, image), run(trunk, image), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
