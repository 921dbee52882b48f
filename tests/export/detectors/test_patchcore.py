from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images, read_frame
from nand_edge_export.detectors.backbones import load_backbone
from nand_edge_export.detectors.files import read_detector, write_detector
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.detectors.patchcore import PatchCore, PatchFeatures
from nand_edge_export.fit import Fit


def image_of(detector: PatchCore, frames: NDArray[np.uint8]) -> torch.Tensor:
    assert detector.preprocessing is not None
    return detector.preprocessing.prepare(frames)


@pytest.fixture(scope="module")
def many_blocks() -> PatchCore:
    """A memory that takes three blocks, the last one not full."""
    backbone = load_backbone("tf_efficientnet_lite0", 96)
    features = PatchFeatures(backbone)
    memory = torch.randn(2500, features.width, generator=torch.Generator().manual_seed(0)) * 3.0 + 5.0
    return PatchCore(features, backbone, memory).eval()


def test_the_matmul_form_gives_the_distance_to_the_nearest_patch(many_blocks: PatchCore) -> None:
    memory = many_blocks.tensors()["memory"].double()
    centred = memory - memory.mean(dim=0)
    unit = centred.square().sum(dim=1).mean().sqrt()
    raw = torch.randn(1, 50, memory.shape[1], generator=torch.Generator().manual_seed(1)) * 3.0 + 5.0
    exact = torch.cdist(raw.double(), memory, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=2) / unit
    patches = (raw - many_blocks.centre.flatten()) * many_blocks.scale
    torch.testing.assert_close(many_blocks.distances(patches).double(), exact, atol=1e-5, rtol=0)


def test_a_hole_is_where_the_map_is_highest(detector: PatchCore, unseen_frames: NDArray[np.uint8]) -> None:
    maps = detector(image_of(detector, unseen_frames))
    assert maps.shape == (3, 256, 256)
    row, column = np.unravel_index(int(maps[2].argmax()), (256, 256))
    assert 60 <= row * 96 / 256 <= 72
    assert 20 <= column * 96 / 256 <= 32
    assert float(maps[2].max()) > 1.3 * float(maps[:2].max())


def test_frames_of_a_batch_do_not_influence_each_other(detector: PatchCore, unseen_frames: NDArray[np.uint8]) -> None:
    image = image_of(detector, unseen_frames)
    torch.testing.assert_close(detector(image)[1], detector(image[1:2])[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_onnx_graph_gives_the_same_map(
    tmp_path_factory: pytest.TempPathFactory, detector: PatchCore, unseen_frames: NDArray[np.uint8], batch: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "patchcore.onnx"
    image = image_of(detector, unseen_frames)
    if not path.exists():
        torch.onnx.export(
            detector, (image[:2],), path, dynamo=True, opset_version=18, dynamic_shapes=(({0: "N"},),), verbose=False
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: image[:batch].numpy()})[0]
    np.testing.assert_allclose(found, detector(image[:batch]).numpy(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("backbone", ["wide_resnet50_2:random", "mobilenetv3_small_100:random"])
def test_other_backbones_give_the_same_map_in_onnx(tmp_path: Path, good_dir: Path, backbone: str) -> None:
    method = PatchCoreMethod(backbone=backbone, input_size=64, memory_patches=30)
    frames = list_images(good_dir)
    detector = method.fit(frames[:2]).detector
    assert isinstance(detector, PatchCore)
    image = image_of(detector, np.stack([read_frame(frame) for frame in frames[2:4]]))
    path = tmp_path / "patchcore.onnx"
    torch.onnx.export(detector, (image,), path, dynamo=True, opset_version=18, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: image.numpy()})[0]
    np.testing.assert_allclose(found, detector(image).detach().numpy(), atol=1e-4, rtol=0)


def test_a_detector_file_holds_all_of_it(
    tmp_path: Path, fitted: Fit, detector: PatchCore, unseen_frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_detector(detector, tmp_path / "textile.detector")
    monkeypatch.setattr("nand_edge_export.detectors.backbones.load_backbone", None)  # The package is not needed again.
    again = read_detector(tmp_path / "textile.detector")
    image = image_of(detector, unseen_frames)
    torch.testing.assert_close(again(image), detector(image), rtol=0, atol=0)
    assert again.record() == detector.record()
    assert again.threshold == fitted.detector.threshold is not None
    assert again.preprocessing == detector.preprocessing


def test_a_truncated_or_foreign_detector_file_is_refused(tmp_path: Path, detector: PatchCore) -> None:
    path = tmp_path / "textile.detector"
    write_detector(detector, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(NandEdgeError, match="cannot be read"):
        read_detector(path)
    path.write_bytes(b"no detector")
    with pytest.raises(NandEdgeError, match="cannot be read"):
        read_detector(path)
    with pytest.raises(NandEdgeError, match="no such file"):
        read_detector(tmp_path / "missing.detector")


def test_a_memory_with_nan_is_not_written(tmp_path: Path, detector: PatchCore) -> None:
    backbone = load_backbone("tf_efficientnet_lite0", 96)
    damaged = PatchCore(detector.features, backbone, torch.full((4, detector.features.width), torch.nan))
    with pytest.raises(NandEdgeError, match="NaN or infinity in 'memory'"):
        write_detector(damaged, tmp_path / "x.detector")
    assert list(tmp_path.iterdir()) == []
