"""What all tests have in common: no network, and property tests that try the same examples every time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("NAND_EDGE_DEBUG", None)

# No deadline: on a shared machine the first example, which pays for imports, is often the slowest by far.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder with pyproject.toml."""
    return Path(__file__).resolve().parent.parent
