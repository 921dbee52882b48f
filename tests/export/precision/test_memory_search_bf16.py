from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from searches import DISTANCES, FEATURES, exact, run, search_model, unit_memory

from nand_edge.bundle import Bundle
from nand_edge_export.precision.memory_search_bf16 import as_bfloat16, factors_of, search_in_bf16
from nand_edge_export.precision.search_pattern import PRECISE


def in_bf16(memory: NDArray[np.float32]) -> onnx.ModelProto:
    model = search_model(memory, block=70)
    assert search_in_bf16(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def run_in_openvino(model: onnx.ModelProto, features: NDArray[np.float32]) -> NDArray[np.float32]:
    core = openvino.Core()
    read = core.read_model(model.SerializeToString())
    read.reshape({FEATURES: list(features.shape)})
    compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1})
    distances: NDArray[np.float32] = compiled({FEATURES: features})[DISTANCES]
    return distances


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=20))
def test_rounding_is_to_the_nearest_bfloat16(values: list[float]) -> None:
    array = np.array(values, np.float32)
    rounded = as_bfloat16(array)
    assert not (rounded.view(np.uint32) & 0xFFFF).any()
    assert (np.abs(rounded - array) <= np.abs(array) * 2.0**-8 + 1e-37).all()
    np.testing.assert_array_equal(as_bfloat16(rounded), rounded)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), patches=st.integers(1, 40), width=st.integers(1, 100))
def test_the_product_is_the_squared_distance_between_rounded_patches(seed: int, patches: int, width: int) -> None:
    generator = np.random.default_rng(seed)
    memory = unit_memory(generator, patches, width)
    factors = factors_of(memory)
    assert len(factors) % 32 == 0
    np.testing.assert_array_equal(as_bfloat16(factors), factors)
    frame = as_bfloat16(generator.standard_normal((5, width)).astype(np.float32)).astype(np.float64)
    squares = np.square(frame).sum(axis=1, keepdims=True)
    filled = np.zeros((5, len(factors) - width - 6))
    left = np.concatenate([frame, np.ones((5, 3)), squares, np.zeros((5, 2)), filled], axis=1)
    apart = frame[:, None] - as_bfloat16(memory)
    np.testing.assert_allclose(left @ factors, np.square(apart).sum(axis=2), atol=1e-6)


# Seven stored bits round a number by at most 2 ** -8 of itself, so a vector moves by at most 2 ** -8 of its length, and
# a distance by at most what its two ends move together (triangle inequality).
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), patches=st.integers(1, 300), width=st.integers(1, 60), far=st.floats(0.02, 8.0))
def test_distances_are_off_by_the_rounding_of_the_features_alone(
    seed: int, patches: int, width: int, far: float
) -> None:
    generator = np.random.default_rng(seed)
    memory = unit_memory(generator, patches, width, 4)
    drawn = memory[generator.integers(patches, size=(2, 15))]
    features = (drawn + far / np.sqrt(width) * generator.standard_normal(drawn.shape)).astype(np.float32)
    longest = np.sqrt(np.square(memory).sum(axis=1).max())
    rounding = 2.0**-8 * (np.sqrt(np.square(features).sum(axis=2)) + longest)
    assert (np.abs(run(in_bf16(memory), features) - exact(memory, features)) <= rounding + 2e-3).all()


def test_openvinos_bfloat16_keeps_short_distances() -> None:
    generator = np.random.default_rng(1)
    memory = unit_memory(generator, 700, 152, 8)
    features = (memory[:60] + 0.02 * generator.standard_normal((1, 60, 152))).astype(np.float32)
    found, wanted = run_in_openvino(in_bf16(memory), features), exact(memory, features)
    assert wanted.min() > 0.1
    # 8 bits of the features, of the squared distance and of its root; |m|^2 - 2 f m in 8 bits would be off by 0.1.
    assert np.abs(found - wanted).max() < 0.012


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_not_finite_is_seen_in_openvino(odd: float) -> None:
    generator = np.random.default_rng(2)
    memory = unit_memory(generator, 300, 24, 5)
    features = (0.2 * generator.standard_normal((1, 30, 24))).astype(np.float32)
    features[0, 7, 3] = odd
    found = run_in_openvino(in_bf16(memory), features)
    assert not found[0, 7] < 1e9
    assert np.isfinite(np.delete(found, 7, axis=1)).all()


def test_a_bundles_graph_keeps_its_maps_and_names_what_needs_float32(
    bundle: Bundle, unseen_frames: NDArray[np.uint8]
) -> None:
    path = bundle.path("graph.onnx")
    model = onnx.load(str(path))
    assert search_in_bf16(model)
    search = [node for node in model.graph.node if "/memory_search/" in node.name]
    precise = {node.op_type for node in search if f"/{PRECISE}" in node.name}
    assert {"Cast", "Mul", "Sub", "ReduceSum"} <= precise
    assert not {"MatMul", "ReduceMin"} & precise
    inputs = {"frames": unseen_frames, "threshold": np.array(-1e30, np.float32)}
    wanted = onnxruntime.InferenceSession(str(path)).run(["base_map", "anomaly_map"], inputs)
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(["base_map", "anomaly_map"], inputs)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=0.01)
