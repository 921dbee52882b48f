"""What docs/cameras.md says can be said in a settings file."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from nand_edge_runtime.cameras import CAMERAS, CameraKind, CameraSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.station

PAGE = (Path(__file__).parents[3] / "docs" / "cameras.md").read_text(encoding="utf-8")
EXAMPLES = [
    camera
    for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    for camera in tomllib.loads(re.sub(r"(?m)^  (?=\S)", "", block))["camera"]
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["source"])[:24])
def test_every_example_is_a_camera(example: dict[str, Any]) -> None:
    if "line_scan" in example:
        from nand_edge_runtime.line_scan import LineScanSettings

        LineScanSettings.model_validate(example.pop("line_scan"))
    CameraSettings.model_validate(example)


def test_every_kind_has_an_example() -> None:
    shown = {
        CameraSettings.model_validate({key: value for key, value in example.items() if key != "line_scan"}).source_kind
        for example in EXAMPLES
    }
    assert shown | {CameraKind.VIDEO} == set(CAMERAS)


def test_every_setting_of_machine_vision_is_explained() -> None:
    ours = (
        "exposure_us",
        "gain",
        "trigger",
        "pixel_format",
        "packet_size",
        "cti",
        "features",
        "frame_retention_ms",
        "position_feature",
    )
    assert set(ours) <= set(CameraSettings.model_fields)
    assert [name for name in ours if name not in PAGE] == []
