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
from nand_edge_export.precision.memory_search_nearest import leading_directions, nearest_in_int8

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
def test_a_distance_is_never_too_short_and_too_long_by_the_rounding_and_what_was_left_out_at_most(
    seed: int, patches: int, width: int, far: float
) -> None:
    generator = np.random.default_rng(seed)
    memory = unit_memory(generator, patches, width, 4)
    drawn = memory[generator.integers(patches, size=(2, 25))]
    features = (drawn + far / np.sqrt(width) * generator.standard_normal(drawn.shape)).astype(np.float32)
    found, wanted = run(in_int8(memory), features), exact(memory, features)
    assert (found >= wanted * (1 - 1e-5)).all()
    centre, directions = leading_directions(memory)
    turned, turned_memory = (features - centre) @ directions, (memory - centre) @ directions
    integers = IntegerMemory.of(turned_memory)
    assert integers is not None
    fineness = 127 * integers.unit // np.abs(turned).max(axis=2)
    steps = np.sqrt(directions.shape[1]) * (integers.step + integers.unit / np.clip(fineness, 1, 127))
    # What was left out tells the nearest patch, too, from the one that was found.
    apart = features - centre - turned @ directions.T
    apart_memory = memory - centre - turned_memory @ directions.T
    left_out = np.linalg.norm(apart[:, :, None] - apart_memory, axis=3).max(axis=2)
    chosen = np.square(wanted + steps) + 4 * integers.step * integers.unit
    bound = np.sqrt(chosen + np.square(left_out)) + ROUNDING
    assert (found <= bound)[fineness >= 1].all()


@given(seed=st.integers(0, 2**32 - 1), patches=st.integers(2, 200), width=st.integers(1, 60), spread=st.integers(1, 60))
def test_the_leading_directions_hold_what_is_asked_of_them(seed: int, patches: int, width: int, spread: int) -> None:
    memory = unit_memory(np.random.default_rng(seed), patches, width, spread)
    centre, directions = leading_directions(memory)
    count = directions.shape[1]
    assert count == width or count % 16 == 0
    np.testing.assert_allclose(directions.T @ directions, np.eye(count), atol=1e-5)
    patches_there = memory - centre
    assert np.square(patches_there @ directions).sum() >= 0.949 * np.square(patches_there).sum() - 1e-6


def test_few_directions_are_enough_for_a_memory_that_varies_in_few() -> None:
    generator = np.random.default_rng(4)
    memory = (generator.standard_normal((700, 8)) @ generator.standard_normal((8, 152))).astype(np.float32)
    assert leading_directions(memory)[1].shape == (152, 16)


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
