"""Lowered graphs in a strongly typed builder: TensorRT-RTX builds them here without a GPU."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from small_network import GATE, IMAGE, SIDE, open_runs, small_network

from nand_edge_export.precision.half import BF16, FP16, cast_networks, networks
from nand_edge_export.precision.layers import find_layers
from nand_edge_export.precision.observation import by_extremes, observe
from nand_edge_export.precision.rounding import Kind, Rounding, quantise, values_to_observe

trt: Any = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed")


def _lowered(precision: str) -> onnx.ModelProto:
    # Where TensorRT-RTX builds, weights stand outside.
    model = small_network(weights_in_body=False)
    if precision in ("fp16", "bf16"):
        cast_networks(model, networks(model.graph), FP16 if precision == "fp16" else BF16)
        return model
    layers = find_layers(model.graph)
    found = observe(model, values_to_observe(model.graph, layers), open_runs(2), only_ranges=True)
    kind = Kind.SIGNED if precision == "int8" else Kind.FLOAT8
    model.opset_import[0].version = 19
    quantise(model, layers, {name: by_extremes(each) for name, each in found.items()}, Rounding(kind, outputs=False))
    return model


@pytest.mark.parametrize(
    ("precision", "capability"), [("fp16", "SM86"), ("bf16", "SM86"), ("int8", "SM86"), ("fp8", "SM89")]
)
def test_tensorrt_rtx_builds_it(precision: str, capability: str) -> None:
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)

    parsed = parser.parse(_lowered(precision).SerializeToString())

    assert parsed, [parser.get_error(index).desc() for index in range(parser.num_errors)]
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, capability), 0)
    profile = builder.create_optimization_profile()
    profile.set_shape(IMAGE, (1, 3, SIDE, SIDE), (1, 3, SIDE, SIDE), (1, 3, SIDE, SIDE))
    config.add_optimization_profile(profile)
    assert GATE in {network.get_input(index).name for index in range(network.num_inputs)}
    assert builder.build_serialized_network(network, config) is not None
