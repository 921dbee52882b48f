from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from nand_edge.suppression import NormalityTensors, normality_map, suppress
from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder
from nand_edge_export.graph.maps import maximum
from nand_edge_export.graph.suppression import Suppression

GRIDS = ((7, 5), (3, 4))
WIDTH, SIZE = 6, 32


def run(build: Callable[[Builder], str], inputs: dict[str, NDArray[Any]], *, rank: int) -> NDArray[Any]:
    """Run what `build` adds to an empty graph in ONNX Runtime."""
    builder = Builder()
    output = build(builder)
    declared = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * x.ndim) for name, x in inputs.items()]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None] * rank)
    graph = helper.make_graph(builder.nodes, "test", declared, [result], list(builder.initializers.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[Any] = session.run(None, inputs)[0]
    return found


def unit(generator: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    values = generator.normal(size=shape)
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 3),
    normalities=st.integers(1, 4),
    count=st.integers(1, 5),
    scale=st.floats(1, 100),
)
def test_the_graph_computes_the_softmax_of_eq_2_and_the_product_of_eq_6(
    seed: int, batch: int, normalities: int, count: int, scale: float
) -> None:
    generator = np.random.default_rng(seed)
    tokens = [unit(generator, batch, rows * columns, WIDTH) for rows, columns in GRIDS]
    vectors = NormalityTensors(
        unit(generator, normalities, len(GRIDS), 2, count, WIDTH),
        generator.normal(size=(normalities, len(GRIDS), 2, count)).astype(np.float32),
    )

    def kept(builder: Builder) -> str:
        suppression = Suppression(builder, GRIDS, scale, SIZE)
        total = builder.op("Add", *(suppression.tap_map(tap, f"tokens_{tap}") for tap in range(len(GRIDS))))
        return suppression.kept_share(total)

    found = run(
        kept,
        {"tokens_0": tokens[0], "tokens_1": tokens[1], **vectors.inputs()},
        rank=3,
    )
    base = np.ones((batch, SIZE, SIZE), np.float32)
    expected, _ = suppress(base, normality_map(tokens, GRIDS, vectors, logit_scale=scale, map_size=SIZE))
    np.testing.assert_allclose(found, expected, atol=2e-5)


@given(
    maps=st.lists(st.lists(st.floats(0, 100, width=32), min_size=6, max_size=6), min_size=1, max_size=4),
    broken=st.sampled_from([None, np.nan, np.inf]),
    place=st.integers(0, 5),
)
def test_the_maximum_is_the_maps_and_never_loses_a_nan(
    maps: list[list[float]], broken: float | None, place: int
) -> None:
    values = np.array(maps, np.float32).reshape(-1, 2, 3)
    if broken is not None:
        values[0].reshape(-1)[place] = broken
    found = run(lambda builder: maximum(builder, "maps"), {"maps": values}, rank=1)
    np.testing.assert_array_equal(found, values.max(axis=(1, 2)))


@pytest.mark.parametrize("value", [3, 2.5, [0, 0, 4, 4]])
def test_constants_keep_their_shape_and_are_shared(value: Any) -> None:
    builder = Builder()
    first, second = builder.constant(value), builder.constant(value)
    assert first == second
    assert list(builder.initializers[first].dims) == list(np.shape(value))
