"""Dark and flat-field correction, and references that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.line_scan import TileMaker
from nand_edge_runtime.line_scan.correction import Correction, read_reference

DARK = np.linspace(3, 9, 50).astype(np.float32)
FLAT = np.linspace(240, 110, 50).astype(np.float32)


def seen_by_the_sensor(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What columns of different darkness and sensitivity make of light; 1 is the flat reference's."""
    return np.round(DARK + light * (FLAT - DARK)).astype(np.uint8)


def test_an_even_web_becomes_even() -> None:
    lines = seen_by_the_sensor(np.full((300, 50), 0.6))
    assert np.ptp(lines) > 50
    Correction(DARK, FLAT, 200.0).apply(lines)
    assert np.abs(lines.astype(int) - 120).max() <= 1


def test_the_same_as_the_formula_and_held_within_a_byte() -> None:
    lines = np.random.default_rng(0).integers(0, 256, (130, 50), dtype=np.uint8)
    expected = np.clip(np.rint((lines - DARK) * np.float32(200) / (FLAT - DARK)), 0, 255)
    Correction(DARK, FLAT, 200.0).apply(lines)
    assert np.abs(lines - expected).max() <= 1


def test_tiles_are_corrected_once_in_spite_of_their_overlap(line_scan: Any, blocks: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "dark.npy", DARK)
    np.save(tmp_path / "flat.npy", FLAT)
    settings = line_scan(dark=tmp_path / "dark.npy", flat=tmp_path / "flat.npy", flat_level=180)
    web = seen_by_the_sensor(np.random.default_rng(0).random((500, 50)))
    expected = web.copy()
    Correction(DARK, FLAT, 180.0).apply(expected)
    maker = TileMaker(settings, camera="web")
    tiles = [tile for block in blocks(web, 10) for tile in maker.push(block)]
    for number, tile in enumerate(tiles):
        assert (tile.image[:, :, 1] == expected[40 * number : 40 * number + 64]).all()


def test_blocks_that_the_references_do_not_fit_are_rejects(line_scan: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", FLAT)
    maker = TileMaker(line_scan(flat=tmp_path / "flat.npy"), camera="web")
    (tile,) = maker.push(Taken(np.zeros((8, 49), np.uint8), "", 0.0, 0.0))
    assert tile.fault == "lines of shape (49,), the correction's references are of (50,)"


def test_references_of_all_kinds(tmp_path: Path) -> None:
    lines = np.stack([FLAT - 2, FLAT + 2])
    for name, content in (("floats", lines), ("bytes", np.round(FLAT).astype(np.uint8))):
        np.save(tmp_path / f"{name}.npy", content)
        assert np.abs(read_reference(tmp_path / f"{name}.npy") - FLAT).max() <= 0.5
    cv2.imwrite(str(tmp_path / "sixteen.png"), np.round(lines * 257).astype(np.uint16))
    assert np.abs(read_reference(tmp_path / "sixteen.png") - FLAT).max() < 0.01
    cv2.imwrite(str(tmp_path / "colour.png"), np.full((4, 7, 3), (10, 20, 30), np.uint8))
    assert read_reference(tmp_path / "colour.png").tolist() == [[10, 20, 30]] * 7


def test_dark_alone_is_taken_off(line_scan: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "dark.npy", np.array([5.0, 5.0, 45.0]))
    maker = TileMaker(line_scan(dark=tmp_path / "dark.npy"), camera="web")
    maker.push(Taken(np.tile(np.array([5, 255, 45], np.uint8), (64, 1)), "", 0.0, 0.0))
    (tile,) = maker.flush()
    assert (tile.image[0, 0] == 0).all()
    assert (tile.image[0, 2] == 0).all()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "no array and no image"),
        (b"\x93NUMPY", "no array and no image"),
        (b"\x89PNG\r\n\x1a\n and nothing more", "no array and no image"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".png"])
def test_damaged_references_are_refused(tmp_path: Path, content: bytes, found: str, suffix: str) -> None:
    path = tmp_path / f"flat{suffix}"
    path.write_bytes(content)
    with pytest.raises(NandEdgeError, match=found):
        read_reference(path)


@pytest.mark.parametrize(
    "content",
    [
        np.array([{}, 1], dtype=object), np.full(50, np.nan), np.zeros((2, 2, 2, 2)), np.zeros(0),
        np.zeros(9, np.complex64), np.zeros((2, 9, 4), np.uint8), np.zeros(4, np.int64),
    ],
)  # fmt: skip
def test_arrays_that_are_no_reference_are_refused(tmp_path: Path, content: NDArray[Any]) -> None:
    np.save(tmp_path / "flat.npy", content, allow_pickle=True)
    with pytest.raises(NandEdgeError, match="reference"):
        read_reference(tmp_path / "flat.npy")


def test_a_missing_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="No such file"):
        read_reference(tmp_path / "flat.npy")


def test_a_flat_reference_without_light_is_refused() -> None:
    with pytest.raises(NandEdgeError, match=r"a column only 1\.0 grey values brighter"):
        Correction(DARK, DARK + 1, 200.0)
    with pytest.raises(NandEdgeError, match="50 columns and 49 columns"):
        Correction(DARK, FLAT[1:], 200.0)
