"""Regions are joined over seams to what they are on the web, whichever tile gets its verdict first."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nand_edge.inspection import Verdict
from nand_edge_runtime.cameras.protocol import BLACK_PIXEL, Taken
from nand_edge_runtime.line_scan import LineScanSettings, TileMaker, TilePlace
from nand_edge_runtime.line_scan.open_roll import OpenRoll
from nand_edge_runtime.line_scan.region import MOST_BOXES, MOST_FRAMES, Region
from nand_edge_runtime.line_scan.roll_file import Header, Roll, read_roll
from nand_edge_runtime.station.hub import Decided
from nand_edge_runtime.station.records import Reason


def tiles_of(given: LineScanSettings, web: NDArray[np.uint8]) -> list[Taken]:
    maker = TileMaker(given, camera="web")
    position = None if given.millimetres_per_position is None else 1000.0
    return maker.push(Taken(web, "", 0.0, 1000.0, position=position)) + maker.flush()


def written(given: LineScanSettings, verdicts: Sequence[Decided]) -> Roll:
    """The roll of these verdicts, read from its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roll.sqlite"
        roll = OpenRoll(path, Header("web", "roll", 0.0, 0.0, None, {}), given)
        for decided in verdicts:
            place = TilePlace.of(decided.record.name)
            assert place is not None
            roll.tell(decided.record, place, decided.inspection)
        roll.end(1.0)
        return read_roll(path)


def components(mask: NDArray[np.bool_]) -> list[tuple[float, ...]]:
    """Box, area and centroid of every region of the whole web."""
    _, _, boxes, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return sorted(
        (top, top + height, left, left + width, area, round(y + 0.5, 6), round(x + 0.5, 6))
        for (left, top, width, height, area), (x, y) in zip(boxes[1:].tolist(), centres[1:].tolist(), strict=True)
    )


def listed(regions: Sequence[Region], mm: float = 1.0) -> list[tuple[float, ...]]:
    """The same of a roll."""
    return sorted(
        (
            *(round(side / mm, 6) for side in (
                region.box.along_from, region.box.along_to, region.box.across_from, region.box.across_to
            )),
            round(region.area_mm2 / mm**2, 6), round(region.along / mm, 6), round(region.across / mm, 6),
        )
        for region in regions
    )  # fmt: skip


@st.composite
def webs(draw: st.DrawFn) -> NDArray[np.uint8]:
    """A web with lines, frames and dots, some touching, some of the lines as long as the web."""
    height, width = draw(st.integers(1, 260)), draw(st.integers(1, 170))
    web = np.zeros((height, width), np.uint8)
    point = st.tuples(st.integers(-5, width + 5), st.integers(-5, height + 5))
    for start, stop, thickness in draw(st.lists(st.tuples(point, point, st.integers(1, 4)), max_size=8)):
        cv2.line(web, start, stop, 200, thickness)
    for start, stop in draw(st.lists(st.tuples(point, point), max_size=3)):
        cv2.rectangle(web, start, stop, 220, 1)
    dots = np.random.default_rng(draw(st.integers(0, 999))).random((height, width)) < draw(st.sampled_from([0, 0.02]))
    web[dots] = 255
    return web


@settings(max_examples=40, deadline=None)
@given(web=webs(), shuffled=st.none() | st.randoms(use_true_random=False))
def test_regions_of_tiles_are_the_regions_of_the_web(
    line_scan: Any, line: Any, web: NDArray[np.uint8], shuffled: Any
) -> None:
    given, judge = line_scan(tile_width=64), line().judged
    verdicts = [judge(tile) for tile in tiles_of(given, web)]
    if shuffled is not None:
        for start in range(0, len(verdicts), 6):
            some = verdicts[start : start + 6]
            shuffled.shuffle(some)
            verdicts[start : start + 6] = some
    roll = written(given, verdicts)
    assert listed(roll.regions) == components(web >= 128)
    assert roll.totals.regions == len(roll.regions)
    assert not roll.stretches


def test_millimetres_along_come_from_the_encoder(line_scan: Any, line: Any) -> None:
    given = line_scan(millimetres_per_line=0.5, millimetres_per_column=0.25, millimetres_per_position=0.1)
    web = np.zeros((300, 50), np.uint8)
    web[100:110, 20:24] = 255
    (region,) = written(given, line().judge_all(tiles_of(given, web))).regions
    assert (region.box.along_from, region.box.along_to) == pytest.approx((50, 55))
    assert (region.box.across_from, region.box.across_to) == pytest.approx((5, 6))
    assert (region.along, region.across, region.area_mm2) == pytest.approx((52.5, 5.5, 5.0))
    assert region.score == region.base_score == 1.0
    assert region.best_box == (20, 20, 24, 30), "in the frame that begins at line 80"


def test_what_the_words_took_out_is_listed_apart(line_scan: Any, line: Any) -> None:
    """Bright things are normal; a region of which something is left is none of them, whatever a tile sees of it."""
    bright = line(suppression=lambda base: (base > 0.9).astype(np.float32), normalities=("stain",))
    web = np.zeros((200, 50), np.uint8)
    web[20:30, 20:30] = 255
    web[50:130, 10] = 255
    web[129, 10] = 200
    given = line_scan()
    roll = written(given, bright.judge_all(tiles_of(given, web)))
    kept, stain = sorted(roll.regions, key=lambda region: region.suppressed)
    assert (stain.suppressed, stain.normalities, stain.area_mm2, stain.base_score) == (True, ("stain",), 100, 1.0)
    assert stain.score < 0.5
    assert (kept.suppressed, kept.area_mm2) == (False, 1)
    assert (roll.totals.regions, roll.totals.suppressed) == (1, 1)


def test_rejects_without_an_inspection_are_stretches(line_scan: Any, line: Any) -> None:
    given = line_scan()
    tiles = tiles_of(given, np.zeros((400, 50), np.uint8))
    one = line()
    verdicts = [
        one.rejected(one.frame(tile), Reason.DEADLINE, "too slow") if 2 <= number < 5 else one.judged(tile)
        for number, tile in enumerate(tiles)
    ]
    roll = written(given, verdicts)
    (stretch,) = roll.stretches
    assert (stretch.box.along_from, stretch.box.along_to) == (92, 212)
    assert (stretch.reason, stretch.detail, stretch.tiles) == ("no verdict by the deadline", "too slow", 3)
    assert stretch.first == verdicts[2].record.key
    assert roll.totals.inspected == roll.totals.tiles - 3


def test_verdicts_that_the_map_missed_do_not_look_like_a_clean_web(line_scan: Any, line: Any) -> None:
    given = line_scan(tile_width=64)
    tiles = tiles_of(given, np.zeros((400, 150), np.uint8))
    told = [decided for number, decided in enumerate(line().judge_all(tiles)) if number not in (9, 12)]
    (first, second) = written(given, told).stretches
    assert {first.reason, second.reason} == {"not on this map"}
    assert sorted((each.box.along_from, each.box.across_from) for each in (first, second)) == [(92, 52), (132, 0)]


def test_lost_lines_are_a_stretch_and_no_hole(line_scan: Any, line: Any) -> None:
    maker = TileMaker(line_scan(lost_lines="cut"), camera="web")
    clean = np.zeros((120, 150), np.uint8)
    tiles = maker.push(Taken(clean, "", 0.0, 0.0))
    tiles += maker.push(Taken(BLACK_PIXEL, "", 1.0, 1.0, fault="incomplete"))
    tiles += maker.push(Taken(clean, "", 2.0, 2.0)) + maker.flush()
    (stretch,) = written(line_scan(), line().judge_all(tiles)).stretches
    assert (stretch.box.along_from, stretch.box.along_to, stretch.box.across_to) == (120, 240, 150)
    assert stretch.detail == "incomplete"


def test_small_regions_are_counted_and_not_listed(line_scan: Any, line: Any) -> None:
    given = line_scan(minimum_area_mm2=4.0)
    web = np.zeros((100, 50), np.uint8)
    web[10, 10] = web[40:42, 10:12] = 255
    web[50:54, 30] = 255  # over the seam of two cores
    roll = written(given, line().judge_all(tiles_of(given, web)))
    assert sorted(region.area_mm2 for region in roll.regions) == [4, 4]
    assert (roll.totals.regions, roll.totals.small) == (2, 1)


def test_a_roll_lists_no_more_than_it_may(line_scan: Any, line: Any) -> None:
    given = line_scan(regions_per_roll=10)
    web = np.zeros((1000, 50), np.uint8)
    web[::10, 25] = 255
    roll = written(given, line().judge_all(tiles_of(given, web)))
    assert len(roll.regions) == 10
    assert roll.totals.regions + roll.totals.not_listed == 100


def test_a_map_of_noise_keeps_the_highest(line_scan: Any, line: Any) -> None:
    given = line_scan()
    web = np.zeros((64, 200), np.uint8)
    web[::2, ::2] = 200
    web[30, 100] = 255
    roll = written(given, line().judge_all(tiles_of(given, web)))
    assert max(region.score for region in roll.regions) == 1.0
    assert roll.totals.regions + roll.totals.not_listed >= 32 * 100


def test_a_reject_whose_maps_show_nothing_is_the_whole_tile(line_scan: Any, line: Any) -> None:
    given = line_scan()
    decided = line().judged(tiles_of(given, np.zeros((64, 50), np.uint8))[-1])
    assert decided.inspection is not None
    no_map = np.zeros((0, 0), np.float32)
    inspection = replace(
        decided.inspection, verdict=Verdict.REJECT, score=0.7, anomaly_map=no_map, base_map=no_map,
        suppression_map=no_map,
    )  # fmt: skip
    (region,) = written(given, [replace(decided, inspection=inspection)]).regions
    assert (region.area_mm2, region.score) == (64 * 50, 0.7)


def test_a_scratch_along_the_whole_roll_is_one_region_of_bounded_size(line_scan: Any, line: Any) -> None:
    web = np.zeros((12_000, 64), np.uint8)
    cv2.line(web, (5, 0), (60, 11_999), 255, 2)
    given = line_scan()
    (scratch,) = written(given, line().judge_all(tiles_of(given, web))).regions
    assert (scratch.box.along_from, scratch.box.along_to) == (0, 12_000)
    assert scratch.area_mm2 == (web > 0).sum()
    assert len(scratch.frames) == MOST_FRAMES
    assert MOST_BOXES / 2 <= len(scratch.outline) <= MOST_BOXES
    assert max(box.across_to - box.across_from for box in scratch.outline) < 10, "drawn as it lies, not as its box"


def test_the_picture_is_of_the_tile_that_shows_the_region_whole(line_scan: Any, line: Any) -> None:
    """Two tiles trust some of it; the first sees six of its lines, the second all ten."""
    web = np.zeros((200, 50), np.uint8)
    web[50:60, 20:30] = 255
    given = line_scan()
    (region,) = written(given, line().judge_all(tiles_of(given, web))).regions
    assert region.best_box == (20, 10, 30, 20)


@pytest.mark.parametrize("columns", [(10, 9), (10, 10), (10, 11)])
def test_regions_are_joined_where_strips_meet(line_scan: Any, line: Any, columns: tuple[int, int]) -> None:
    """One strip ends, the next begins: no line is in tiles of both, and cells touch by their edges and corners."""
    web = np.zeros((240, 50), np.uint8)
    web[110:120, columns[0]] = web[120:130, columns[1]] = 255
    web[130:140, columns[1] + 2] = 255
    given = line_scan()
    maker = TileMaker(given, camera="web")
    tiles = maker.push(Taken(web[:120], "", 0.0, 0.0)) + maker.flush()
    tiles += maker.push(Taken(web[120:], "", 1.0, 1.0)) + maker.flush()
    roll = written(given, line().judge_all(tiles))
    assert listed(roll.regions) == components(web >= 128)
    assert [region.area_mm2 for region in roll.regions] == [20, 10]
