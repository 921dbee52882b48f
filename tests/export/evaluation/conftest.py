"""A small data set, its groups, and a small detector for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_dataset import write_class

from nand_edge_export.detectors.files import write_detector
from nand_edge_export.fit import Fit

# Phrases of their own, so that few prompts are embedded.
GROUPS = """
object: fabric
hole: {folders: [hole], words: black hole, phrases: [fabric with a black hole]}
thread: {folders: [thread], phrases: [fabric with a thread]}
"""


@pytest.fixture
def fabric(tmp_path: Path) -> Path:
    """A class of 12 test frames; to be changed as a test likes."""
    return write_class(tmp_path / "fabric")


@pytest.fixture
def groups_file(tmp_path: Path) -> Path:
    (tmp_path / "groups.yaml").write_text(GROUPS, encoding="utf-8")
    return tmp_path / "groups.yaml"


@pytest.fixture(scope="session")
def detector_file(fitted: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PatchCore with its own threshold."""
    path = tmp_path_factory.mktemp("detector") / "small.detector"
    write_detector(fitted.detector, path)
    return path
