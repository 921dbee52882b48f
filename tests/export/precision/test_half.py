"""Networks in 16 bits, all else in 32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto
from small_network import BASE, RESULT, open_runs, small_network

from nand_edge_export.precision.element_types import element_types
from nand_edge_export.precision.frames import session_of
from nand_edge_export.precision.half import BF16, FP16, cast_networks, networks


def test_networks_are_layers_and_what_lies_between_them() -> None:
    names = [place.node.name for place in networks(small_network().graph)]

    assert names == [
        *("conv_stem", "clip_stem", "conv_deep", "clip_deep", "conv_wide", "residual"),
        *("row", "matmul_first", "relu", "matmul_second"),
    ]


def test_a_model_in_fp16_computes_nearly_the_same() -> None:
    exact, lowered = small_network(), small_network()
    cast_networks(lowered, networks(lowered.graph), FP16)

    onnx.checker.check_model(lowered, full_check=True)
    one, other = session_of(exact), session_of(lowered)
    for each in open_runs(3):
        for values, found in zip(one.run([BASE, RESULT], each), other.run([BASE, RESULT], each), strict=True):
            assert found.dtype == np.float32
            assert 0 < np.abs(values - found).max() < 5e-3 * np.abs(values).max()


def test_in_bf16_products_are_typed_and_outputs_are_not() -> None:
    model = small_network()
    cast_networks(model, networks(model.graph), BF16)

    types = element_types(model.graph)
    assert types["product/bf16"] == types["stemmed/bf16"] == TensorProto.BFLOAT16
    assert types[BASE] == TensorProto.FLOAT
    assert {output.type.tensor_type.elem_type for output in model.graph.output} == {TensorProto.FLOAT}


def test_bf16_rounds_to_the_nearest() -> None:
    values = np.array([1, 1 + 2**-8, 1 + 3 * 2**-8, -3.14159], np.float32)

    found = onnx.numpy_helper.to_array(BF16.tensor(values, "values")).astype(np.float32)

    assert found.tolist() == [1, 1, 1 + 2**-6, -3.140625]
