"""A tiny but real bundle: a graph with the exact signature, a gate and a suppression, made in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_bundle import CLIP_MODEL, CLIP_SHA256, Spot, toy_normality, write_toy_bundle

from nand_edge.normality import Normality
from nand_edge_runtime import Inspector


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose base map is the grey value; its active normality `bright` makes bright regions normal."""
    return write_toy_bundle(tmp_path_factory.mktemp("bundles") / "toy.nand")


@pytest.fixture
def own_bundle(tmp_path: Path) -> Path:
    """A bundle like `toy_bundle` that the test may spoil."""
    return write_toy_bundle(tmp_path / "own.nand")


@pytest.fixture
def inspector(toy_bundle: Path) -> Iterator[Inspector]:
    """An inspector on the toy bundle."""
    with Inspector(toy_bundle, threads=1) as opened:
        yield opened


@pytest.fixture
def spot() -> Spot:
    """Draws a frame [H, W, 3] of one grey value with a rectangle of another in the middle."""

    def draw(inside: int = 230, outside: int = 40, size: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
        height, width = size
        frame = np.full((height, width, 3), outside, dtype=np.uint8)
        frame[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = inside
        return frame

    return draw


@pytest.fixture
def foreign_normality() -> Normality:
    """A normality made for a CLIP that the toy bundle does not have."""
    return toy_normality("stain", [0, 1], clip_sha256="f" * 64, clip_model="another-clip")


@pytest.fixture
def own_normality() -> Normality:
    """A normality for the toy bundle's CLIP that is not in the bundle: `shade` makes dark regions normal."""
    return toy_normality("shade", [1, 0], clip_sha256=CLIP_SHA256, clip_model=CLIP_MODEL)
