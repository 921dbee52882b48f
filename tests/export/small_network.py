"""A small network as bundles hold one: convolutions outside, products in the body of an `If`, weights where given."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

IMAGE, GATE, BASE, RESULT = "image", "gate", "base_map", "score"
SIDE, CHANNELS, WIDTH = 16, 8, 64

Inputs = dict[str, NDArray[np.float32]]


def small_network(*, weights_in_body: bool = True) -> onnx.ModelProto:
    """Image [N, 3, 16, 16] through a stem, a residual block and, the gate being open, two products to [N, 64]."""
    generator = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        fan_in = np.prod(shape[1:]) if len(shape) > 2 else shape[0]
        return numpy_helper.from_array((generator.normal(size=shape) * np.sqrt(2 / fan_in)).astype(np.float32), name)

    outside = [
        weight("stem", CHANNELS, 3, 3, 3),
        weight("deep", CHANNELS, 1, 3, 3),
        weight("wide", CHANNELS, CHANNELS, 1, 1),
        numpy_helper.from_array(np.linspace(-1, 1, CHANNELS).astype(np.float32), "wide_bias"),
        numpy_helper.from_array(np.float32(0), "zero"),
        numpy_helper.from_array(np.float32(6), "six"),
        numpy_helper.from_array(np.array([0, CHANNELS * SIDE * SIDE]), "flat"),
        numpy_helper.from_array(np.float32(0.5), "half"),
    ]
    inside = [weight("first", CHANNELS * SIDE * SIDE, WIDTH), weight("second", WIDTH, WIDTH)]
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", [IMAGE, "stem"], ["stemmed"], name="conv_stem", **pads),
        helper.make_node("Clip", ["stemmed", "zero", "six"], ["clamped"], name="clip_stem"),
        helper.make_node("Conv", ["clamped", "deep"], ["deepened"], name="conv_deep", group=CHANNELS, **pads),
        helper.make_node("Clip", ["deepened", "zero", "six"], ["clamped_2"], name="clip_deep"),
        helper.make_node("Conv", ["clamped_2", "wide", "wide_bias"], ["widened"], name="conv_wide"),
        helper.make_node("Add", ["widened", "clamped"], [BASE], name="residual"),
        helper.make_node("Greater", [GATE, "half"], ["is_open"], name="is_open"),
    ]
    then = [
        helper.make_node("Reshape", [BASE, "flat"], ["row"], name="row"),
        helper.make_node("MatMul", ["row", "first"], ["product"], name="matmul_first"),
        helper.make_node("Relu", ["product"], ["positive"], name="relu"),
        helper.make_node("MatMul", ["positive", "second"], ["open_result"], name="matmul_second"),
    ]
    zeros = numpy_helper.from_array(np.zeros((1, WIDTH), np.float32), "nothing")
    otherwise = [helper.make_node("Constant", [], ["shut_result"], name="shut", value=zeros)]
    result = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", WIDTH])
        for name in ("open_result", "shut_result", RESULT)
    }
    nodes.append(
        helper.make_node(
            "If", ["is_open"], [RESULT], name="gate_if",
            then_branch=helper.make_graph(then, "then", [], [result["open_result"]], inside if weights_in_body else []),
            else_branch=helper.make_graph(otherwise, "else", [], [result["shut_result"]]),
        )
    )  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, ["N", 3, SIDE, SIDE]),
            helper.make_tensor_value_info(GATE, TensorProto.FLOAT, []),
        ],
        [helper.make_tensor_value_info(BASE, TensorProto.FLOAT, ["N", CHANNELS, SIDE, SIDE]), result[RESULT]],
        [*outside, *([] if weights_in_body else inside)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def open_runs(count: int) -> list[Inputs]:
    """Runs on random images with the gate open."""
    generator = np.random.default_rng(1)
    return [
        {IMAGE: generator.normal(size=(1, 3, SIDE, SIDE)).astype(np.float32), GATE: np.array(1, np.float32)}
        for _ in range(count)
    ]
