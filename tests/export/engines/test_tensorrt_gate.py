"""The gate as TensorRT gets it: the graph's own loop over the frames, built for real and run in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from toy_gated_graph import TAPS, WIDTH, gated_graph, run

from nand_edge import signature
from nand_edge.bundle import GRAPH_FOR_TENSORRT, Bundle, open_bundle, write_manifest
from nand_edge.manifest import Target
from nand_edge_export.engines import BuildOptions, tensorrt_rtx
from nand_edge_export.engines.build import build_engine
from nand_edge_export.engines.turing import replace_fp32_products
from nand_edge_export.graph.builder import IR_VERSION, OPSET


@pytest.fixture
def bundle_of_three_taps(bundle: Bundle) -> Bundle:
    """The toy bundle, for a CLIP of three taps and wider tokens; its other graphs are not looked at."""
    clip = bundle.manifest.clip.model_copy(update={"taps": (1, 2, 3), "width": WIDTH})
    write_manifest(bundle.folder, bundle.manifest.model_copy(update={"clip": clip}))
    return open_bundle(bundle.folder)


@pytest.mark.parametrize(("precision", "early_exit"), [("fp32", True), ("fp16", False)])
def test_a_loop_with_the_whole_encoder_behind_its_gate_is_built(
    bundle_of_three_taps: Bundle, precision: str, *, early_exit: bool
) -> None:
    pytest.importorskip("tensorrt_rtx_bindings", reason="the extra rtx is not installed")
    onnx.save(gated_graph(precision, early_exit=early_exit), bundle_of_three_taps.path(GRAPH_FOR_TENSORRT))
    options = BuildOptions(compute_capability="8.6", max_batch=4, max_side=512)

    record = build_engine(bundle_of_three_taps, Target.TENSORRT_RTX, options).manifest.engines[-1]

    assert bundle_of_three_taps.path(record.file).stat().st_size > 100_000


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_loop_lets_in_the_suspicious_frames_alone(precision: str) -> None:
    results = run(gated_graph(precision, early_exit=False), [40, 200, 90, 220], threshold=0.6)

    assert results[signature.CLIP_RAN].tolist() == [False, True, False, True]
    assert results[signature.TAPS_RUN].tolist() == [0, TAPS, 0, TAPS]
    shut = ~results[signature.CLIP_RAN]
    np.testing.assert_array_equal(results[signature.SCORE][shut], results[signature.BASE_SCORE][shut])
    assert (results[signature.SCORE][~shut] < results[signature.BASE_SCORE][~shut]).all()


def test_each_frame_of_a_batch_leaves_the_loop_at_its_own_tap() -> None:
    full, early = (gated_graph("fp32", early_exit=exit_) for exit_ in (False, True))
    taps = set()
    for threshold in (0.05, 0.2, 0.35, 0.5):
        wanted, found = (run(model, [30, 120, 250, 170], threshold) for model in (full, early))
        np.testing.assert_array_equal(
            found[signature.SCORE] >= threshold, wanted[signature.SCORE] >= threshold, "the verdicts are the same"
        )
        taps |= set(found[signature.TAPS_RUN].tolist())
    assert len(taps) > 2, "some frames stay out, some leave early and some stay longer"


def test_tensorrt_wants_the_condition_of_a_loop_given(tmp_path: Path) -> None:
    trt = pytest.importorskip("tensorrt_rtx_bindings", reason="the extra rtx is not installed")
    model = gated_graph("fp32", early_exit=False)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    loop.input[1] = ""
    onnx.save(model, tmp_path / "loop.onnx")
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    network = builder.create_network(0)
    assert not trt.OnnxParser(network, trt.Logger(trt.Logger.INTERNAL_ERROR)).parse_from_file(
        str(tmp_path / "loop.onnx")
    )


class TestTuring:
    """For compute capability 7.5 no float32 product may be left in the graph."""

    def test_products_are_put_otherwise_and_maps_stay(self) -> None:
        model = gated_graph("fp32", early_exit=True)
        wanted = run(model, [30, 120, 250, 170], 0.35)

        replace_fp32_products(model)

        onnx.checker.check_model(model, full_check=True)
        found = run(model, [30, 120, 250, 170], 0.35)
        np.testing.assert_array_equal(found[signature.TAPS_RUN], wanted[signature.TAPS_RUN])
        for name in (*signature.MAPS, signature.SCORE):
            # One grey level is 0.004; fp16 keeps eleven bits.
            np.testing.assert_allclose(found[name], wanted[name], atol=0.01, err_msg=name)

    def test_it_is_built_for_it(self, bundle_of_three_taps: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("tensorrt_rtx_bindings", reason="the extra rtx is not installed")
        # The toy's networks are too small for fp16 by the rule of real ones: fp32 all the way, put otherwise.
        monkeypatch.setattr(tensorrt_rtx, "_FROM", {})
        onnx.save(gated_graph("fp32", early_exit=False), bundle_of_three_taps.path(GRAPH_FOR_TENSORRT))
        options = BuildOptions(compute_capability="7.5,8.6", max_batch=4, max_side=512)

        record = build_engine(bundle_of_three_taps, Target.TENSORRT_RTX, options).manifest.engines[-1]

        assert record.compute_capability == "7.5,8.6"
        assert "for 7.5" in str(record.lowered_by["products_left_in_fp32"])

    @pytest.mark.parametrize(
        ("operator", "right", "attributes"),
        [
            ("MatMul", (6, 5), {}),
            ("Gemm", (5, 6), {"transB": 1}),
            ("Gemm", (6, 5), {}),
            ("Gemm", (6, 5), {"alpha": 0.5}),
        ],
    )
    def test_a_product_with_constant_weights(
        self, operator: str, right: tuple[int, int], attributes: dict[str, float]
    ) -> None:
        model = product(operator, right, attributes)
        rows = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
        wanted = run_product(model, rows)

        replace_fp32_products(model)

        exact = "alpha" not in attributes
        assert ("Conv" in {node.op_type for node in model.graph.node}) is exact
        np.testing.assert_allclose(run_product(model, rows), wanted, atol=1e-6 if exact else 1e-2)


def product(operator: str, right: tuple[int, int], attributes: dict[str, float]) -> onnx.ModelProto:
    """Rows times a matrix, with a bias for Gemm."""
    random = np.random.default_rng(1)
    constants = {"right": random.normal(size=right), "bias": random.normal(size=5)}
    inputs = ["rows", "right", "bias"][: 3 if operator == "Gemm" else 2]
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["result"], **attributes)],
        "product",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("result", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def run_product(model: onnx.ModelProto, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The result in ONNX Runtime."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: NDArray[np.float32] = session.run(None, {"rows": rows})[0]
    return result
