"""Lines become tiles: each line once in a core, none forgotten, and none passed over when it was lost."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nand_edge_runtime.cameras.protocol import BLACK_PIXEL, Taken
from nand_edge_runtime.line_scan import LineScanSettings, TileMaker, TilePlace
from nand_edge_runtime.line_scan.place import Span


def noise(lines: int, columns: int = 24, *, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(1, 256, (lines, columns), dtype=np.uint8)


def place(tile: Taken) -> TilePlace:
    found = TilePlace.of(tile.name)
    assert found is not None
    return found


def covered(tiles: list[Taken], lines: int) -> NDArray[np.int64]:
    """How many cores each line lies in, of the tiles at the web's left edge."""
    cores = np.zeros(lines, np.int64)
    for tile in tiles:
        if place(tile).columns.core.start == 0:
            cores[place(tile).lines.core.start : place(tile).lines.core.stop] += 1
    return cores


def test_a_web_in_tiles(line_scan: Any, blocks: Any) -> None:
    web = noise(200)
    maker = TileMaker(line_scan(), camera="web")
    tiles = [tile for block in blocks(web) for tile in maker.push(block)]
    assert [place(tile).lines.whole for tile in tiles] == [Span(0, 64), Span(40, 104), Span(80, 144), Span(120, 184)]
    assert [place(tile).lines.core for tile in tiles] == [Span(0, 52), Span(52, 92), Span(92, 132), Span(132, 172)]
    assert tiles[1].name == "web lines 40-104 trusted 48-96 core 52-92 columns 0-24 trusted 0-24 core 0-24"
    assert tiles[1].image.shape == (64, 24, 3)
    assert (tiles[1].image == web[40:104, :, None]).all()
    assert tiles[1].taken == 6.0, "line 103 came with block 6"
    (last,) = maker.flush()
    assert place(last).lines.trusted == Span(144, 200)
    assert place(last).lines.core == Span(172, 200)
    assert (last.image[:64] == web[136:200, :, None]).all()
    assert maker.flush() == []


def test_tiles_lie_abreast_and_repeat_the_edge(line_scan: Any, blocks: Any) -> None:
    web = noise(64, 149)
    maker = TileMaker(line_scan(tile_width=64), camera="web")
    tiles = [tile for block in blocks(web) for tile in maker.push(block)]
    columns = [place(tile).columns for tile in tiles]
    assert [side.whole for side in columns] == [Span(0, 64), Span(40, 104), Span(80, 144), Span(88, 152)]
    assert [side.core for side in columns] == [Span(0, 52), Span(52, 92), Span(92, 116), Span(116, 149)]
    assert (tiles[-1].image[:, :61] == web[:, 88:149, None]).all()
    assert (tiles[-1].image[:, 61:] == web[:, 148:149, None]).all()


@given(lines=st.integers(1, 400), stride=st.sampled_from([1, 4, 8]))
def test_all_tiles_begin_on_the_detectors_grid(line_scan: Any, lines: int, stride: int) -> None:
    """The last one too, which reaches the web's end before its turn."""
    maker = TileMaker(line_scan(stride=stride), camera="web")
    tiles = maker.push(Taken(noise(lines, 4), "", 0.0, 0.0)) + maker.flush()
    starts = [place(tile).lines.whole.start for tile in tiles]
    assert all(start % stride == 0 for start in starts)
    assert starts[-1] == 0 or starts[-1] + 64 - lines < stride, "no farther back than it must"


def test_a_short_web_is_one_tile_whose_last_line_goes_on(line_scan: Any, blocks: Any) -> None:
    web = noise(5)
    maker = TileMaker(line_scan(), camera="web")
    assert [tile for block in blocks(web) for tile in maker.push(block)] == []
    (tile,) = maker.flush()
    assert place(tile).lines.trusted == place(tile).lines.core == Span(0, 5)
    assert (tile.image[4:] == web[4, :, None]).all()


def test_colour_stays_colour(line_scan: Any, blocks: Any) -> None:
    web = np.random.default_rng(0).integers(0, 256, (64, 9, 3), dtype=np.uint8)
    maker = TileMaker(line_scan(), camera="web")
    (tile,) = [tile for block in blocks(web) for tile in maker.push(block)]
    assert (tile.image == web).all()


def test_tiles_carry_the_encoders_position_of_their_first_line(line_scan: Any, blocks: Any) -> None:
    maker = TileMaker(line_scan(millimetres_per_position=1.0), camera="web")
    tiles = [tile for block in blocks(noise(200), 24, positions=True) for tile in maker.push(block)]
    assert [tile.position for tile in tiles] == [0.0, 40.0, 80.0, 120.0]


def test_no_tile_is_changed_by_what_comes_after_it(line_scan: Any, blocks: Any) -> None:
    web = noise(2000)
    maker = TileMaker(line_scan(), camera="web")
    tiles = [tile for block in blocks(web, 7) for tile in maker.push(block)]
    for tile in tiles:
        lines = place(tile).lines.whole
        assert (tile.image == web[lines.start : lines.stop, :, None]).all()


HEIGHTS = st.lists(st.integers(1, 150), min_size=1, max_size=12)
HAPPENS = st.sampled_from(["good"] * 5 + ["fault", "lost", "away"])


@settings(max_examples=60)
@given(heights=HEIGHTS, columns=st.integers(1, 200), lost_lines=st.sampled_from(["cut", "fill"]), data=st.data())
def test_every_line_lies_in_one_core_and_has_a_tile_that_is_whole_or_a_reject(
    line_scan: Any, heights: list[int], columns: int, lost_lines: str, data: st.DataObject
) -> None:
    """Blocks of any height, some with a fault, some lost as the encoder tells, and the camera away now and then."""
    given = line_scan(tile_width=64, millimetres_per_position=0.5, lost_lines=lost_lines)
    maker = TileMaker(given, camera="web")
    happens = data.draw(st.lists(HAPPENS, min_size=len(heights), max_size=len(heights)))
    web, tiles = run(maker, heights, happens, columns)
    known = max((place(tile).lines.core.stop for tile in tiles), default=0)
    lost = web[:, 0] == 0
    assert lost[known:].all(), "only what was lost last of all is not known of"
    assert (covered(tiles, known) == 1).all()
    for tile in tiles:
        lines, across = place(tile).lines, place(tile).columns
        if not tile.fault:
            here = web[lines.trusted.start : lines.trusted.stop, across.trusted.start : across.trusted.stop]
            top, left = lines.trusted.start - lines.whole.start, across.trusted.start - across.whole.start
            seen = tile.image[top : top + here.shape[0], left : left + here.shape[1], 0]
            assert (here == seen).all()
            assert not lost[lines.whole.start : lines.trusted.stop].any(), "none of its lines was lost"
        elif set(happens) == {"good"}:
            raise AssertionError("a reject for nothing")


def run(
    maker: TileMaker, heights: list[int], happens: list[str], columns: int
) -> tuple[NDArray[np.uint8], list[Taken]]:
    """What really passed under the camera, 0 where nobody saw it, and the tiles."""
    web: list[NDArray[np.uint8]] = [noise(0, columns)]
    tiles: list[Taken] = []
    usual = 1
    for number, (height, what) in enumerate(zip(heights, happens, strict=True)):
        moment, position = float(number), 2.0 * sum(map(len, web))
        if what == "fault":
            tiles += maker.push(Taken(BLACK_PIXEL, "", moment, moment, position=position, fault="incomplete"))
            web.append(np.zeros((usual, columns), np.uint8))
        elif what == "lost" and set(happens[:number]) & {"good", "fault"}:
            web.append(np.zeros((height, columns), np.uint8))
        elif what == "away":
            tiles += maker.interrupted("no answer", taken=moment, timestamp=moment)
        else:
            web.append(noise(height, columns, seed=number))
            tiles += maker.push(Taken(web[-1], "", moment, moment, position=position))
            usual = height
    return np.concatenate(web), tiles + maker.flush()


@settings(max_examples=60)
@given(web=st.integers(1, 300), stride=st.sampled_from([1, 4, 8]), data=st.data())
def test_a_region_up_to_the_overlap_is_seen_whole_by_some_tile(
    line_scan: Any, web: int, stride: int, data: st.DataObject
) -> None:
    """With the context around it, or with the web's edge nearer than that."""
    given: LineScanSettings = line_scan(stride=stride, tile_width=64)
    maker = TileMaker(given, camera="web")
    tiles = maker.push(Taken(noise(web, web), "", 0.0, 0.0)) + maker.flush()
    size = data.draw(st.integers(1, min(given.overlap, web)))
    start = data.draw(st.integers(0, web - size))
    for side in ("lines", "columns"):
        trusted = [getattr(place(tile), side).trusted for tile in tiles]
        assert any(span.start <= start and start + size <= span.stop for span in trusted)
        for tile in tiles:
            here = getattr(place(tile), side)
            assert here.trusted.start in (0, here.whole.start + given.context)
            assert here.trusted.stop in (web, here.whole.stop - given.context)


def test_a_block_with_a_fault_makes_the_tiles_that_hold_its_lines_rejects(line_scan: Any, blocks: Any) -> None:
    maker = TileMaker(line_scan(), camera="web")
    tiles: list[Taken] = []
    for number, block in enumerate(blocks(noise(400), 8)):
        broken = Taken(BLACK_PIXEL, "", block.taken, block.timestamp, fault="incomplete buffer")
        tiles += maker.push(broken if number == 20 else block)
    lost = Span(160, 168)
    for tile in tiles:
        assert bool(tile.fault) == place(tile).lines.whole.touches(lost.start, lost.stop)
    assert {tile.fault for tile in tiles} == {"", "incomplete buffer"}


def test_lines_that_the_encoder_misses_are_rejects_in_their_place(line_scan: Any, blocks: Any) -> None:
    web = noise(400)
    maker = TileMaker(line_scan(millimetres_per_position=1.0), camera="web")
    arrived = [block for block in blocks(web, 8, positions=True) if block.position != 160.0]
    tiles = [tile for block in arrived for tile in maker.push(block)]
    for tile in tiles:
        lines = place(tile).lines.whole
        if lines.touches(160, 168):
            assert tile.fault == "8 lines lost before line 168"
        else:
            assert (tile.image == web[lines.start : lines.stop, :, None]).all(), "what comes behind keeps its place"


def test_cut_inspects_the_neighbours_of_lost_lines(line_scan: Any, blocks: Any) -> None:
    web = noise(400)
    maker = TileMaker(line_scan(millimetres_per_position=1.0, lost_lines="cut"), camera="web")
    arrived = [block for block in blocks(web, 8, positions=True) if block.position != 160.0]
    tiles = [tile for block in arrived for tile in maker.push(block)] + maker.flush()
    (gap,) = [tile for tile in tiles if tile.fault]
    assert place(gap).lines.core == Span(160, 168)
    assert (covered(tiles, 400) == 1).all()


def test_a_web_that_ran_on_for_a_kilometre_is_one_reject(line_scan: Any) -> None:
    maker = TileMaker(line_scan(millimetres_per_position=1.0), camera="web")
    maker.push(Taken(noise(8), "", 0.0, 0.0, position=0.0))
    tiles = maker.push(Taken(noise(8), "", 1.0, 1.0, position=1_000_008.0))
    assert [bool(tile.fault) for tile in tiles] == [False, True]
    assert place(tiles[1]).lines.core == Span(8, 1_000_008)


def test_lines_of_another_width_or_kind_are_rejects(line_scan: Any) -> None:
    maker = TileMaker(line_scan(), camera="web")
    maker.push(Taken(noise(8), "", 0.0, 0.0))
    for odd in (noise(8, 25), np.zeros((8, 24, 3), np.uint8), np.zeros((0, 24), np.uint8), np.zeros(8, np.uint8)):
        tiles = maker.push(Taken(odd, "", 0.0, 0.0)) + maker.flush()
        assert any("lines" in tile.fault for tile in tiles), odd.shape


def test_faults_before_the_first_good_block_are_rejects(line_scan: Any) -> None:
    maker = TileMaker(line_scan(), camera="web")
    (tile,) = maker.push(Taken(BLACK_PIXEL, "", 0.0, 0.0, fault="no light"))
    assert (tile.fault, place(tile).lines.core) == ("no light", Span(0, 1))


def test_single_lines_give_the_tiles_that_blocks_give(line_scan: Any, blocks: Any) -> None:
    web = noise(300)
    makers = [TileMaker(line_scan(), camera="web") for _ in range(3)]
    single, eights, all_at_once = (
        [tile for block in blocks(web, height) for tile in maker.push(block)] + maker.flush()
        for maker, height in zip(makers, (1, 8, 300), strict=True)
    )
    for one, other in (*zip(single, eights, strict=True), *zip(single, all_at_once, strict=True)):
        assert one.name == other.name
        assert (one.image == other.image).all()


def test_an_endless_web_takes_no_more_memory(line_scan: Any) -> None:
    maker = TileMaker(line_scan(millimetres_per_position=1.0), camera="web")
    block = noise(4, 64)

    def go_on(first: int, count: int) -> None:
        for number in range(first, first + count):
            maker.push(Taken(block, "", float(number), float(number), position=4.0 * number))

    go_on(0, 500)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    go_on(500, 3000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000


@pytest.mark.parametrize("name", ["top#12", "web lines 1-2", "", "web lines 0-64 trusted 0-56 core 0-52 columns x"])
def test_other_frames_are_no_tiles(name: str) -> None:
    assert TilePlace.of(name) is None
