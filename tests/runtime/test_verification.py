from __future__ import annotations

import importlib.util
from pathlib import Path

import onnx
import pytest
from toy_bundle import toy_graph, toy_manifest, write_toy_bundle

from nand_edge.bundle import add_engine, open_bundle, write_manifest
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge_runtime.verification import Outcome, verify_bundle

HAS_OPENVINO = importlib.util.find_spec("openvino") is not None


def test_engines_agree_with_the_numpy_reference(toy_bundle: Path) -> None:
    checks = {check.target: check for check in verify_bundle(open_bundle(toy_bundle))}
    onnx_check = checks[Target.ONNX]
    assert onnx_check.outcome is Outcome.AGREES
    assert onnx_check.max_map_error is not None
    assert onnx_check.max_map_error < 1e-5
    assert onnx_check.verdicts_equal == onnx_check.samples == 2
    assert checks[Target.OPENVINO].outcome is (Outcome.AGREES if HAS_OPENVINO else Outcome.CANNOT_RUN)


def test_a_graph_that_computes_something_else_differs(own_bundle: Path) -> None:
    """Its hashes are right, so only the samples can tell."""
    onnx.save(toy_graph(base_gain=0.4 / 255), own_bundle / "graph.onnx")
    write_manifest(own_bundle, toy_manifest("own"))
    (check,) = verify_bundle(open_bundle(own_bundle), [Target.ONNX])
    assert check.outcome is Outcome.DIFFERS
    assert "maps are off by 0.59" in check.reason


def test_maps_that_are_no_numbers_differ(own_bundle: Path) -> None:
    onnx.save(toy_graph(base_gain=float("nan")), own_bundle / "graph.onnx")
    write_manifest(own_bundle, toy_manifest("own"))
    (check,) = verify_bundle(open_bundle(own_bundle), [Target.ONNX])
    assert check.outcome is Outcome.DIFFERS
    assert "maps are off by inf" in check.reason
    assert "2 of 2 verdicts differ" in check.reason


def test_an_engine_that_cannot_run_here_is_listed_with_the_reason(own_bundle: Path) -> None:
    engine = EngineRecord(
        target=Target.TENSORRT, file="graph.onnx", state=EngineState.BUILT_NOT_RUN, compute_capability="1.0"
    )
    bundle = add_engine(open_bundle(own_bundle), engine)
    checks = {check.target: check for check in verify_bundle(bundle)}
    assert checks[Target.TENSORRT].outcome is Outcome.CANNOT_RUN
    assert "target 'tensorrt'" in checks[Target.TENSORRT].reason
    assert checks[Target.TENSORRT].to_json()["outcome"] == "cannot run here"


def test_a_bundle_without_samples_says_so(tmp_path: Path) -> None:
    bundle = write_toy_bundle(tmp_path / "bare.nand", base_gain=float("nan"))
    with pytest.raises(NandEdgeError, match=r"samples of bundle 'bare': found no samples/reference.safetensors"):
        verify_bundle(open_bundle(bundle))


def test_samples_that_are_damaged_say_so(own_bundle: Path) -> None:
    bundle = open_bundle(own_bundle)
    (own_bundle / "samples/reference.safetensors").write_bytes(b"\x00" * 50)
    with pytest.raises(NandEdgeError, match="cannot be read"):
        verify_bundle(bundle)
