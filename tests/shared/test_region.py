"""Regions: a rectangle and masks become one map over the frame, whatever the frame's size."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.region import (
    Region,
    make_region,
    parse_frame_size,
    read_region_map,
    size_of_frames,
    whole_frame,
    write_region,
)

M = 256


def mask(path: Path, *, size: tuple[int, int] = (200, 100), level: int = 255) -> Path:
    """A PNG of width and height `size`, its left half drawn."""
    width, height = size
    levels = np.zeros((height, width), np.uint8)
    levels[:, : width // 2] = level
    cv2.imwrite(str(path), levels)
    return path


def made(**given: object) -> Region:
    region = make_region(**given)  # type: ignore[arg-type]
    assert region is not None
    return region


@pytest.mark.parametrize(
    ("rectangle", "frame_size"),
    [("0.25,0.5,0.5,0.25", None), ("160,240,320,120", (640, 480)), ("480,540,960,270", (1920, 1080))],
)
def test_a_rectangle_is_given_in_fractions_or_in_pixels(rectangle: str, frame_size: tuple[int, int] | None) -> None:
    expected = np.zeros((M, M), np.float32)
    expected[M // 2 : 3 * M // 4, M // 4 : 3 * M // 4] = 1
    region = made(rectangle=rectangle, frame_size=frame_size)

    np.testing.assert_array_equal(region.map, expected)
    assert region.share == 0.125
    assert region.aspect == (frame_size[0] / frame_size[1] if frame_size else None)
    assert rectangle in region.given_as


@pytest.mark.parametrize("size", [(200, 100), (256, 256), (1920, 1080), (4, 3)])
@pytest.mark.parametrize("level", [1, 255])
def test_a_mask_of_any_size_counts_where_it_is_not_zero(tmp_path: Path, size: tuple[int, int], level: int) -> None:
    path = mask(tmp_path / "mask.png", size=size, level=level)
    expected = np.zeros((M, M), np.float32)
    expected[:, : M // 2] = 1

    np.testing.assert_array_equal(made(region_mask=path).map, expected)
    np.testing.assert_array_equal(made(ignore_mask=path).map, 1 - expected)


def test_what_is_transparent_counts_as_zero(tmp_path: Path) -> None:
    drawn = np.full((64, 64, 4), 255, np.uint8)
    drawn[:32, :, 3] = 0
    cv2.imwrite(str(tmp_path / "mask.png"), drawn)

    region = made(ignore_mask=tmp_path / "mask.png")
    assert region.map[: M // 2].all()
    assert not region.map[M // 2 :].any()


def test_rectangle_and_masks_are_joined(tmp_path: Path) -> None:
    left = mask(tmp_path / "left.png", size=(400, 200))
    region = made(rectangle="0.25,0,0.75,1", ignore_mask=left, frame_size=(400, 200))
    assert region.share == 0.5
    assert region.map[:, M // 2 :].all()

    with pytest.raises(NandEdgeError, match="nothing that is left to inspect"):
        make_region(region_mask=left, ignore_mask=left)


def test_nothing_given_is_no_region() -> None:
    assert make_region(frame_size=(640, 480)) is None
    assert whole_frame().share == 1


@pytest.mark.parametrize(
    ("rectangle", "frame_size", "message"),
    [
        ("1,2,3", None, "found something else, needed four numbers"),
        ("left", None, "found something else"),
        ("10,10,100,100", None, "size is not known.*add --frame-size"),
        ("600,0,100,100", (640, 480), r"empty or leaves the frame of 640x480 pixels"),
        ("0.5,0.5,0.6,0.2", None, "empty or leaves the frame"),
        ("0.5,0.5,0,0.2", None, "empty or leaves"),
        ("-0.1,0,0.5,0.5", None, "empty or leaves"),
        ("0.5,0.5,300,200", (640, 480), "pixels and fractions mixed"),
        ("nan,0,1,1", None, "pixels and fractions mixed"),
        ("0.5,0.5,0.001,0.001", None, "nothing that is left to inspect"),
    ],
)
def test_a_rectangle_that_is_none_is_refused(rectangle: str, frame_size: tuple[int, int] | None, message: str) -> None:
    with pytest.raises(NandEdgeError, match=message):
        make_region(rectangle=rectangle, frame_size=frame_size)


@pytest.mark.parametrize(("option", "level"), [("region_mask", 0), ("ignore_mask", 255)])
def test_a_mask_that_leaves_nothing_is_refused(tmp_path: Path, option: str, level: int) -> None:
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((10, 10), level, np.uint8))

    with pytest.raises(NandEdgeError, match=r"nothing that is left to inspect.*check what is white"):
        make_region(**{option: tmp_path / "mask.png"})  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "other content", "cut short"])
def test_a_mask_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = mask(tmp_path / "mask.png")
    path.write_bytes(path.read_bytes()[:40] if content is None else content)

    with pytest.raises(NandEdgeError, match=r"mask '.*mask\.png'.*needed a whole PNG"):
        make_region(ignore_mask=path)


def test_a_missing_mask_and_a_jpeg_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="No such file"):
        make_region(ignore_mask=tmp_path / "none.png")
    cv2.imwrite(str(tmp_path / "mask.jpg"), np.zeros((10, 10), np.uint8))
    with pytest.raises(NandEdgeError, match="no PNG"):
        make_region(ignore_mask=tmp_path / "mask.jpg")


def test_a_mask_of_other_proportions_than_the_frames_is_refused(tmp_path: Path) -> None:
    path = mask(tmp_path / "mask.png", size=(640, 480))
    assert made(ignore_mask=path, frame_size=(1280, 960)).aspect == pytest.approx(4 / 3)

    with pytest.raises(NandEdgeError, match="found 640x480 pixels, needed the proportions of the frames, 1920x1080"):
        make_region(ignore_mask=path, frame_size=(1920, 1080))
    with pytest.raises(NandEdgeError, match="parts of different proportions"):
        make_region(ignore_mask=path, region_mask=mask(tmp_path / "wide.png", size=(1920, 1080)))


def test_frames_of_other_proportions_than_the_region_are_refused(tmp_path: Path) -> None:
    region = made(ignore_mask=mask(tmp_path / "mask.png", size=(640, 480)))
    region.require_aspect(1281, 960)

    with pytest.raises(NandEdgeError, match=r"a frame of 1920x1080 pixels, 1\.778 times as wide as high"):
        region.require_aspect(1920, 1080)
    made(rectangle="0,0,0.5,0.5").require_aspect(1920, 1080)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    region = made(rectangle="0.1,0.2,0.3,0.4")
    write_region(region, tmp_path / "region.png")
    np.testing.assert_array_equal(read_region_map(tmp_path / "region.png", M), region.map)

    with pytest.raises(NandEdgeError, match=r"found 256x256 pixels.*needed 128x128 pixels"):
        read_region_map(tmp_path / "region.png", 128)


def test_a_frame_size_is_width_x_height() -> None:
    assert parse_frame_size("1920x1080") == (1920, 1080)
    for text in ("1920", "0x10", "1920*1080", "ax b"):
        with pytest.raises(NandEdgeError, match="WIDTHxHEIGHT"):
            parse_frame_size(text)


def test_frames_of_one_size_tell_it() -> None:
    def frame(height: int, width: int) -> NDArray[np.uint8]:
        return np.zeros((height, width, 3), np.uint8)

    assert size_of_frames([frame(480, 640), frame(480, 640)]) == (640, 480)
    assert size_of_frames([frame(480, 640), frame(240, 640)]) is None
    assert size_of_frames([]) is None
