"""Fixtures of the engine builders' tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from toy_engine_bundle import write_toy_engine_bundle

from nand_edge.bundle import Bundle, open_bundle


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that no test may change."""
    return write_toy_engine_bundle(tmp_path_factory.mktemp("bundles") / "line.nand")


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Bundle:
    """A bundle of its own for a test."""
    return open_bundle(shutil.copytree(pristine, tmp_path / "line.nand"))
