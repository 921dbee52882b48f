"""Small good frames, a real backbone, the embedded CLIP and a bundle of them: real parts, in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import open_clip
import pytest
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.manifest import ThresholdRecord
from nand_edge.normality import Normality
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.detectors.patchcore import PatchCore
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.fit import Fit, fit
from nand_edge_export.normality import make_normality

SIDE = 96


def textile(seed: int) -> NDArray[np.uint8]:
    """A woven surface, uint8 [96, 96, 3]."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] + generator.uniform(0, 8, (2, 1, 1))
    weave = 128 + 40 * np.sin(rows * 0.8) + 40 * np.sin(columns * 0.8) + generator.normal(0, 4, (SIDE, SIDE))
    return np.dstack([np.clip(weave, 0, 255).astype(np.uint8)] * 3)


SMALL_VIT = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 48, "patch_size": 8, "width": 32, "head_width": 16, "layers": 2},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def small_vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a CLIP with random weights whose image tower is a transformer of 6x6 patches and two blocks."""
    path = tmp_path_factory.mktemp("open_clip") / "small-vit-for-tests.json"
    path.write_text(json.dumps(SMALL_VIT))
    open_clip.add_model_config(path)
    return f"{path.stem}:random"


@pytest.fixture(scope="session")
def good_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    for seed in range(12):
        cv2.imwrite(str(folder / f"{seed:02}.png"), textile(seed))
    return folder


@pytest.fixture(scope="session")
def small_method() -> PatchCoreMethod:
    return PatchCoreMethod(input_size=96, memory_patches=200)


@pytest.fixture(scope="session")
def fitted(good_dir: Path, small_method: PatchCoreMethod) -> Fit:
    return fit(small_method, good_dir)


@pytest.fixture(scope="session")
def detector(fitted: Fit) -> PatchCore:
    assert isinstance(fitted.detector, PatchCore)
    return fitted.detector


@pytest.fixture(scope="session")
def unseen_frames() -> NDArray[np.uint8]:
    """Three frames that no memory has, uint8 [3, 96, 96, 3]; the last has a hole at rows 60..72, columns 20..32."""
    frames = np.stack([textile(seed) for seed in (100, 101, 102)])
    frames[2, 60:72, 20:32] = 0
    return frames


@pytest.fixture(scope="session")
def clip() -> Clip:
    """The embedded CLIP, both towers whole."""
    return load_clip("nand-tiny")


@pytest.fixture(scope="session")
def encoder() -> ClipEncoder:
    """The image tower of the embedded CLIP, cut after its last tap."""
    return ClipEncoder(load_clip("nand-tiny"))


@pytest.fixture(scope="session")
def normalities(clip: Clip) -> tuple[Normality, ...]:
    return (
        make_normality(clip, "dark stain", "fabric", name="stain"),
        make_normality(clip, "loose thread", "fabric", name="thread"),
    )


@pytest.fixture(scope="session")
def export(detector: PatchCore, clip: Clip, encoder: ClipEncoder, normalities: tuple[Normality, ...]) -> Export:
    threshold = ThresholdRecord(value=1.0, chosen_by="given by a test")
    return Export(detector=detector, clip=clip, encoder=encoder, normalities=normalities, threshold=threshold)


@pytest.fixture(scope="session")
def bundle(export: Export, unseen_frames: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of a small PatchCore, the embedded CLIP and two normalities; not to be changed."""
    return export_bundle(export, tmp_path_factory.mktemp("bundle") / "fabric.nand", frames=list(unseen_frames))
