from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from searches import FEATURES, exact, run, search_model, unit_memory

from nand_edge.bundle import Bundle
from nand_edge_export.detectors.patchcore import PatchCore
from nand_edge_export.detectors.reweighting import NEIGHBOURS
from nand_edge_export.graph.conversion import EXAMPLE_BATCH, convert
from nand_edge_export.precision.memory_search import IntegerMemory, blocks_of_near, search_in_int8
from nand_edge_export.precision.search_pattern import find_search

ROUNDING = 2e-3
"""What float32 makes of a squared difference of near-equal numbers, as a distance."""


def in_int8(memory: NDArray[np.float32], *, block: int = 16) -> onnx.ModelProto:
    model = search_model(memory, block=70)
    assert search_in_int8(model, block=block, fewest_patches=1)
    onnx.checker.check_model(model, full_check=True)
    return model


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    patches=st.integers(1, 300),
    width=st.integers(1, 48),
    groups=st.integers(1, 12),
    frames=st.integers(1, 3),
    block=st.integers(1, 64),
    far=st.floats(0.1, 6.0),
)
def test_it_finds_what_the_exact_search_finds(
    *, seed: int, patches: int, width: int, groups: int, frames: int, block: int, far: float
) -> None:
    generator = np.random.default_rng(seed)
    memory = unit_memory(generator, patches, width, groups)
    if not memory.any():
        memory[0, 0] = 1.0
    drawn = memory[generator.integers(patches, size=(frames, 21))]
    features = (drawn + far / np.sqrt(width) * generator.standard_normal(drawn.shape)).astype(np.float32)
    found, wanted = run(in_int8(memory, block=block), features), exact(memory, features)
    assert (found > wanted - ROUNDING).all()
    # Even where the nearest patch stands in a block that was not looked at, the rounding of two patches bounds it.
    integers = IntegerMemory.of(memory)
    assert integers is not None
    finest = integers.unit / np.clip(127 * integers.unit // np.abs(features).max(axis=2), 1, 127)
    steps = np.sqrt(width) * (integers.step + finest)
    assert (found <= np.sqrt(np.square(wanted + steps) + 4 * integers.step * integers.unit) + ROUNDING).all()
    assert (np.abs(found - wanted) > ROUNDING).sum() <= 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(30, 200))
def test_hardly_a_patch_in_ten_thousand_differs(seed: int, width: int) -> None:
    generator = np.random.default_rng(seed)
    memory = unit_memory(generator, 600, width, 20)
    drawn = memory[generator.integers(600, size=(4, 250))]
    features = (drawn + 0.4 / np.sqrt(width) * generator.standard_normal(drawn.shape)).astype(np.float32)
    wrong = np.abs(run(in_int8(memory, block=40), features) - run(search_model(memory), features)) > ROUNDING
    assert wrong.sum() <= 1


def test_a_frame_has_the_same_distances_alone_and_in_a_batch() -> None:
    generator = np.random.default_rng(1)
    memory = unit_memory(generator, 200, 24, 5)
    features = generator.standard_normal((3, 30, 24)).astype(np.float32)
    model = in_int8(memory)
    alone = np.concatenate([run(model, features[[frame]]) for frame in range(3)])
    np.testing.assert_allclose(run(model, features), alone, atol=1e-6)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_seen_and_spoils_no_other_patch(odd: float) -> None:
    generator = np.random.default_rng(2)
    memory = unit_memory(generator, 200, 24, 5)
    features = (0.2 * generator.standard_normal((2, 30, 24))).astype(np.float32)
    model = in_int8(memory)
    usual = run(model, features)
    features[1, 7, 3] = odd
    found = run(model, features)
    assert np.isnan(found[1, 7]) if np.isnan(odd) else not found[1, 7] < 1e9
    others = np.ones_like(usual, dtype=bool)
    others[1, 7] = False
    np.testing.assert_allclose(found[others], usual[others], atol=1e-6)


def test_patches_far_from_the_memory_are_looked_up_in_few_blocks() -> None:
    generator = np.random.default_rng(11)
    memory = unit_memory(generator, 400, 32, 8)
    features = (3.0 * memory[:100] + 0.1 * generator.standard_normal((1, 100, 32))).astype(np.float32)
    model = in_int8(memory)
    counts = next(node.input[1] for node in model.graph.node if node.op_type == "Split")
    model.graph.output.append(helper.make_tensor_value_info(counts, TensorProto.INT64, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    looked_up = session.run([counts], {FEATURES: features})[0]
    assert 100 <= looked_up.sum() < 400  # of 2,500


def test_patches_of_the_memory_itself_are_at_no_distance() -> None:
    memory = unit_memory(np.random.default_rng(3), 400, 32, 8)
    assert run(in_int8(memory), memory[np.newaxis]).max() < ROUNDING + 1e-2


@pytest.mark.parametrize(("patches", "width"), [(1, 1), (1, 2048), (40, 2048), (17, 3)])
def test_the_largest_numbers_fit_the_integers(patches: int, width: int) -> None:
    generator = np.random.default_rng(4)
    memory = generator.choice(np.array([-1.0, 1.0], np.float32), (patches, width))
    features = np.concatenate([memory, -memory, 100 * memory, -100 * memory])[np.newaxis]
    found, wanted = run(in_int8(memory), features), exact(memory, features)
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=5e-2)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), patches=st.integers(1, 60), width=st.integers(1, 300), spread=st.floats(0, 3))
def test_integer_products_are_the_rounded_distances(seed: int, patches: int, width: int, spread: float) -> None:
    generator = np.random.default_rng(seed)
    memory = unit_memory(generator, patches, width) * np.exp(spread * generator.standard_normal((patches, 1)))
    memory = memory.astype(np.float32)
    integers = IntegerMemory.of(memory)
    if integers is None:
        return
    assert integers.columns.dtype == np.int8
    assert np.abs(integers.columns.astype(int)).max() <= 64  # so that 16 bits hold two products with 8 bits
    assert len(integers.columns) == width + integers.places <= width + max(8, width // 8) + 1
    fineness = generator.integers(1, 128)
    frame = generator.integers(-127, 128, (9, width))
    patches = frame * (integers.unit / fineness)
    products = frame @ integers.columns[:width].astype(np.int64)
    products = products + fineness * integers.columns[width:].astype(np.int64).sum(axis=0)
    worth = 2.0 * integers.step * integers.unit
    squared = worth / fineness * products + 2.0 * integers.offset + np.square(patches).sum(axis=1, keepdims=True)
    rounded = -integers.columns[:width].T * integers.step
    wanted = np.square(patches[:, None] - rounded).sum(axis=2)
    np.testing.assert_allclose(squared, wanted, rtol=1e-9, atol=0.51 * worth)
    assert np.abs(rounded - memory).max() <= 0.51 * integers.step


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), patches=st.integers(1, 200), block=st.integers(1, 70), equal=st.booleans())
def test_blocks_share_the_memory_out_evenly(seed: int, patches: int, block: int, *, equal: bool) -> None:
    memory = np.random.default_rng(seed).standard_normal((patches, 5)).astype(np.float32)
    if equal:
        memory[:] = memory[0]
    blocks = blocks_of_near(memory, block)
    assert sorted(np.concatenate(blocks).tolist()) == list(range(patches))
    sizes = [len(rows) for rows in blocks]
    assert max(sizes) <= block
    assert max(sizes) - min(sizes) <= 1 + max(sizes) // 8 + len(blocks).bit_length()


def test_groups_of_the_memory_come_into_blocks_of_their_own() -> None:
    generator = np.random.default_rng(5)
    group = np.arange(64) % 4
    memory = (np.outer([0, 1, 5, 7], np.ones(8))[group] + 0.1 * generator.standard_normal((64, 8))).astype(np.float32)
    assert all(len(set(group[rows])) == 1 for rows in blocks_of_near(memory, 16))


def test_a_small_memory_or_one_of_zeros_is_left_alone() -> None:
    for memory, fewest in ((unit_memory(np.random.default_rng(6), 99, 8), 100), (np.zeros((50, 8), np.float32), 1)):
        model = search_model(memory)
        before = model.SerializeToString()
        assert not search_in_int8(model, fewest_patches=fewest)
        assert model.SerializeToString() == before


def test_a_search_that_shows_its_products_is_left_alone() -> None:
    model = search_model(unit_memory(np.random.default_rng(7), 99, 8))
    product = next(node.output[0] for node in model.graph.node if node.op_type == "MatMul")
    model.graph.output.append(helper.make_tensor_value_info(product, TensorProto.FLOAT, None))
    assert find_search(model.graph) is None


def test_factors_that_are_no_patches_with_their_squares_are_left_alone() -> None:
    model = search_model(unit_memory(np.random.default_rng(8), 99, 8))
    block = next(tensor for tensor in model.graph.initializer if tensor.name.startswith("block"))
    values = onnx.numpy_helper.to_array(block).copy()
    values[-1] += 0.5
    block.CopyFrom(onnx.numpy_helper.from_array(values, block.name))
    assert find_search(model.graph) is None


def converted(detector: PatchCore) -> onnx.ModelProto:
    """A detector as an export converts it, alone."""
    side = detector.input_size
    graph = convert(detector, [torch.zeros(EXAMPLE_BATCH, 3, side, side)], ["image"], ["base_map"])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def test_the_search_of_a_real_patchcore_is_found_and_its_maps_stay(detector: PatchCore) -> None:
    assert len(detector.memory) >= NEIGHBOURS
    detector = PatchCore(
        detector.features, detector._backbone, detector.memory, image_score="reweighted", unit=detector.unit
    ).with_added(detector.memory[:31] + 0.01, frames=1)
    model = converted(detector)
    before = onnx.ModelProto()
    before.CopyFrom(model)
    found = find_search(model.graph)
    assert found is not None
    assert found.memory.shape == detector.memory.shape
    # What reads the squared distances lets a NaN through; `Clip` does not in OpenVINO.
    assert {node.op_type for node in model.graph.node if found.squared in node.input} == {"Less", "Where"}
    assert search_in_int8(model, block=32, fewest_patches=1)
    onnx.checker.check_model(model, full_check=True)
    images = np.random.default_rng(9).standard_normal((2, 3, detector.input_size, detector.input_size))
    maps = [
        onnxruntime.InferenceSession(each.SerializeToString()).run(None, {"image": images.astype(np.float32)})[0]
        for each in (before, model)
    ]
    assert maps[0].max() > 0.1
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-4)


def test_a_bundles_graph_gives_the_same_maps(bundle: Bundle, unseen_frames: NDArray[np.uint8]) -> None:
    path = bundle.path("graph.onnx")
    model = onnx.load(str(path))
    assert search_in_int8(model, block=32, fewest_patches=1)
    inputs = {"frames": unseen_frames, "threshold": np.array(-1e30, np.float32)}
    names = ["score", "anomaly_map", "base_score", "base_map"]
    wanted = onnxruntime.InferenceSession(str(path)).run(names, inputs)
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(names, inputs)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
