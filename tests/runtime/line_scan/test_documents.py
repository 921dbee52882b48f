"""What the documentation shows is what the settings take and what the code does."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.line_scan import LineScanSettings, TileMaker
from nand_edge_runtime.station.settings import StationCamera, validated

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "line-scan.md"


@pytest.fixture(scope="module")
def camera() -> dict[str, Any]:
    """The example."""
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (table,) = tomllib.loads(example)["camera"]
    return dict(table)


def test_the_example_is_a_camera(camera: dict[str, Any]) -> None:
    settings = StationCamera.model_validate(camera).line_scan
    assert settings is not None
    assert settings.positions_per_line == pytest.approx(4)


def test_the_name_of_a_tile_is_the_one_that_is_shown(camera: dict[str, Any]) -> None:
    given = {**camera["line_scan"], "dark": None, "flat": None}
    maker = TileMaker(LineScanSettings.model_validate(given), camera="web")
    tiles = maker.push(Taken(np.zeros((1000, 1000), np.uint8), "", 0.0, 0.0))
    assert any(tile.name in DOCUMENT.read_text(encoding="utf-8") for tile in tiles)


def test_the_complaint_is_the_one_that_is_shown(camera: dict[str, Any], tmp_path: Path) -> None:
    spoiled = {**camera, "line_scan": {**camera["line_scan"], "overlap": 70, "tile_width": None}}
    with pytest.raises(NandEdgeError) as refused:
        validated({"bundle": "a.nand", "state_folder": "state", "camera": [spoiled]}, what="settings", folder=tmp_path)
    shown = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    assert "tile_height = 518 would do" in str(refused.value)
    assert re.sub(r".*line_scan: ", "", str(refused.value)).split(", needed settings")[0] in shown


def test_every_setting_of_the_text_is_one() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tile|overlap|lost|flat|rolls|minimum|position)_\w+)`", text)) - {"flat_png"}
    assert named
    assert named <= set(LineScanSettings.model_fields)
