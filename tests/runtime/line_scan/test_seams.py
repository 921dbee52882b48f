"""A region at a seam gets the verdict that it gets in the middle of a tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime import Inspector
from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.line_scan import LineScanSettings, TileMaker, TilePlace, judge_trusted
from nand_edge_runtime.line_scan.place import Side, Span

WEB = 832
REACH, CONTRAST = 16, 2.0
"""Of the bundle `contrast_bundle`."""
OVERLAP = 32
BACKGROUND = 90
MIDDLE = TilePlace(*[Side(Span(0, 256), Span(16, 240), Span(32, 224))] * 2)

Region = NDArray[np.uint8]


@pytest.fixture(scope="module")
def seams() -> LineScanSettings:
    """Tiles of 256 x 256, of which the contrast detector's reach is not trusted."""
    return LineScanSettings(
        tile_height=256, tile_width=256, overlap=OVERLAP, overlap_across=OVERLAP, context=16, stride=8,
        millimetres_per_line=1, millimetres_per_column=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def contrast(contrast_bundle: Path) -> Iterator[Inspector]:
    with Inspector(contrast_bundle, threads=1, normalities=[]) as opened:
        yield opened


@pytest.fixture(scope="module")
def words(toy_bundle: Path) -> Iterator[Inspector]:
    """Grey value as the base map, and bright regions are normal."""
    with Inspector(toy_bundle, threads=1, normalities=["bright"]) as opened:
        yield opened


@st.composite
def regions(draw: st.DrawFn, largest: int = OVERLAP, *, least: int = 1) -> Region:
    """A patch of any shape on a web of `BACKGROUND`."""
    height, width = draw(st.integers(least, largest)), draw(st.integers(least, largest))
    grey = draw(st.integers(0, 255))
    holes = np.random.default_rng(draw(st.integers(0, 1000))).random((height, width)) < draw(st.floats(0, 0.7))
    return np.where(holes, BACKGROUND, grey).astype(np.uint8)


def on_web(region: Region, line: int, column: int, size: int = WEB) -> NDArray[np.uint8]:
    web = np.full((size, size), BACKGROUND, np.uint8)
    web[line : line + region.shape[0], column : column + region.shape[1]] = region
    return web


def verdict_of_web(inspector: Inspector, given: LineScanSettings, web: NDArray[np.uint8]) -> Inspection:
    """The worst of all tiles that do not lie at the web's own edge."""
    maker = TileMaker(given, camera="web")
    tiles = maker.push(Taken(web, "", 0.0, 0.0)) + maker.flush()
    inner = [tile for tile in tiles if _is_inner(tile)]
    inspections = [judge_trusted(tile.name, inspector.inspect(tile.image)) for tile in inner]
    base_score = max(inspection.base_score for inspection in inspections)
    return replace(max(inspections, key=lambda inspection: inspection.score), base_score=base_score)


def _is_inner(tile: Taken) -> bool:
    place = TilePlace.of(tile.name)
    assert place is not None
    sides = (place.lines, place.columns)
    return all(side.whole.start < side.trusted.start and side.trusted.stop < WEB for side in sides)


def verdict_in_the_middle(inspector: Inspector, region: Region, line: int = 0, column: int = 0) -> Inspection:
    """Of a single tile with the region in its middle, as it lies on the detector's grid."""
    image = on_web(region, 112 + line % 8, 112 + column % 8, 256)
    return judge_trusted(MIDDLE.name("middle"), inspector.inspect(np.repeat(image[:, :, None], 3, axis=2)))


# Four tiles have seams on every side; what they are trusted with lies on lines and columns 208 to 624.
SEAMS = st.integers(208, 624 - OVERLAP)


@settings(max_examples=40)
@given(region=regions(), line=SEAMS, column=SEAMS)
def test_a_region_at_a_seam_gets_the_verdict_of_the_middle(
    contrast: Inspector, seams: LineScanSettings, region: Region, line: int, column: int
) -> None:
    at_the_seam = verdict_of_web(contrast, seams, on_web(region, line, column))
    in_the_middle = verdict_in_the_middle(contrast, region)
    assert at_the_seam.score == pytest.approx(in_the_middle.score, abs=1e-5)
    if abs(in_the_middle.score - in_the_middle.threshold) > 1e-5:
        assert at_the_seam.verdict is in_the_middle.verdict


@settings(max_examples=20)
@given(region=regions(300, least=33), line=st.integers(208, 624 - 300), column=st.integers(208, 624 - 300))
def test_regions_larger_than_the_overlap_too_where_the_detectors_reach_is_the_context(
    contrast: Inspector, seams: LineScanSettings, region: Region, line: int, column: int
) -> None:
    web = on_web(region, line, column).astype(np.float32)
    base = CONTRAST / 255 * np.abs(web - cv2.blur(web, (2 * REACH + 1, 2 * REACH + 1)))
    expected = float(base[208:624, 208:624].max())
    assert verdict_of_web(contrast, seams, web.astype(np.uint8)).score == pytest.approx(expected, abs=1e-4)


def test_without_trust_in_the_middle_alone_a_clean_web_would_be_rejected(contrast: Inspector) -> None:
    tile = np.full((256, 256, 3), BACKGROUND, np.uint8)
    whole = contrast.inspect(tile)
    assert whole.verdict is Verdict.REJECT
    assert judge_trusted(MIDDLE.name("web"), whole).verdict is Verdict.PASS


@settings(max_examples=15)
@given(grey=st.integers(225, 255), line=st.integers(208, 540), column=st.integers(208, 540))
def test_words_take_a_region_out_at_a_seam_as_in_the_middle(
    words: Inspector, grey: int, line: int, column: int
) -> None:
    """A bright spot with soft edges, as large as the overlap, is normal wherever it lies; the base map rejects it."""
    given = LineScanSettings(
        tile_height=256, tile_width=256, overlap=64, overlap_across=64, context=16, stride=8,
        millimetres_per_line=1, millimetres_per_column=1,
    )  # fmt: skip
    down, right = np.mgrid[:64, :64] / 31.5 - 1
    soft = np.cos(np.pi / 2 * np.clip(np.hypot(down, right), 0, 1)) ** 2
    region = (BACKGROUND + (grey - BACKGROUND) * soft).astype(np.uint8)
    words.threshold = 0.8
    inspections = [
        verdict_of_web(words, given, on_web(region, line, column)), verdict_in_the_middle(words, region, line, column)
    ]  # fmt: skip
    assert [inspection.suppressed for inspection in inspections] == [True, True]


def test_what_cannot_be_told_for_certain_keeps_the_verdict_of_the_whole_tile(contrast: Inspector) -> None:
    whole = contrast.inspect(np.full((256, 256, 3), BACKGROUND, np.uint8))
    name = MIDDLE.name("web")
    no_map = np.zeros((0, 0), np.float32)
    bound = replace(whole, score_is_bound=True)
    without_maps = replace(whole, anomaly_map=no_map, base_map=no_map, suppression_map=no_map)
    not_a_number = replace(whole, score=float("nan"))
    for inspection in (bound, without_maps, not_a_number):
        assert judge_trusted(name, inspection) is inspection
    assert judge_trusted("top#12", whole) is whole, "a frame that is no tile"


def test_a_pass_after_an_early_exit_stays_one(contrast: Inspector) -> None:
    contrast.threshold = 0.99
    passed = replace(contrast.inspect(np.full((256, 256, 3), BACKGROUND, np.uint8)), score_is_bound=True)
    contrast.threshold = 0.5
    assert passed.verdict is judge_trusted(MIDDLE.name("web"), passed).verdict is Verdict.PASS
