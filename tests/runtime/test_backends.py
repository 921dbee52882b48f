from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest
from toy_bundle import Spot, write_toy_bundle

from nand_edge.bundle import add_engine, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge_runtime import Inspector
from nand_edge_runtime.backends import TargetUnavailableError, candidates

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
MAPS = ("base_map", "suppression_map", "anomaly_map")


@needs_openvino
def test_openvino_agrees_with_onnx_runtime(toy_bundle: Path, spot: Spot) -> None:
    with Inspector(toy_bundle, target="onnx") as onnx, Inspector(toy_bundle, target="openvino", threads=1) as openvino:
        assert openvino.target is Target.OPENVINO
        for normalities in (["bright"], ["dark"], ["bright", "dark"], []):
            for inspector in (onnx, openvino):
                inspector.set_normalities(normalities)
            for inside in (60, 230):
                expected, found = onnx.inspect(spot(inside)), openvino.inspect(spot(inside))
                assert found.verdict is expected.verdict
                assert found.clip_ran == expected.clip_ran
                assert found.score == pytest.approx(expected.score, abs=1e-5)
                for name in MAPS:
                    np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-4)


@needs_openvino
def test_results_of_openvino_stay_when_the_next_frame_comes(toy_bundle: Path, spot: Spot) -> None:
    with Inspector(toy_bundle, target="openvino") as inspector:
        first = inspector.inspect(spot(inside=230))
        before = first.base_map.copy()
        inspector.inspect(spot(inside=60))
    np.testing.assert_array_equal(first.base_map, before)


@needs_openvino
def test_openvino_runs_the_frames_of_a_batch_one_by_one(toy_bundle: Path, spot: Spot) -> None:
    frames = [spot(inside=value) for value in (60, 230)]
    with Inspector(toy_bundle, target="openvino") as inspector:
        together = inspector.inspect_batch(frames)
        assert [inspection.clip_ran for inspection in together] == [False, True]
        assert [inspection.score for inspection in together] == [inspector.inspect(frame).score for frame in frames]


@needs_openvino
def test_openvino_counts_frames_that_are_no_numbers_as_rejects(tmp_path: Path, spot: Spot) -> None:
    bundle = write_toy_bundle(tmp_path / "nan.nand", base_gain=float("nan"))
    with Inspector(bundle, target="openvino") as inspector:
        assert inspector.inspect(spot()).verdict.value == "reject"


def test_an_unknown_target_is_named(toy_bundle: Path) -> None:
    with pytest.raises(NandEdgeError, match="target 'tpu': found an unknown name, needed one of onnx, openvino"):
        Inspector(toy_bundle, target="tpu")


def test_an_unknown_provider_is_named(toy_bundle: Path) -> None:
    with pytest.raises(NandEdgeError, match="provider 'rocm': found an unknown name, needed one of cpu, cuda"):
        Inspector(toy_bundle, provider="rocm")


def test_a_provider_belongs_to_onnx_runtime(toy_bundle: Path) -> None:
    with pytest.raises(NandEdgeError, match="provider 'cuda': found target 'openvino'"):
        Inspector(toy_bundle, target="openvino", provider="cuda")


@needs_openvino
def test_openvino_computes_in_bf16_when_asked_and_says_so(toy_bundle: Path, spot: Spot) -> None:
    with Inspector(toy_bundle) as exact, Inspector(toy_bundle, target="openvino", precision="bf16") as quick:
        assert quick.device == "CPU, bf16"
        assert quick.inspect(spot()).base_score == pytest.approx(exact.inspect(spot()).base_score, rel=0.05)


@pytest.mark.parametrize(("target", "precision"), [(None, "bf16"), ("onnx", "bf16"), ("openvino", "int4")])
def test_a_precision_that_the_target_does_not_have_is_refused(
    toy_bundle: Path, target: str | None, precision: str
) -> None:
    with pytest.raises(NandEdgeError, match=f"precision '{precision}': found target"):
        Inspector(toy_bundle, target=target, precision=precision)


def test_cuda_is_never_exchanged_for_the_cpu(toy_bundle: Path, spot: Spot, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        with Inspector(toy_bundle, provider="cuda") as inspector:
            assert inspector.device == "CUDA"
            assert inspector.inspect(spot()).verdict.value == "pass"
    except TargetUnavailableError as error:
        assert "provider 'cuda' of ONNX Runtime" in str(error)  # noqa: PT017 - a machine may have CUDA or not
    assert capfd.readouterr() == ("", ""), "one sentence, not the library's own lines"


def test_engines_for_gpus_come_first_and_openvino_only_by_name(own_bundle: Path) -> None:
    bundle = open_bundle(own_bundle)
    assert candidates(bundle) == (Target.ONNX,)
    for target in (Target.OPENVINO, Target.TENSORRT_RTX, Target.TENSORRT):
        record = EngineRecord(
            target=target, file="graph.onnx", state=EngineState.BUILT_NOT_RUN, compute_capability="8.6"
        )
        bundle = add_engine(bundle, record)
    assert candidates(bundle) == (Target.TENSORRT, Target.TENSORRT_RTX, Target.ONNX)


@pytest.mark.parametrize("target", [Target.TENSORRT, Target.TENSORRT_RTX])
def test_a_gpu_engine_on_a_machine_without_gpu(
    own_bundle: Path, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    """Named, it is refused with the reason; unnamed, the next engine takes its place and the log says why."""
    engine = EngineRecord(target=target, file="graph.onnx", state=EngineState.BUILT_NOT_RUN, compute_capability="1.0")
    bundle = add_engine(open_bundle(own_bundle), engine)
    with pytest.raises(TargetUnavailableError, match=f"target '{target.value}'.*found .*, needed "):
        Inspector(bundle, target=target)
    with caplog.at_level(logging.INFO), Inspector(bundle) as inspector:
        assert inspector.target is Target.ONNX
    assert f"target {target.value} passed over" in caplog.text


def test_a_graph_that_is_no_graph(own_bundle: Path) -> None:
    bundle = open_bundle(own_bundle)
    (own_bundle / "graph.onnx").write_bytes(b"not a graph")
    with pytest.raises(NandEdgeError, match=r"engine 'graph.onnx' of bundle 'own': found a graph that ONNX Runtime"):
        Inspector(bundle)
