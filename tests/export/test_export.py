"""A bundle from real parts: what is in it, what it computes, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from nand_edge import signature
from nand_edge.bundle import GRAPH, GRAPH_FOR_OPENVINO, GRAPH_FOR_TENSORRT, PARITY, Bundle, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineState, Target
from nand_edge.normality import stack
from nand_edge.region import make_region
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.detectors.april_gan import AprilGan
from nand_edge_export.detectors.backbones import load_backbone
from nand_edge_export.detectors.patchcore import PatchCore, PatchFeatures
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.graph.assembly import GraphOptions
from nand_edge_export.normality import make_normality
from nand_edge_export.reference import Reference


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(
    path: Path, frames: NDArray[np.uint8], gate: float, given: dict[str, NDArray[np.float32]] | None
) -> dict[str, NDArray[np.float32]]:
    inputs = {signature.FRAMES: frames, signature.THRESHOLD: np.array(gate, np.float32), **(given or {})}
    return dict(zip(signature.OUTPUTS, session(path).run(list(signature.OUTPUTS), inputs), strict=True))


def test_a_bundle_says_what_it_is_and_what_was_proven(bundle: Bundle, export: Export) -> None:
    manifest = open_bundle(bundle.folder).manifest
    (engine,) = manifest.engines
    assert (engine.target, engine.state) == (Target.ONNX, EngineState.PARITY_CHECKED)
    assert engine.max_map_error is not None
    assert engine.max_map_error <= 1e-4
    assert manifest.clip.sha256 == export.clip.sha256
    assert manifest.clip.logit_scale == export.encoder.projections.logit_scale
    assert [normality.name for normality in manifest.normalities] == ["stain", "thread"]
    parity = json.loads((bundle.folder / PARITY).read_text())
    assert [graph["graph"] for graph in parity["graphs"]] == [GRAPH, GRAPH_FOR_TENSORRT, GRAPH_FOR_OPENVINO]
    assert all(graph["holds"] for graph in parity["graphs"])


@pytest.mark.parametrize("name", [GRAPH, GRAPH_FOR_TENSORRT, GRAPH_FOR_OPENVINO])
def test_both_graphs_pass_the_checker_and_share_their_weights(bundle: Bundle, name: str) -> None:
    path = bundle.folder / name
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path, load_external_data=False)
    assert {opset.domain: opset.version for opset in model.opset_import} == {"": 18}
    assert [value.name for value in model.graph.input] == list(signature.INPUTS)
    assert {value.name for value in model.graph.output} == set(signature.OUTPUTS)
    assert path.stat().st_size < 1 << 20


@pytest.mark.parametrize("name", [GRAPH, GRAPH_FOR_TENSORRT, GRAPH_FOR_OPENVINO])
@pytest.mark.parametrize("size", [(64, 64), (97, 201), (480, 640)])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_graph_gives_the_references_maps_for_any_frame_size_and_batch(
    bundle: Bundle, export: Export, name: str, size: tuple[int, int], batch: int
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (batch, *size, 3), dtype=np.uint8)
    expected = Reference(export.detector, export.encoder, export.scale).run(frames, export.stacked)
    found = run(bundle.folder / name, frames, -np.inf, export.inputs)
    for output in (signature.BASE_MAP, signature.SUPPRESSION_MAP, signature.ANOMALY_MAP, signature.SCORE):
        np.testing.assert_allclose(found[output], expected[output], atol=5e-3, err_msg=output)
    assert found[signature.CLIP_RAN].tolist() == [True] * batch


def test_the_gate_is_exact(bundle: Bundle, export: Export, unseen_frames: NDArray[np.uint8]) -> None:
    """Just above all base scores the CLIP branch is skipped and the base map is final; at one of them it runs."""
    opened = run(bundle.folder / GRAPH, unseen_frames, -np.inf, export.inputs)
    highest = float(opened[signature.BASE_SCORE].max())
    shut = run(bundle.folder / GRAPH, unseen_frames, float(np.nextafter(np.float32(highest), np.float32(np.inf))), None)
    assert not shut[signature.CLIP_RAN].any()
    assert not shut[signature.SUPPRESSION_MAP].any()
    np.testing.assert_array_equal(shut[signature.ANOMALY_MAP], shut[signature.BASE_MAP])
    np.testing.assert_array_equal(shut[signature.SCORE], shut[signature.BASE_SCORE])
    at = run(bundle.folder / GRAPH, unseen_frames, highest, None)
    assert at[signature.CLIP_RAN].tolist() == (at[signature.BASE_SCORE] >= np.float32(highest)).tolist()
    entered = at[signature.CLIP_RAN]
    np.testing.assert_allclose(at[signature.ANOMALY_MAP][entered], opened[signature.ANOMALY_MAP][entered], atol=1e-6)


def gates(export: Export, folder: Path, frames: NDArray[np.uint8]) -> Bundle:
    """A bundle whose graphs hold by the parity check, which runs each on both sides of the gate."""
    return export_bundle(export, folder / "gates.nand", frames=list(frames[:1]))


def of_several_methods(export: Export, method: str) -> Export:
    """Detectors that share nothing, a part, or all of the encoder's pass with the CLIP branch."""
    if method == "own image":
        return export
    encoder = export.encoder
    if method == "the encoder's tokens":
        features = [export.clip.text_features([prompt]) for prompt in ("a flawless fabric", "a damaged fabric")]
        text = torch.from_numpy(np.stack(features))
        detector: Detector = AprilGan(
            text, encoder.identity(), object_name="fabric", weights=export.clip.weights
        ).eval()
    else:
        backbone = load_backbone("nand-tiny", encoder.preprocessing.size)
        patch_features = PatchFeatures(backbone)
        memory = torch.cat([patch_features.of_frame(np.full((96, 96, 3), grey, np.uint8)) for grey in (90, 120)])
        detector = PatchCore(patch_features, backbone, memory[::40].clone()).eval()
    return dataclasses.replace(export, detector=detector)


@pytest.mark.parametrize("method", ["own image", "the trunk's first stages", "the encoder's tokens"])
def test_in_a_batch_only_suspicious_frames_enter_the_clip_branch(
    export: Export, unseen_frames: NDArray[np.uint8], tmp_path: Path, method: str
) -> None:
    made = gates(of_several_methods(export, method), tmp_path, unseen_frames)
    frames = np.concatenate([unseen_frames, unseen_frames[:, ::-1, ::-1]])
    for name in (GRAPH, GRAPH_FOR_TENSORRT):
        opened = run(made.folder / name, frames, np.nan, export.inputs)
        threshold = np.sort(opened[signature.BASE_SCORE])[3]
        found = run(made.folder / name, frames, float(threshold), export.inputs)
        entered = opened[signature.BASE_SCORE] >= threshold
        assert found[signature.CLIP_RAN].tolist() == entered.tolist()
        assert 0 < entered.sum() < len(frames)
        for output, base in ((signature.ANOMALY_MAP, signature.BASE_MAP), (signature.SCORE, signature.BASE_SCORE)):
            np.testing.assert_allclose(found[output][entered], opened[output][entered], rtol=1e-4, atol=1e-5)
            np.testing.assert_array_equal(found[output][~entered], found[base][~entered])


def test_an_early_exit_keeps_the_verdicts_and_a_score_graph_the_scores(
    export: Export, bundle: Bundle, unseen_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    options = GraphOptions(signature.SCORES, early_exit=True)
    made = gates(dataclasses.replace(export, graph=options), tmp_path, unseen_frames)
    assert made.manifest.graph.early_exit
    assert list(made.manifest.graph.outputs) == list(signature.SCORES)
    engine = session(made.folder / GRAPH)
    full = run(bundle.folder / GRAPH, unseen_frames, np.nan, None)
    for threshold in (*full[signature.SCORE] * 0.999, *full[signature.SCORE] * 1.001, 0.01):
        inputs = {signature.FRAMES: unseen_frames, signature.THRESHOLD: np.array(threshold, np.float32)}
        early = dict(zip(signature.SCORES, engine.run(list(signature.SCORES), inputs), strict=True))
        assert (early[signature.SCORE] < threshold).tolist() == (full[signature.SCORE] < threshold).tolist()
        whole = early[signature.TAPS_RUN] == len(export.encoder.taps)
        np.testing.assert_allclose(early[signature.SCORE][whole], full[signature.SCORE][whole], rtol=1e-5)


def test_the_exported_normalities_are_the_default(
    bundle: Bundle, export: Export, unseen_frames: NDArray[np.uint8]
) -> None:
    default = run(bundle.folder / GRAPH, unseen_frames, -np.inf, None)
    given = run(bundle.folder / GRAPH, unseen_frames, -np.inf, export.inputs)
    np.testing.assert_array_equal(default[signature.ANOMALY_MAP], given[signature.ANOMALY_MAP])


def test_normalities_are_changed_without_another_graph(
    bundle: Bundle, export: Export, unseen_frames: NDArray[np.uint8]
) -> None:
    both = run(bundle.folder / GRAPH, unseen_frames, -np.inf, export.inputs)
    single = [
        run(bundle.folder / GRAPH, unseen_frames, -np.inf, stack([normality], len(export.encoder.taps)).inputs())
        for normality in export.normalities
    ]
    kept = np.prod([1 - each[signature.SUPPRESSION_MAP] for each in single], axis=0)
    np.testing.assert_allclose(1 - both[signature.SUPPRESSION_MAP], kept, atol=1e-6)


def test_a_bundle_applies_its_region_on_both_sides_of_the_gate(
    export: Export, unseen_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    """The last frame has a hole at rows 60..72, columns 20..32 of 96; left out, it does not open the gate."""
    mask = np.zeros((96, 96), np.uint8)
    mask[48:84, 8:48] = 1
    cv2.imwrite(str(tmp_path / "holes.png"), mask)
    region = make_region(ignore_mask=tmp_path / "holes.png", frame_size=(96, 96))
    made = export_bundle(dataclasses.replace(export, region=region), tmp_path / "x.nand", frames=list(unseen_frames))

    assert made.manifest.region is not None
    assert made.region().aspect == 1
    assert region is not None
    np.testing.assert_array_equal(made.region().map, region.map)
    parity = json.loads((made.folder / PARITY).read_text())
    assert all(graph["holds"] for graph in parity["graphs"])

    frame, everywhere = unseen_frames[2:], {**export.inputs, signature.REGION: np.ones((256, 256), np.float32)}
    for name in (GRAPH, GRAPH_FOR_TENSORRT, GRAPH_FOR_OPENVINO):
        for gate in (-np.inf, np.inf):
            whole = run(made.folder / name, frame, gate, everywhere)
            within = run(made.folder / name, frame, gate, {**export.inputs, signature.REGION: region.map})
            for output in (signature.BASE_MAP, signature.ANOMALY_MAP):
                np.testing.assert_allclose(within[output], whole[output] * region.map, atol=1e-6)
        assert within[signature.BASE_SCORE] < whole[signature.BASE_SCORE]
    between = float((within[signature.BASE_SCORE] + whole[signature.BASE_SCORE])[0] / 2)
    default = run(made.folder / GRAPH, frame, between, None)
    assert not default[signature.CLIP_RAN].any()
    assert default[signature.SCORE] < between


def test_samples_of_other_proportions_than_the_region_are_refused(export: Export, tmp_path: Path) -> None:
    region = make_region(rectangle="0,0,640,100", frame_size=(640, 480))
    with pytest.raises(NandEdgeError, match="a frame of 96x96 pixels"):
        export_bundle(
            dataclasses.replace(export, region=region),
            tmp_path / "x.nand",
            frames=[np.zeros((96, 96, 3), np.uint8)],
        )
    assert not list(tmp_path.iterdir())


def test_april_gan_and_suppression_share_one_pass_of_the_encoder(
    clip: Clip, encoder: ClipEncoder, export: Export, tmp_path: Path
) -> None:
    detector = AprilGan(
        torch.from_numpy(np.stack([clip.text_features(["flawless fabric"]), clip.text_features(["damaged fabric"])])),
        encoder.identity(),
        object_name="fabric",
        weights=clip.weights,
        logit_scale=encoder.projections.logit_scale,
    ).eval()
    made = export_bundle(dataclasses.replace(export, detector=detector), tmp_path / "shared.nand")
    model = onnx.load(made.folder / GRAPH, load_external_data=False)
    stems = [node for node in model.graph.node if node.op_type == "Conv" and node.name.startswith("clip/")]
    gate = next(node for node in model.graph.node if node.name == "gate")
    inside = [node for branch in gate.attribute for node in branch.g.node if node.op_type == "Conv"]
    assert stems
    assert not inside
    assert made.manifest.detector.shares_clip


def test_a_normality_of_another_clip_is_refused_and_nothing_is_written(export: Export, tmp_path: Path) -> None:
    other = load_clip("ViT-S-32-alt:random", image_size=64)
    foreign = make_normality(other, "dark stain", "fabric", name="foreign")
    with pytest.raises(NandEdgeError, match=r"features of the CLIP 'ViT-S-32-alt:random'"):
        export_bundle(dataclasses.replace(export, normalities=[foreign]), tmp_path / "x.nand")
    assert not list(tmp_path.iterdir())


def test_a_graph_that_differs_from_the_reference_is_not_written(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nand_edge_export.export.MAX_MAP_ERROR", 0.0)
    with pytest.raises(NandEdgeError, match="maps off by"):
        export_bundle(export, tmp_path / "x.nand")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.folder", "two words.nand", ".nand"])
def test_a_name_that_no_bundle_has_is_refused(export: Export, tmp_path: Path, name: str) -> None:
    with pytest.raises(NandEdgeError, match=r"NAME\.nand"):
        export_bundle(export, tmp_path / name)


def test_two_normalities_of_one_name_are_refused(export: Export, tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="this name twice"):
        export_bundle(dataclasses.replace(export, normalities=[export.normalities[0]] * 2), tmp_path / "x.nand")
