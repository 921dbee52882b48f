from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.images import as_frame, list_images, read_frame


@pytest.fixture
def colour() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_a_colour_image_is_read_as_it_was_written(tmp_path: Path, colour: NDArray[np.uint8], suffix: str) -> None:
    path = tmp_path / f"part{suffix}"
    cv2.imwrite(str(path), colour, [cv2.IMWRITE_WEBP_QUALITY, 101])
    np.testing.assert_array_equal(read_frame(path), colour)


def test_a_grey_image_becomes_three_equal_channels(tmp_path: Path, colour: NDArray[np.uint8]) -> None:
    grey = colour[..., 0]
    cv2.imwrite(str(tmp_path / "part.png"), grey)
    np.testing.assert_array_equal(read_frame(tmp_path / "part.png"), np.dstack([grey] * 3))


def test_sixteen_bits_keep_black_white_and_what_lies_between(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16)
    cv2.imwrite(str(tmp_path / "part.png"), ramp * 257)
    np.testing.assert_array_equal(read_frame(tmp_path / "part.png")[..., 1], ramp)


def test_alpha_is_dropped(colour: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(as_frame(np.dstack([colour, colour[..., :1]])), colour)


def test_a_frame_that_needs_no_change_is_not_copied(colour: NDArray[np.uint8]) -> None:
    assert np.shares_memory(as_frame(colour), colour)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((0, 5, 3), np.uint8), "5 x 0 pixels"),
        (np.zeros((5, 5, 3), np.float32), "float32"),
        (np.zeros((5, 5, 2), np.uint8), r"\[5, 5, 2\]"),
        (np.zeros((2, 5, 5, 3), np.uint8), r"\[2, 5, 5, 3\]"),
        (np.zeros((1, 16385, 3), np.uint8), "16385 x 1"),
    ],
)
def test_what_is_no_frame_is_refused_with_the_reason(array: NDArray[np.generic], reason: str) -> None:
    with pytest.raises(NandEdgeError, match=reason):
        as_frame(array)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, colour: NDArray[np.uint8], suffix: str) -> None:
    whole = cv2.imencode(suffix, colour)[1].tobytes()
    path = tmp_path / f"part{suffix}"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(NandEdgeError, match="whole image"):
        read_frame(path)


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_a_file_that_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "part.png").write_bytes(content)
    with pytest.raises(NandEdgeError, match=r"part\.png"):
        read_frame(tmp_path / "part.png")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="No such file"):
        read_frame(tmp_path / "part.png")


def test_images_are_listed_by_name_without_other_and_hidden_files(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", ".c.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpg", "b.PNG"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="no image"):
        list_images(tmp_path)
    with pytest.raises(NandEdgeError, match="nothing there"):
        list_images(tmp_path / "missing")
