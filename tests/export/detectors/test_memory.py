from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images, read_frame
from nand_edge_export.detectors import memory
from nand_edge_export.detectors.backbones import load_backbone
from nand_edge_export.detectors.coreset import greedy_coreset, random_projection
from nand_edge_export.detectors.memory import choose_memory
from nand_edge_export.detectors.patchcore import PatchFeatures


@pytest.fixture(scope="module")
def features() -> PatchFeatures:
    return PatchFeatures(load_backbone("tf_efficientnet_lite0", 96))


@pytest.fixture(scope="module")
def frames(good_dir: Path) -> list[Path]:
    return list_images(good_dir)


@pytest.fixture(scope="module")
def patches(features: PatchFeatures, frames: list[Path]) -> torch.Tensor:
    return torch.cat([features.of_frame(read_frame(frame)) for frame in frames])


def test_the_memory_is_the_coreset_of_all_patches(
    features: PatchFeatures, frames: list[Path], patches: torch.Tensor
) -> None:
    chosen = greedy_coreset(patches @ random_projection(features.width), 100)
    torch.testing.assert_close(choose_memory(frames, features.of_frame, 100), patches[chosen], rtol=0, atol=0)


@pytest.mark.parametrize("candidates", [None, 400])
def test_features_that_do_not_fit_are_read_again_and_are_the_same(
    monkeypatch: pytest.MonkeyPatch, features: PatchFeatures, frames: list[Path], candidates: int | None
) -> None:
    kept = choose_memory(frames, features.of_frame, 60, candidates=candidates)
    monkeypatch.setattr(memory, "_KEPT_BYTES", 0)
    stages: dict[str, tuple[int, int]] = {}
    again = choose_memory(
        frames,
        features.of_frame,
        60,
        candidates=candidates,
        progress=lambda stage, done, total: stages.update({stage: (done, total)}),
    )
    torch.testing.assert_close(again, kept, rtol=0, atol=0)
    assert stages["features"] == (12, 12)
    done, total = stages["memory"]
    assert done == total > 0


def test_candidates_are_drawn_from_every_frame(
    features: PatchFeatures, frames: list[Path], patches: torch.Tensor
) -> None:
    drawn = choose_memory(frames, features.of_frame, 10**6, candidates=24)
    each = len(patches) // len(frames)
    places = [int((patches == row).all(dim=1).nonzero()[0]) // each for row in drawn]
    assert sorted(places) == sorted([*range(12), *range(12)])


def test_more_patches_than_fit_are_refused_at_once_and_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch, features: PatchFeatures, frames: list[Path]
) -> None:
    monkeypatch.setattr(memory, "MOST_PATCHES", 1000)
    with pytest.raises(NandEdgeError, match=r"1,728 patches of 12 frames.*--candidates"):
        choose_memory(frames, features.of_frame, 10)
    assert len(choose_memory(frames, features.of_frame, 10, candidates=900)) == 10
