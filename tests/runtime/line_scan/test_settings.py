"""Settings under which a seam could change a verdict are refused, with a sentence that says what would do."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from nand_edge_runtime.line_scan import LineScanSettings

MILLIMETRES = {"millimetres_per_line": 0.1, "millimetres_per_column": 0.1}


def test_millimetres_are_all_that_must_be_given() -> None:
    settings = LineScanSettings(**MILLIMETRES)
    assert settings.shared == settings.overlap + 2 * settings.context == 128
    assert settings.step == 384


def test_an_encoder_that_tells_ticks() -> None:
    assert LineScanSettings(**MILLIMETRES, millimetres_per_position=0.025).positions_per_line == 4
    assert LineScanSettings(**MILLIMETRES).positions_per_line is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"overlap": 512}, "tile_height = 512, of which overlap and twice the context take 576, needed at least 768"),
        ({"overlap": 330}, "so that tiles move on"),
        ({"overlap": 70}, "needed a multiple of the stride, 16"),
        ({"tile_width": 150}, "tile_width = 150, of which overlap_across and twice the context take 128"),
        ({"tile_width": 512, "overlap_across": 60}, "tile_width less overlap_across"),
        ({"millimetres_per_line": 0}, "greater than 0"),
        ({"millimetres_per_line": float("nan")}, "finite number"),
        ({"overlap": 0}, "greater than or equal to 1"),
        ({"flat_levels": 200}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_hold_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match="1 validation error") as refused:
        LineScanSettings(**{**MILLIMETRES, **given})
    assert said in str(refused.value)


def test_the_size_that_the_complaint_names_would_do() -> None:
    with pytest.raises(ValidationError, match="tile_height = 518 would do"):
        LineScanSettings(**MILLIMETRES, overlap=70)
    assert LineScanSettings(**MILLIMETRES, overlap=70, tile_height=518).step == 384
