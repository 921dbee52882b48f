"""Base detectors that read the normality detection's encoder: one pass in the graph, and nothing in it too early."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from nand_edge.bundle import GRAPH, Bundle
from nand_edge.images import list_images
from nand_edge_export.clip import ClipEncoder, load_clip
from nand_edge_export.detectors.files import read_detector, write_detector
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.detectors.patchcore import PatchCore
from nand_edge_export.detectors.shots import Shots
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.fit import Fit, fit


def convolutions(bundle: Bundle) -> tuple[list[str], list[str]]:
    """Names of the convolutions that always run, and of those inside the gate."""
    graph = onnx.load(bundle.folder / GRAPH, load_external_data=False).graph
    (gate,) = (node for node in graph.node if node.name == "gate")
    inside = [node.name for body in gate.attribute for node in body.g.node if node.op_type == "Conv"]
    return [node.name for node in graph.node if node.op_type == "Conv"], inside


@pytest.fixture(scope="module")
def on_the_trunk(good_dir: Path) -> Fit:
    """PatchCore on the trunk of the embedded CLIP."""
    return fit(PatchCoreMethod(backbone="nand-tiny", memory_patches=200), good_dir)


def test_patchcore_on_the_clips_trunk_shares_the_pass_and_leaves_the_last_stage_to_the_gate(
    on_the_trunk: Fit, export: Export, encoder: ClipEncoder, unseen_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    """The export itself compares the graphs with torch on both sides of the gate."""
    made = dataclasses.replace(export, detector=on_the_trunk.detector)
    bundle = export_bundle(made, tmp_path / "trunk.nand", frames=list(unseen_frames))
    assert bundle.manifest.detector.shares_clip
    outside, inside = convolutions(bundle)
    trunk = encoder.tower.visual.trunk
    whole = sum(isinstance(module, torch.nn.Conv2d) for module in trunk.modules())
    assert len(outside) + len(inside) == whole - 1, "all but the head's convolution, which comes after the last tap"
    assert all(name.startswith("clip/") for name in (*outside, *inside))
    assert inside


def test_reading_the_encoder_changes_no_map(
    on_the_trunk: Fit, encoder: ClipEncoder, unseen_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    alone = on_the_trunk.detector
    assert alone.preprocessing == encoder.preprocessing
    image = encoder.preprocessing.prepare(unseen_frames)
    write_detector(alone, tmp_path / "fabric.detector")
    for detector in (alone, read_detector(tmp_path / "fabric.detector")):
        reader = detector.beside(encoder)
        assert reader.reads == ("features_3", "features_4")
        shared = reader(*encoder.read(image, reader.reads).values())
        torch.testing.assert_close(shared, alone(image), atol=1e-5, rtol=0)
        assert detector.reads == (), "the detector that was given is not changed"


def test_beside_another_encoder_patchcore_keeps_its_own_trunk(on_the_trunk: Fit) -> None:
    smaller = ClipEncoder(load_clip("nand-tiny", image_size=96))
    assert on_the_trunk.detector.beside(smaller) is on_the_trunk.detector


def test_patchcore_takes_the_trunk_of_any_clip(good_dir: Path, unseen_frames: NDArray[np.uint8]) -> None:
    clip = load_clip("ViT-S-32-alt:random", image_size=96)
    method = PatchCoreMethod(backbone="clip:ViT-S-32-alt:random", input_size=96, memory_patches=20)
    detector = method.fit(list_images(good_dir)).detector
    assert isinstance(detector, PatchCore)
    reader = detector.beside(ClipEncoder(clip, projection="random"))
    assert reader.reads == ("features_6", "features_9")
    assert float(detector(clip.preprocessing.prepare(unseen_frames)).amin()) >= 0.0


def test_few_shot_april_gan_shares_the_pass(
    export: Export, good_dir: Path, unseen_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    fitted = fit(AprilGanMethod("fabric", Shots(2)), good_dir)
    assert fitted.frames == 2
    assert len(fitted.unseen_scores) == len(list_images(good_dir)) - 2
    made = dataclasses.replace(export, detector=fitted.detector)
    bundle = export_bundle(made, tmp_path / "shots.nand", frames=list(unseen_frames))
    assert bundle.manifest.detector.shares_clip
    outside, inside = convolutions(bundle)
    assert outside
    assert not inside


def test_references_in_a_folder_do_not_choose_the_threshold(good_dir: Path, tmp_path: Path) -> None:
    """Not even when the folder's images are among the good frames."""
    (tmp_path / "references").mkdir()
    first, second, *_ = list_images(good_dir)
    for path in (first, second):
        (tmp_path / "references" / path.name).symlink_to(path)
    fitted = fit(AprilGanMethod("fabric", Shots(folder=tmp_path / "references")), good_dir)
    assert fitted.detector.settings["shots"] == 2
    assert len(fitted.unseen_scores) == len(list_images(good_dir)) - 2
