from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnx import helper

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import WeightsSource
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.detectors.april_gan import AprilGan
from nand_edge_export.detectors.files import read_detector, write_detector
from nand_edge_export.graph.builder import IR_VERSION, OPSET
from nand_edge_export.graph.conversion import EXAMPLE_BATCH, convert

GRIDS = ((15, 15), (6, 9))
WIDTH = 24
CHANNELS = 20
IDENTITY: dict[str, str | int] = {
    "clip": "some-clip",
    "clip_sha256": "a" * 64,
    "input_size": 240,
    "projection_sha256": "b" * 64,
    "taps": "3 5",
    "grids": "15x15 6x9",
}


def unit(*shape: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def tokens(batch: int) -> tuple[torch.Tensor, ...]:
    return tuple(unit(batch, rows * columns, WIDTH, seed=rows) for rows, columns in GRIDS)


def features(batch: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(batch)
    return tuple(torch.randn(batch, CHANNELS, *grid, generator=generator) for grid in GRIDS)


def april_gan_of(memory: Sequence[torch.Tensor] = ()) -> AprilGan:
    return AprilGan(
        unit(2, WIDTH, seed=1),
        IDENTITY,
        object_name="carpet",
        weights=WeightsSource(name="some-clip", sha256="a" * 64, licence="none"),
        memory=memory,
        shots=2 if memory else 0,
    ).eval()


def few_shot_free(detector: AprilGan) -> AprilGan:
    """The same detector without its memory."""
    tensors = {"text_features": detector.tensors()["text_features"]}
    return AprilGan.from_tensors(tensors, detector.settings, None, detector.weights)


def of_encoder(encoder: ClipEncoder) -> AprilGan:
    return AprilGan(
        unit(2, encoder.width, seed=1),
        encoder.identity(),
        object_name="carpet",
        weights=WeightsSource(name="some-clip", sha256="a" * 64, licence="none"),
    ).eval()


@pytest.fixture(scope="module")
def april_gan() -> AprilGan:
    return april_gan_of()


@pytest.fixture(scope="module")
def few_shot() -> AprilGan:
    return april_gan_of([unit(40, CHANNELS, seed=3), unit(30, CHANNELS, seed=4)])


def test_the_map_is_the_official_releases(april_gan: AprilGan) -> None:
    text = april_gan.tensors()["text_features"]
    expected = torch.zeros(3, 256, 256)
    for tap, (rows, columns) in zip(tokens(3), GRIDS, strict=True):
        logits = (100.0 * tap @ text.T).permute(0, 2, 1).reshape(3, 2, rows, columns)
        logits = F.interpolate(logits, size=256, mode="bilinear", align_corners=True)
        expected += torch.softmax(logits, dim=1)[:, 1]
    torch.testing.assert_close(april_gan(*tokens(3)), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shots", [0, 2])
def test_the_onnx_graph_gives_the_same_map(shots: int, few_shot: AprilGan, april_gan: AprilGan) -> None:
    detector = few_shot if shots else april_gan

    def inputs(batch: int) -> tuple[torch.Tensor, ...]:
        return (*tokens(batch), *features(batch)) if shots else tokens(batch)

    graph = convert(detector, inputs(EXAMPLE_BATCH), detector.reads)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        feeds = {name: tensor.numpy() for name, tensor in zip(detector.reads, inputs(batch), strict=True)}
        expected = detector(*inputs(batch)).numpy()
        np.testing.assert_allclose(session.run(None, feeds)[0], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("batch", [1, 3])
def test_with_reference_frames_the_map_is_the_official_releases(few_shot: AprilGan, batch: int) -> None:
    """Each tap adds 1 minus the highest cosine to a patch of the references, upsampled with corners aligned."""
    expected = few_shot_free(few_shot)(*tokens(batch))
    for number, tap in enumerate(features(batch)):
        memory = few_shot.tensors()[f"memory_{number}"]
        cosine = F.cosine_similarity(tap.flatten(2)[:, :, :, None], memory.T[None, :, None, :], dim=1)
        farness = (1 - cosine).amin(dim=2).unflatten(1, tap.shape[2:])
        expected += F.interpolate(farness[:, None], size=256, mode="bilinear", align_corners=True)[:, 0]
    torch.testing.assert_close(few_shot(*tokens(batch), *features(batch)), expected, atol=1e-4, rtol=0)


def test_what_the_references_show_is_not_far_from_them() -> None:
    image = torch.randn(1, CHANNELS, 15, 15, generator=torch.Generator().manual_seed(0))
    own = F.normalize(image[0].flatten(1).T, dim=-1)
    detector = april_gan_of(memory=[own, unit(4, CHANNELS, seed=2)])
    far = torch.full((1, CHANNELS, 6, 9), 0.0)
    difference = detector(*tokens(1), image, far) - few_shot_free(detector)(*tokens(1))
    torch.testing.assert_close(difference, torch.ones_like(difference), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shots", [0, 2])
def test_a_detector_file_gives_the_same_map(
    tmp_path: Path, shots: int, few_shot: AprilGan, april_gan: AprilGan
) -> None:
    detector = few_shot if shots else april_gan
    inputs = (*tokens(1), *features(1)) if shots else tokens(1)
    write_detector(detector, tmp_path / "carpet.detector")
    again = read_detector(tmp_path / "carpet.detector")
    torch.testing.assert_close(again(*inputs), detector(*inputs), rtol=0, atol=0)
    assert again.record() == detector.record()
    assert again.record().shares_clip
    assert again.threshold is None


def test_a_memory_that_lacks_a_tap_is_refused(few_shot: AprilGan) -> None:
    tensors = {name: tensor for name, tensor in few_shot.tensors().items() if name != "memory_1"}
    with pytest.raises(NandEdgeError, match="a memory of 1 parts for 2 taps"):
        AprilGan.from_tensors(tensors, few_shot.settings, None, few_shot.weights)


def test_the_encoder_that_it_was_made_with_is_taken(clip: Clip, encoder: ClipEncoder) -> None:
    detector = of_encoder(encoder)
    assert detector.beside(encoder) is detector
    assert detector.beside(ClipEncoder(clip)) is detector


def test_the_tokens_of_another_encoder_are_refused(clip: Clip, encoder: ClipEncoder) -> None:
    detector = of_encoder(encoder)
    for other, reason in (
        (ClipEncoder(load_clip("nand-tiny", image_size=96)), "image side 240"),
        (ClipEncoder(clip, taps=(3, 5), projection="random"), "projections"),
        (ClipEncoder(load_clip("ViT-S-32-alt:random", image_size=64), projection="random"), "weights"),
    ):
        with pytest.raises(NandEdgeError, match=f"the april-gan detector: .*{reason}"):
            detector.beside(other)
