"""Observing and rounding values wherever they stand, and keeping what suffers most."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from small_network import BASE, GATE, RESULT, open_runs, small_network

from nand_edge_export.precision.float8 import LARGEST_E4M3, e4m3_tensor
from nand_edge_export.precision.frames import session_of
from nand_edge_export.precision.layers import find_layers
from nand_edge_export.precision.nested import expose, places
from nand_edge_export.precision.observation import RANGES, Histogram, Range, by_percentile, observe
from nand_edge_export.precision.rounding import Kind, Rounding, quantise, values_to_observe
from nand_edge_export.precision.sensitivity import Judge, keep_sensitive

LAYERS = ["conv_deep", "conv_wide", "matmul_first", "matmul_second"]
ALIKE = dict.fromkeys(LAYERS, 1000)


def ranges_of(model: onnx.ModelProto) -> dict[str, Range]:
    names = values_to_observe(model.graph, find_layers(model.graph))
    return {name: RANGES["extremes"](each) for name, each in observe(model, names, open_runs(4)).items()}


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.ModelProto.FromString(model.SerializeToString())


def results(model: onnx.ModelProto, *, fused: bool = True) -> list[list[NDArray[np.float32]]]:
    session = session_of(model, fused=fused)
    return [session.run([BASE, RESULT], each) for each in open_runs(4)]


def test_a_value_in_a_body_is_seen_and_is_empty_where_the_body_is_not_taken() -> None:
    model = small_network()
    shown = expose(model, ["positive", "clamped"])
    session = session_of(model)
    (run,) = open_runs(1)

    opened = session.run([shown["positive"], shown["clamped"]], run)
    shut = session.run([shown["positive"]], run | {GATE: np.array(0, np.float32)})

    assert opened[0].shape == (1, 64)
    assert opened[0].min() >= 0
    assert opened[1].max() <= 6
    assert shut[0].size == 0


def test_layers_are_found_in_bodies_too_and_the_first_one_is_left_out() -> None:
    graph = small_network().graph

    assert [layer.name for layer in find_layers(graph)] == LAYERS
    assert [layer.name for layer in find_layers(graph, stems=True)] == ["conv_stem", *LAYERS]


def test_a_product_before_a_search_for_the_nearest_is_no_layer() -> None:
    model = small_network()
    then = next(place for place in places(model.graph) if place.node.name == "relu").graph
    search = onnx.helper.make_node("ReduceMin", ["open_result"], ["nearest"], name="nearest", keepdims=0)
    then.node.append(search)

    assert [layer.name for layer in find_layers(model.graph)] == LAYERS[:-1]


@pytest.mark.parametrize("weights_in_body", [True, False])
@pytest.mark.parametrize(
    ("rounding", "allowed"),
    [(Rounding(), 0.05), (Rounding(outputs=False), 0.05), (Rounding(Kind.SIGNED, outputs=False), 0.05)],
)
def test_rounded_models_compute_nearly_the_same(rounding: Rounding, allowed: float, *, weights_in_body: bool) -> None:
    exact = small_network(weights_in_body=weights_in_body)
    rounded = copy_of(exact)

    assert quantise(rounded, find_layers(rounded.graph), ranges_of(exact), rounding) == LAYERS

    onnx.checker.check_model(rounded, full_check=True)
    for one, other in zip(results(exact), results(rounded), strict=True):
        for values, lowered in zip(one, other, strict=True):
            assert np.abs(values - lowered).max() < allowed * np.abs(values).max()
            assert np.abs(values - lowered).max() > 0


def test_onnx_runtime_runs_convolutions_and_products_in_integers(tmp_path: Path) -> None:
    model = small_network()
    quantise(model, find_layers(model.graph), ranges_of(model), Rounding())
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    session.run(None, open_runs(1)[0])

    events = json.loads(Path(session.end_profiling()).read_text())
    ran = Counter(event["args"]["op_name"] for event in events if event["name"].endswith("_kernel_time"))
    assert ran["QLinearConv"] == 2
    assert ran["Conv"] + ran["FusedConv"] == 1  # the stem
    assert ran["MatMulIntegerToFloat"] + ran["QLinearMatMul"] == 2
    assert ran["MatMul"] == 0


def test_a_channel_that_is_all_bias_keeps_its_bias() -> None:
    model = small_network()
    for tensor in model.graph.initializer:
        if tensor.name == "wide":
            weights = onnx.numpy_helper.to_array(tensor).copy()
            weights[-1] *= 1e-20
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights, "wide"))
    rounded = copy_of(model)
    quantise(rounded, find_layers(rounded.graph), ranges_of(model), Rounding())

    for one, other in zip(results(model), results(rounded), strict=True):
        assert np.abs(one[0][:, -1] - other[0][:, -1]).max() < 0.03 * np.abs(one[0]).max()


def test_float8_is_rounded_to_its_own_numbers() -> None:
    values = np.array([0, 1, -1.06, 447, 1e9, -1e9, 2**-9, 2**-12], np.float32)

    found = onnx.numpy_helper.to_array(e4m3_tensor(values)).astype(np.float32)

    assert found.tolist() == [0, 1, -1, 448, LARGEST_E4M3, -LARGEST_E4M3, 2**-9, 0]


def test_a_model_in_float8_computes_nearly_the_same() -> None:
    exact = small_network()
    rounded = copy_of(exact)
    rounded.opset_import[0].version = 19
    quantise(rounded, find_layers(rounded.graph), ranges_of(exact), Rounding(Kind.FLOAT8, outputs=False))

    onnx.checker.check_model(rounded, full_check=True)
    for one, other in zip(results(exact), results(rounded, fused=False), strict=True):
        assert 0 < np.abs(one[1] - other[1]).max() < 0.2 * np.abs(one[1]).max()


def test_the_layers_that_suffer_most_are_kept() -> None:
    model = small_network()
    ranges = ranges_of(model)
    # As if calibration had never seen a large value of this one.
    ranges["positive"] = Range(0.0, ranges["positive"].high / 50)
    judge = Judge(model, open_runs(4))

    kept, error = keep_sensitive(model, ranges, Rounding(), judge, allowed=0.05, told=lambda _: None)

    assert kept == ["matmul_second"]
    assert error <= 0.05


@pytest.mark.parametrize("cheap", ["conv_wide", "matmul_second"])
def test_of_layers_that_suffer_alike_the_cheap_one_is_kept(cheap: str) -> None:
    model = small_network()
    ranges = ranges_of(model)
    for source, part in (("clamped_2", 0.5), ("positive", 0.7)):
        ranges[source] = Range(0.0, ranges[source].high * part)
    judge, rounding = Judge(model, open_runs(4)), Rounding(outputs=False)
    costs = ALIKE | {cheap: 1}

    kept, error = keep_sensitive(model, ranges, rounding, judge, costs=costs, allowed=0.15, told=lambda _: None)

    assert kept == [cheap]
    assert error <= 0.15


def test_a_layer_costs_its_products_and_the_values_that_it_moves() -> None:
    side, rows = 16 * 16, 1
    read = {"conv_deep": 8 * side, "conv_wide": 8 * side, "matmul_first": 8 * side, "matmul_second": 64}

    costs = {layer.name: layer.cost(read[layer.name]) for layer in find_layers(small_network().graph)}

    assert costs == {
        "conv_deep": side * 8 * 9 + 8 * (8 + 8) * side,
        "conv_wide": side * 8 * 8 + 8 * (8 + 8) * side,
        "matmul_first": rows * 8 * side * 64 + 8 * (8 * side + 64),
        "matmul_second": rows * 64 * 64 + 8 * (64 + 64),
    }


def test_a_convolution_with_strides_has_fewer_positions() -> None:
    model = small_network()
    wide = next(place.node for place in places(model.graph) if place.node.name == "conv_wide")
    wide.attribute.append(onnx.helper.make_attribute("strides", [2, 2]))

    (layer,) = [each for each in find_layers(model.graph) if each.name == "conv_wide"]

    assert layer.cost(8 * 16 * 16) == 64 * 8 * 8 + 8 * (8 * 256 + 8 * 64)


def test_a_percentile_cuts_what_is_rare() -> None:
    histogram = Histogram()
    values = np.concatenate([np.random.default_rng(0).uniform(0, 1, 100_000), [100.0]]).astype(np.float32)
    histogram.widen(values)
    histogram.count(values)

    assert RANGES["extremes"](histogram).high == 100
    assert by_percentile(histogram).high < 2
    assert RANGES["error"](histogram).low == 0
