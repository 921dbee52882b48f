"""A bundle whose base detector is somebody's ONNX model: both graphs agree with it, and engines are built of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import onnx
import onnx_models as hand_made
import pytest

from nand_edge.bundle import GRAPH, Bundle
from nand_edge.manifest import EngineState, Target
from nand_edge_export.detectors.onnx_model import OnnxModel
from nand_edge_export.engines import BuildOptions
from nand_edge_export.engines.build import build_engine
from nand_edge_export.export import Export, export_bundle

MODELS = {
    "uint8 frames": hand_made.camera(),
    "a branch inside": hand_made.with_branch(),
    "chunks of two": hand_made.ranked(2),
}


@pytest.fixture(params=MODELS)
def bundle(request: pytest.FixtureRequest, export: Export, tmp_path: Path) -> Bundle:
    made = OnnxModel.from_file(hand_made.save(MODELS[request.param], tmp_path))
    return export_bundle(dataclasses.replace(export, detector=made), tmp_path / "somebody.nand")


def test_engines_of_all_targets_are_made_of_it(bundle: Bundle) -> None:
    """The export compares both graphs with the original model, with the gate open and shut."""
    parity = json.loads((bundle.folder / "parity.json").read_text())
    assert all(graph["holds"] for graph in parity["graphs"])
    graph = onnx.load_model(bundle.folder / GRAPH, load_external_data=False)
    assert {opset.domain: opset.version for opset in graph.opset_import} == {"": 18}

    openvino = build_engine(bundle, Target.OPENVINO).manifest.engines[-1]
    assert openvino.state is EngineState.PARITY_CHECKED
    pytest.importorskip("tensorrt_rtx_bindings", reason="the extra rtx is not installed")
    options = BuildOptions(compute_capability="8.6", max_batch=3, max_side=256)
    assert build_engine(bundle, Target.TENSORRT_RTX, options).manifest.engines[-1].limits["max_batch"] == 3
