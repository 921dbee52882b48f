from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import WeightsSource
from nand_edge_export.detectors.april_gan import AprilGan
from nand_edge_export.detectors.files import read_detector, write_detector

GRIDS = ((15, 15), (6, 9))
WIDTH = 24


def unit(*shape: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def tokens(batch: int) -> tuple[torch.Tensor, ...]:
    return tuple(unit(batch, rows * columns, WIDTH, seed=rows) for rows, columns in GRIDS)


@pytest.fixture(scope="module")
def april_gan() -> AprilGan:
    return AprilGan(
        unit(2, WIDTH, seed=1),
        GRIDS,
        clip_name="some-clip",
        clip_sha256="a" * 64,
        projection_sha256="b" * 64,
        input_size=240,
        object_name="carpet",
        weights=WeightsSource(name="some-clip", sha256="a" * 64, licence="none"),
    ).eval()


def test_the_map_is_the_official_releases(april_gan: AprilGan) -> None:
    text = april_gan.tensors()["text_features"]
    expected = torch.zeros(3, 256, 256)
    for tap, (rows, columns) in zip(tokens(3), GRIDS, strict=True):
        logits = (100.0 * tap @ text.T).permute(0, 2, 1).reshape(3, 2, rows, columns)
        logits = F.interpolate(logits, size=256, mode="bilinear", align_corners=True)
        expected += torch.softmax(logits, dim=1)[:, 1]
    torch.testing.assert_close(april_gan(*tokens(3)), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_onnx_graph_gives_the_same_map(tmp_path: Path, april_gan: AprilGan, batch: int) -> None:
    path = tmp_path / "april_gan.onnx"
    shapes = (tuple({0: "N"} for _ in GRIDS),)
    torch.onnx.export(april_gan, tokens(2), path, dynamo=True, opset_version=18, dynamic_shapes=shapes, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    feeds = {name: tap.numpy() for name, tap in zip(names, tokens(batch), strict=True)}
    found = session.run(None, feeds)[0]
    np.testing.assert_allclose(found, april_gan(*tokens(batch)).numpy(), atol=1e-4, rtol=0)


def test_a_detector_file_gives_the_same_map(tmp_path: Path, april_gan: AprilGan) -> None:
    write_detector(april_gan, tmp_path / "carpet.detector")
    again = read_detector(tmp_path / "carpet.detector")
    torch.testing.assert_close(again(*tokens(1)), april_gan(*tokens(1)), rtol=0, atol=0)
    assert again.record() == april_gan.record()
    assert again.record().shares_clip
    assert again.threshold is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"clip_sha256": "c" * 64}, "weights"),
        ({"projection_sha256": "c" * 64}, "projections"),
        ({"grids": ((15, 15),)}, "token grids 15x15 6x9"),
    ],
)
def test_the_tokens_of_another_encoder_are_refused(april_gan: AprilGan, change: dict[str, object], reason: str) -> None:
    own = {"clip_name": "some-clip", "clip_sha256": "a" * 64, "projection_sha256": "b" * 64, "grids": GRIDS}
    april_gan.require_encoder(**own)  # type: ignore[arg-type]
    with pytest.raises(NandEdgeError, match=reason):
        april_gan.require_encoder(**{**own, **change})  # type: ignore[arg-type]
