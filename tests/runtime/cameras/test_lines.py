"""A line-scan camera: what it gives are blocks of lines, and tiles of them are its frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from camera_feeds import FeedOf

from nand_edge_runtime.cameras import CameraSettings
from nand_edge_runtime.cameras.lines import Lines, lines_of
from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.line_scan import LineScanSettings
from nand_edge_runtime.station.settings import StationCamera

_LINE_SCAN = {
    "tile_height": 64, "overlap": 8, "context": 4, "stride": 16, "millimetres_per_line": 0.1,
    "millimetres_per_column": 0.1,
}  # fmt: skip


def block(first: int, lines: int) -> np.ndarray:
    """Lines whose grey value is their number."""
    return np.repeat(np.arange(first, first + lines, dtype=np.uint8)[:, np.newaxis], 32, axis=1)


def test_tiles_of_a_folders_blocks_are_the_frames_and_the_last_lines_are_among_them(
    tmp_path: Path, feed_of: FeedOf
) -> None:
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"block{number}.png"), block(20 * number, 20))
    feed = feed_of(source=str(tmp_path), line_scan=_LINE_SCAN, policy="latest")
    frames = feed.take(100)
    assert [frame.key.number for frame in frames] == list(range(len(frames))), "lines are never dropped"
    assert {frame.image.shape for frame in frames} == {(64, 32, 3)}
    seen = {int(value) for frame in frames for value in frame.image[:, 0, 0]}
    assert seen >= set(range(200))
    assert not any(frame.fault for frame in frames)


def test_a_damaged_block_is_a_reject_for_its_lines(tmp_path: Path, feed_of: FeedOf) -> None:
    for number in range(8):
        path = tmp_path / f"block{number}.png"
        cv2.imwrite(str(path), block(20 * number, 20))
    content = (tmp_path / "block4.png").read_bytes()
    (tmp_path / "block4.png").write_bytes(content[:60])
    frames = feed_of(source=str(tmp_path), line_scan=_LINE_SCAN).take(100)
    assert any("cut short" in frame.fault for frame in frames)
    assert any(not frame.fault for frame in frames)


def test_a_camera_that_is_lost_ends_the_strip_with_one_reject_however_long_it_is_away() -> None:
    camera = StationCamera(name="web", source="0", line_scan=LineScanSettings.model_validate(_LINE_SCAN))
    lines = lines_of(camera)
    assert isinstance(lines, Lines)
    assert lines.interrupted("no answer") == [], "nothing was seen yet"
    tiles = lines.push(Taken(np.repeat(block(0, 70)[:, :, np.newaxis], 3, axis=2), "", 1.0, 1.0))
    assert len(tiles) == 1
    lost = lines.interrupted("no answer")
    assert lost[-1].fault == "no answer"
    assert lines.interrupted("no answer") == []


def test_other_cameras_have_no_lines() -> None:
    assert lines_of(CameraSettings(name="top", source="0")) is None
