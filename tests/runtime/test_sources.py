from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_bundle import Spot

from nand_edge.errors import NandEdgeError
from nand_edge_runtime import Inspection, Inspector
from nand_edge_runtime.inspecting import inspect_source
from nand_edge_runtime.sources import Frame, open_source


def _ignore(_frame: Frame, _inspection: Inspection) -> None:
    """Do nothing after a frame."""


@pytest.fixture
def folder(tmp_path: Path, spot: Spot) -> Path:
    """Three images; the one in the middle is damaged by the tests that want that."""
    path = tmp_path / "parts"
    path.mkdir()
    for name, inside in (("a.png", 60), ("b.jpg", 120), ("c.bmp", 230)):
        cv2.imwrite(str(path / name), spot(inside))
    (path / "notes.txt").write_text("no image")
    return path


@pytest.fixture
def video(tmp_path: Path, spot: Spot) -> Path:
    """Five frames that grow brighter."""
    path = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for inside in range(50, 300, 50):
        writer.write(spot(inside=inside))
    writer.release()
    return path


def test_an_image_is_one_frame(folder: Path) -> None:
    source = open_source(folder / "a.png")
    (frame,) = source
    assert source.length == 1
    assert frame.image.shape == (48, 64, 3)
    assert frame.name == str(folder / "a.png")
    assert frame.index == 0
    assert frame.timestamp > 1e9


def test_a_folder_gives_its_images_by_name(folder: Path) -> None:
    frames = list(open_source(str(folder)))
    assert [Path(frame.name).name for frame in frames] == ["a.png", "b.jpg", "c.bmp"]
    assert [frame.index for frame in frames] == [0, 1, 2]


def test_a_damaged_image_in_the_middle_stops_the_run(folder: Path) -> None:
    (folder / "b.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(NandEdgeError, match=r"b\.jpg"):
        list(open_source(folder))


def test_damaged_images_are_skipped_and_counted_on_request(folder: Path, inspector: Inspector) -> None:
    (folder / "b.jpg").write_bytes(b"\xff\xd8\xff")
    indices: list[int] = []
    summary = inspect_source(
        inspector, open_source(folder, skip_bad=True), lambda _, inspection: indices.append(inspection.index)
    )
    assert indices == [0, 2], "a skipped frame keeps its place"
    assert (summary.frames, summary.skipped) == (2, 1)


def test_a_video_gives_all_its_frames(video: Path) -> None:
    source = open_source(video)
    frames = list(source)
    assert source.length == len(frames) == 5
    assert frames[3].name == f"{video}#3"
    brightness = [float(frame.image[24, 32].mean()) for frame in frames]
    np.testing.assert_allclose(brightness, [50, 100, 150, 200, 250], atol=8)


def test_a_run_over_a_video_is_summed_up(video: Path, inspector: Inspector) -> None:
    inspector.set_normalities([])
    summary = inspect_source(inspector, open_source(video), _ignore)
    assert (summary.frames, summary.passed, summary.rejected) == (5, 2, 3)
    inspector.set_normalities(["bright"])
    summary = inspect_source(inspector, open_source(video), _ignore, limit=4)
    assert summary.frames == 4
    assert summary.suppressed == summary.passed - 2 > 0
    assert summary.p50_ms is not None


def test_a_file_that_is_no_video(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video" * 100)
    with pytest.raises(NandEdgeError, match=r"video '.*broken\.mp4': found a file that OpenCV cannot open"):
        open_source(path)
    assert capfd.readouterr() == ("", ""), "OpenCV's own lines are kept away"


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match=r"folder '.*': found no image"):
        open_source(tmp_path)


def test_nothing_there() -> None:
    with pytest.raises(NandEdgeError, match="source 'nowhere': found no such file or folder"):
        open_source("nowhere")


def test_a_camera_that_does_not_open() -> None:
    with pytest.raises(NandEdgeError, match="camera 99: found no camera that opens"):
        open_source("99")
