from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper

from nand_edge.errors import NandEdgeError
from nand_edge_export.detectors.backbones import load_backbone
from nand_edge_export.detectors.files import read_detector, write_detector
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.detectors.patchcore import REWEIGHTED, PatchCore, PatchFeatures
from nand_edge_export.detectors.reweighting import nearest_in_memory, weight
from nand_edge_export.graph.builder import IR_VERSION, OPSET
from nand_edge_export.graph.conversion import convert


def reweighted(features: PatchFeatures, memory: torch.Tensor) -> PatchCore:
    return PatchCore(features, load_backbone("tf_efficientnet_lite0", 96), memory, image_score=REWEIGHTED).eval()


@pytest.fixture(scope="module")
def with_weight(detector: PatchCore) -> PatchCore:
    """The fitted detector with the reweighted image score."""
    return reweighted(detector.features, detector.memory)


def equation_7(patches: torch.Tensor, memory: torch.Tensor) -> float:
    """The weight of one frame as the paper writes it, patches float64 [P, C], memory float64 [M, C]."""
    apart = torch.cdist(patches, memory, compute_mode="donot_use_mm_for_euclid_dist")
    patch = int(apart.amin(dim=1).argmax())
    nearest = int(apart[patch].argmin())
    around = torch.cdist(memory[nearest : nearest + 1], memory, compute_mode="donot_use_mm_for_euclid_dist")[0]
    neighbours = around.argsort()[:9]
    exponentials = apart[patch][neighbours].exp()
    return 1.0 - float(apart[patch, nearest].exp() / exponentials.sum())


def test_the_map_is_multiplied_by_the_weight_of_the_paper(
    detector: PatchCore, with_weight: PatchCore, unseen_frames: NDArray[np.uint8]
) -> None:
    for frame in unseen_frames:
        expected = equation_7(detector.features.of_frame(frame).double(), detector.memory.double())
        torch.testing.assert_close(
            with_weight.map_of(frame), detector.map_of(frame) * expected, atol=1e-4, rtol=0, check_dtype=False
        )


def test_the_weight_is_least_in_a_crowd_and_never_below_eight_ninths() -> None:
    crowd, line = torch.zeros(9, 2), torch.stack([torch.arange(1.0, 10.0) * 100.0, torch.zeros(9)], dim=1)
    memory = torch.cat([crowd, line + 1000.0])
    patches = torch.tensor([[0.0, 5.0], [1095.0, 1000.0]])
    weights = weight(torch.cdist(patches, memory), nearest_in_memory(memory))
    assert float(weights[0]) == pytest.approx(8 / 9, abs=1e-6)
    assert float(weights[1]) == pytest.approx(1.0, abs=1e-6)


def test_a_patch_of_the_memory_is_its_own_nearest_one_even_among_equals() -> None:
    memory = torch.cat([torch.ones(12, 3), torch.randn(1100, 3, generator=torch.Generator().manual_seed(0))])
    nearest = nearest_in_memory(memory)
    assert nearest.shape == (1112, 9)
    assert nearest[:, 0].tolist() == list(range(1112))
    assert all(len(set(row)) == 9 for row in nearest.tolist())


def test_the_onnx_graph_gives_the_same_maps_frame_by_frame_and_as_a_batch(
    with_weight: PatchCore, unseen_frames: NDArray[np.uint8]
) -> None:
    assert with_weight.preprocessing is not None
    image = with_weight.preprocessing.prepare(unseen_frames)
    graph = convert(with_weight, [image[:2]], ["image"])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (together,) = session.run(None, {"image": image.numpy()})
    np.testing.assert_allclose(together, with_weight(image).numpy(), atol=1e-4, rtol=0)
    for place in range(3):
        (alone,) = session.run(None, {"image": image[place : place + 1].numpy()})
        np.testing.assert_allclose(alone[0], together[place], atol=1e-5, rtol=0)


def test_the_detector_file_keeps_it(tmp_path: Path, with_weight: PatchCore, unseen_frames: NDArray[np.uint8]) -> None:
    write_detector(with_weight, tmp_path / "textile.detector")
    again = read_detector(tmp_path / "textile.detector")
    assert isinstance(again, PatchCore)
    assert again.record() == with_weight.record()
    torch.testing.assert_close(again.map_of(unseen_frames[2]), with_weight.map_of(unseen_frames[2]), rtol=0, atol=0)


def test_a_memory_without_nine_patches_and_an_unknown_word_are_refused(detector: PatchCore) -> None:
    with pytest.raises(NandEdgeError, match="a memory of 8 patches, needed at least the 9 neighbours"):
        reweighted(detector.features, detector.memory[:8])
    with pytest.raises(NandEdgeError, match="a memory of 5 patches"):
        PatchCoreMethod(image_score=REWEIGHTED, memory_patches=5)
    with pytest.raises(NandEdgeError, match="needed maximum or reweighted"):
        PatchCoreMethod(image_score="median")
