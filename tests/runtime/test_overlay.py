from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_bundle import Spot

from nand_edge.errors import NandEdgeError
from nand_edge.region import make_region
from nand_edge_runtime import Inspector
from nand_edge_runtime.overlay import PANEL, draw_overlay, draw_panels, overlay_size, write_overlay

_PILL = (10, 10)
"""A pixel of the verdict's field, free of letters."""


@pytest.mark.parametrize("size", [(48, 64), (1, 300), (300, 1), (1080, 1920)])
def test_every_frame_gives_a_picture_of_the_same_size(inspector: Inspector, spot: Spot, size: tuple[int, int]) -> None:
    frame = spot(size=size)
    picture = draw_overlay(frame, inspector.inspect(frame))
    assert picture.shape == (*overlay_size(), 3)
    assert picture.dtype == np.uint8


def test_the_verdict_is_green_or_red(inspector: Inspector, spot: Spot) -> None:
    passed = draw_overlay(spot(inside=60), inspector.inspect(spot(inside=60)))
    inspector.set_normalities([])
    rejected = draw_overlay(spot(), inspector.inspect(spot()))
    assert np.argmax(passed[_PILL]) == 1
    assert np.argmax(rejected[_PILL]) == 2


def test_base_and_final_map_differ_where_the_words_took_something_out(inspector: Inspector, spot: Spot) -> None:
    frame = spot(size=(64, 64))
    quarter = overlay_size()[1] // 4
    suppressed = draw_overlay(frame, inspector.inspect(frame))
    inspector.set_normalities([])
    untouched = draw_overlay(frame, inspector.inspect(frame))
    middle = slice(250, 300)
    base, final = (slice(place * quarter + 140, place * quarter + 200) for place in (1, 3))
    np.testing.assert_allclose(untouched[middle, base].mean(), untouched[middle, final].mean(), atol=1)
    assert suppressed[middle, base].mean() > suppressed[middle, final].mean() + 20


def test_a_map_that_is_no_number_is_drawn_as_hot(inspector: Inspector, spot: Spot) -> None:
    frame = spot()
    inspection = inspector.inspect(frame)
    nothing = np.full_like(inspection.base_map, np.nan)
    picture = draw_overlay(
        frame, replace(inspection, base_map=nothing, anomaly_map=nothing, score=float("nan"), base_score=float("nan"))
    )
    quarter = overlay_size()[1] // 4
    assert picture[280, quarter + 170].mean() > 150


def test_what_is_not_inspected_is_dimmed_and_the_rest_is_as_ever(inspector: Inspector, spot: Spot) -> None:
    frame = spot(size=(64, 64))
    everywhere = draw_panels(frame, inspector.inspect(frame))
    left_half = make_region(rectangle="0,0,0.5,1")
    assert left_half is not None
    inspector.region = left_half
    panels = draw_panels(frame, inspector.inspect(frame))
    for label, panel in panels.items():
        inside, outside = panel[:, : PANEL // 2 - 2], panel[:, PANEL // 2 + 2 :]
        np.testing.assert_array_equal(inside[2:-2, 2:], everywhere[label][2:-2, 2 : PANEL // 2 - 2])
        assert outside.max() < 0.5 * everywhere["frame"].max()
    assert panels["frame"][:, PANEL // 2 - 2 : PANEL // 2 + 2].std(axis=2).max() > 20, "a coloured line between"


def test_an_overlay_is_a_png_named_by_place_and_frame(inspector: Inspector, spot: Spot, tmp_path: Path) -> None:
    inspection = inspector.inspect(spot(), name="line 3/part ü#7.png", index=12)
    path = write_overlay(spot(), inspection, tmp_path / "overlays")
    assert path.name == "000012-part-ü-7.png"
    decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (*overlay_size(), 3)
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(inspector: Inspector, spot: Spot, tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match=r"overlay folder '.*missing/overlays'"):
        write_overlay(spot(), inspector.inspect(spot()), tmp_path / "missing" / "overlays")
