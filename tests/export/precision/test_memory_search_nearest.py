from __future__ import annotations

import numpy as np
import onnx
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from searches import DISTANCES, FEATURES, exact, run, search_model, unit_memory

from nand_edge_export.precision.memory_search import IntegerMemory
from nand_edge_export.precision.memory_search_nearest import nearest_in_int8

ROUNDING = 1e-4


def in_int8(memory: NDArray[np.float32]) -> onnx.ModelProto:
    model = search_model(memory, block=70)
    assert nearest_in_int8(model, fewest_patches=1)
    onnx.checker.check_model(model, full_check=True)
    return model


def run_in_openvino(model: onnx.ModelProto, features: NDArray[np.float32]) -> NDArray[np.float32]:
    core = openvino.Core()
    read = core.read_model(model.SerializeToString())
    read.reshape({FEATURES: list(features.shape)})
    compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    distances: NDArray[np.float32] = compiled({FEATURES: features})[DISTANCES]
    return distances


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), patches=st.integers(2, 700), width=st.integers(1, 60), far=st.floats(0.02, 20.0))
def test_a_distance_is_never_too_short_and_too_long_by_the_rounding_at_most(
    seed: int, patches: int, width: int, far: float
) -> None:
    generator = np.random.default_rng(seed)
    memory = unit_memory(generator, patches, width, 4)
    drawn = memory[generator.integers(patches, size=(2, 25))]
    features = (drawn + far / np.sqrt(width) * generator.standard_normal(drawn.shape)).astype(np.float32)
    found, wanted = run(in_int8(memory), features), exact(memory, features)
    assert (found >= wanted * (1 - 1e-5)).all()
    integers = IntegerMemory.of(memory)
    assert integers is not None
    fineness = 127 * integers.unit // np.abs(features).max(axis=2)
    steps = np.sqrt(width) * (integers.step + integers.unit / np.clip(fineness, 1, 127))
    bound = np.sqrt(np.square(wanted + steps) + 4 * integers.step * integers.unit) + ROUNDING
    assert (found <= bound)[fineness >= 1].all()


def test_openvino_finds_what_the_exact_search_finds() -> None:
    generator = np.random.default_rng(1)
    memory = unit_memory(generator, 700, 152, 8)
    features = (memory[:200] + 0.03 * generator.standard_normal((1, 200, 152))).astype(np.float32)
    features[0, 150:] *= 5.0
    found, wanted = run_in_openvino(in_int8(memory), features), exact(memory, features)
    assert (np.abs(found - wanted) > ROUNDING).sum() <= 4
    assert np.abs(found - wanted).max() < 0.02


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_not_finite_is_seen_in_openvino(odd: float) -> None:
    generator = np.random.default_rng(2)
    memory = unit_memory(generator, 300, 24, 5)
    features = (0.2 * generator.standard_normal((1, 30, 24))).astype(np.float32)
    features[0, 7, 3] = odd
    found = run_in_openvino(in_int8(memory), features)
    assert not found[0, 7] < 1e9
    assert np.isfinite(np.delete(found, 7, axis=1)).all()


def test_a_small_memory_is_left_alone() -> None:
    model = search_model(unit_memory(np.random.default_rng(3), 99, 8))
    before = model.SerializeToString()
    assert not nearest_in_int8(model)
    assert model.SerializeToString() == before
