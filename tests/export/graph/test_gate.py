from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from nand_edge import signature
from nand_edge.inspection import decide
from nand_edge.suppression import NormalityTensors, normality_map, score, suppress
from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder
from nand_edge_export.graph.clip_branch import ClipBranch
from nand_edge_export.graph.gate import Gated, Select, add_gate
from nand_edge_export.graph.lowering import Gate
from nand_edge_export.graph.maps import output_info
from nand_edge_export.graph.suppression import Suppression, broken_normalities

GRIDS = ((7, 5), (3, 4), (5, 5))
WIDTH, SIZE, SCALE = 6, 16, 20.0
Arrays = dict[str, NDArray[Any]]


@cache
def session(gate: Gate, *, early_exit: bool) -> onnxruntime.InferenceSession:
    """A graph whose base map and tokens are inputs: all that follows them in a real one."""
    builder = Builder()
    broken = broken_normalities(builder)

    def branch(select: Select) -> Any:
        suppression = Suppression(builder, GRIDS, SCALE, SIZE)
        branch = ClipBranch(
            suppression, lambda tap: select(f"tokens_{tap}"), signature.OUTPUTS, broken, early_exit=early_exit
        )
        return branch.outputs(select(signature.BASE_MAP))

    add_gate(builder, gate, Gated("detected", signature.OUTPUTS, SIZE, len(GRIDS), broken, branch))
    shapes: dict[str, list[Any]] = {
        "detected": ["N", SIZE, SIZE],
        **{f"tokens_{tap}": ["N", rows * columns, WIDTH] for tap, (rows, columns) in enumerate(GRIDS)},
        signature.THRESHOLD: [],
        signature.NORMALITY_FEATURES: ["K", len(GRIDS), 2, "V", WIDTH],
        signature.NORMALITY_BIAS: ["K", len(GRIDS), 2, "V"],
        signature.REGION: [SIZE, SIZE],
    }
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [output_info(name, SIZE) for name in signature.OUTPUTS]
    graph = helper.make_graph(builder.nodes, "gate", inputs, outputs, list(builder.initializers.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(gate: Gate, feed: Arrays, threshold: float, *, early_exit: bool = False) -> Arrays:
    own = session(gate, early_exit=early_exit)
    names = [output.name for output in own.get_outputs()]
    return dict(zip(names, own.run(names, {**feed, signature.THRESHOLD: np.array(threshold, np.float32)}), strict=True))


@st.composite
def batches(draw: st.DrawFn) -> tuple[Arrays, float]:
    """Frames as a detector and an encoder leave them, some of them broken, and a threshold among their scores."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames, normalities, vectors = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    detected = generator.random((frames, SIZE, SIZE), dtype=np.float32) * generator.random((frames, 1, 1))
    detected = detected.astype(np.float32) * draw(st.sampled_from([1e-3, 1.0, 1e6]))
    for frame, value in draw(st.dictionaries(st.integers(0, 4), st.sampled_from([np.nan, np.inf]), max_size=2)).items():
        if frame < frames:
            detected[frame, 3, 5] = value
    tensors = NormalityTensors(
        _unit(generator, normalities, len(GRIDS), 2, vectors, WIDTH),
        generator.normal(scale=5, size=(normalities, len(GRIDS), 2, vectors)).astype(np.float32),
    )
    if draw(st.integers(0, 9)) == 0:
        tensors.features[-1, -1, 1, -1, 2] = draw(st.sampled_from([np.nan, np.inf]))
    feed: Arrays = {
        "detected": detected,
        **{
            f"tokens_{tap}": _unit(generator, frames, rows * columns, WIDTH)
            for tap, (rows, columns) in enumerate(GRIDS)
        },
        **tensors.inputs(),
        signature.REGION: (generator.random((SIZE, SIZE)) < draw(st.sampled_from([0.3, 1.0]))).astype(np.float32),
    }
    final = run(Gate.WHOLE, feed, np.nan)[signature.SCORE]
    near = [float(value) for value in (*score(detected), *final) if np.isfinite(value)] or [0.5]
    threshold = draw(st.sampled_from(near)) * draw(st.sampled_from([0.5, 0.999, 1.0, 1.001, 2.0]))
    return feed, float(np.float32(threshold))


def _unit(generator: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    values = generator.normal(size=shape)
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def verdicts(outputs: Arrays, threshold: float) -> list[str]:
    return [decide(float(value), threshold).value for value in outputs[signature.SCORE]]


@pytest.mark.parametrize("gate", [Gate.GATHERED, Gate.LOOPED])
@settings(max_examples=150, deadline=None)
@given(batch=batches())
def test_only_suspicious_frames_enter_and_each_comes_out_as_if_it_had_been_alone(
    gate: Gate, batch: tuple[Arrays, float]
) -> None:
    feed, threshold = batch
    together = run(gate, feed, threshold)
    suspicious = ~(together[signature.BASE_SCORE] < np.float32(threshold))
    if not all(np.isfinite(feed[name]).all() for name in (signature.NORMALITY_FEATURES, signature.NORMALITY_BIAS)):
        suspicious[:] = True
    np.testing.assert_array_equal(together[signature.CLIP_RAN], suspicious)
    np.testing.assert_array_equal(together[signature.TAPS_RUN], np.where(suspicious, len(GRIDS), 0))
    for place in range(len(suspicious)):
        of_frame = {name: values[place : place + 1] for name, values in feed.items() if name.startswith(("det", "tok"))}
        alone = run(Gate.WHOLE, {**feed, **of_frame}, threshold)
        for name in signature.OUTPUTS:
            np.testing.assert_allclose(together[name][place], alone[name][0], rtol=1e-5, atol=1e-6, err_msg=name)


@settings(max_examples=150, deadline=None)
@given(batch=batches())
def test_the_gate_changes_no_verdict_and_no_score_that_reaches_the_threshold(batch: tuple[Arrays, float]) -> None:
    feed, threshold = batch
    gated, everything = run(Gate.GATHERED, feed, threshold), run(Gate.GATHERED, feed, np.nan)
    assert everything[signature.CLIP_RAN].all()
    assert verdicts(gated, threshold) == verdicts(everything, threshold)
    entered = gated[signature.CLIP_RAN]
    for name in (signature.SCORE, signature.ANOMALY_MAP, signature.SUPPRESSION_MAP):
        np.testing.assert_allclose(gated[name][entered], everything[name][entered], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gate", [Gate.GATHERED, Gate.LOOPED])
@settings(max_examples=200, deadline=None)
@given(batch=batches())
def test_the_early_exit_has_the_full_graphs_verdict_and_bounds_on_its_score(
    gate: Gate, batch: tuple[Arrays, float]
) -> None:
    feed, threshold = batch
    full, early = run(gate, feed, threshold), run(gate, feed, threshold, early_exit=True)
    assert verdicts(early, threshold) == verdicts(full, threshold)
    np.testing.assert_array_equal(early[signature.CLIP_RAN], full[signature.CLIP_RAN])
    for place, taps in enumerate(early[signature.TAPS_RUN]):
        found, expected = early[signature.SCORE][place], full[signature.SCORE][place]
        if taps in (0, len(GRIDS)):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        elif decide(float(expected), threshold).value == "pass":
            assert expected <= found < threshold
        else:
            assert threshold <= found <= expected


def test_the_early_exit_spares_taps_where_nothing_can_change_the_verdict() -> None:
    generator = np.random.default_rng(0)
    tokens = {f"tokens_{tap}": _unit(generator, 1, r * c, WIDTH) for tap, (r, c) in enumerate(GRIDS)}
    features = np.zeros((1, len(GRIDS), 2, 1, WIDTH), np.float32)
    silent = NormalityTensors(features, np.broadcast_to(np.float32([[0], [-50]]), (1, len(GRIDS), 2, 1)).copy())
    feed = {
        "detected": np.full((1, SIZE, SIZE), 0.9, np.float32),
        **tokens,
        **silent.inputs(),
        signature.REGION: np.ones((SIZE, SIZE), np.float32),
    }
    # Nothing is suppressed at the first tap; the two others can take away two thirds at most.
    taps = {
        threshold: run(Gate.GATHERED, feed, threshold, early_exit=True)[signature.TAPS_RUN][0]
        for threshold in (0.25, 0.5, 0.8)
    }
    assert taps == {0.25: 1, 0.5: 2, 0.8: 3}


@settings(max_examples=50, deadline=None)
@given(batch=batches())
def test_the_bound_before_the_last_tap_is_the_methods(batch: tuple[Arrays, float]) -> None:
    feed, threshold = batch
    if not all(np.isfinite(values).all() for values in feed.values()):
        return
    early = run(Gate.LOOPED, feed, threshold, early_exit=True)
    for place, taps in enumerate(early[signature.TAPS_RUN].tolist()):
        if taps not in range(1, len(GRIDS)):
            continue
        features, bias = (feed[name][:, :taps] for name in (signature.NORMALITY_FEATURES, signature.NORMALITY_BIAS))
        tokens = [feed[f"tokens_{tap}"][place : place + 1] for tap in range(taps)]
        own = NormalityTensors(features, bias)
        mean = normality_map(tokens, GRIDS[:taps], own, logit_scale=SCALE, map_size=SIZE)
        value = early[signature.SCORE][place]
        others = 0 if value < threshold else len(GRIDS) - taps
        final, _ = suppress(early[signature.BASE_MAP][place : place + 1], (mean * taps + others) / len(GRIDS))
        np.testing.assert_allclose(value, final.max(), rtol=1e-4, atol=1e-6)
