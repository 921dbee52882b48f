"""Pictures of what deserves a look are kept, in bounded room and time, and never cost a verdict."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from history.made_frames import OpenHistory, make_decided, make_frame, make_inspection, make_record, until

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.history import History, HistorySettings, Query
from nand_edge_runtime.history.clock import WallClock
from nand_edge_runtime.history.picture_files import PictureFiles
from nand_edge_runtime.history.pictures import PictureWriter
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided

pytestmark = pytest.mark.station

NOISE = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)


def put(history: History, frame: CameraFrame, verdict: Verdict = Verdict.REJECT, **more: bool) -> FrameKey:
    history.entered(frame)
    history.decided(Decided(make_record(frame, verdict, **more), frame.image, make_inspection(frame)))
    return frame.key


def test_rejects_what_words_let_pass_and_one_pass_in_so_many(open_history: OpenHistory) -> None:
    history = open_history(picture_rejects=True, picture_suppressed=True, picture_passes_every=4)
    rejected = put(history, make_frame(0))
    suppressed = put(history, make_frame(1), Verdict.PASS, suppressed=True)
    passes = [put(history, make_frame(number), Verdict.PASS) for number in range(2, 12)]
    other = [put(history, make_frame(number, "side"), Verdict.PASS) for number in range(3)]
    assert history.flushed(5.0)
    assert history.pictures_written(5.0)
    kept = {key for key in (rejected, suppressed, *passes, *other) if history.picture(key) is not None}
    assert kept == {rejected, suppressed, passes[0], passes[4], passes[8], other[0]}


def test_a_picture_and_its_maps_come_back(open_history: OpenHistory) -> None:
    history = open_history(picture_rejects=True, picture_format="png")
    maps = np.random.default_rng(1).random((16, 16), dtype=np.float32) * 3
    maps[0, 0], maps[0, 1] = np.nan, 1e9
    frame = make_frame(0, image=NOISE)
    history.entered(frame)
    history.decided(Decided(make_record(frame, Verdict.REJECT), NOISE, make_inspection(frame, maps)))
    assert history.flushed(5.0)
    assert history.pictures_written(5.0)
    path = history.picture(frame.key)
    assert path is not None
    np.testing.assert_array_equal(cv2.imread(str(path)), NOISE)
    kept = history.maps(frame.key)
    assert kept is not None
    np.testing.assert_allclose(kept.anomaly_map[1:], maps[1:], atol=2e-3)
    np.testing.assert_allclose(kept.base_map[1:], maps[1:] * 2, atol=4e-3)
    assert np.isnan(kept.anomaly_map[0, 0])
    assert kept.anomaly_map[0, 1] == np.float32(np.finfo(np.float16).max)
    assert kept.suppression_map.dtype == np.float32


def test_jpeg_without_maps(open_history: OpenHistory) -> None:
    history = open_history(picture_rejects=True, maps=False)
    key = put(history, make_frame(0, image=NOISE))
    assert history.flushed(5.0)
    assert history.pictures_written(5.0)
    path = history.picture(key)
    assert path is not None
    assert path.suffix == ".jpg"
    assert history.maps(key) is None


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/abs", "a\0b", "x" * 5000, "\N{BLACK STAR}", "CON", ""])
def test_a_hostile_name_never_becomes_a_path(tmp_path: Path, open_history: OpenHistory, name: str) -> None:
    history = open_history(picture_rejects=True)
    put(history, make_frame(0, name=name))
    key = put(history, make_frame(1, camera=f"c{name}"[:60], run=f"r{name}"[:60]))
    assert history.pictures_written(5.0)
    files = list(tmp_path.rglob("*.jpg"))
    assert len(files) == 2
    assert {path.parent.parent for path in files} == {tmp_path / "history" / "pictures"}
    assert history.flushed(5.0)
    assert history.get(key) is not None or "\0" in name
    assert history.picture(FrameKey("..", "../../secret", 0)) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"garbage", b"\x93NUMPY\x01\x00"])
def test_damaged_maps_are_said_in_a_sentence(tmp_path: Path, open_history: OpenHistory, content: bytes) -> None:
    history = open_history(picture_rejects=True)
    key = put(history, make_frame(0))
    assert history.flushed(5.0)
    assert history.pictures_written(5.0)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(content)
    with pytest.raises(NandEdgeError, match="remove the file; its record stays"):
        history.maps(key)
    (picture,) = tmp_path.rglob("*.jpg")
    picture.write_bytes(b"")
    assert history.picture(key) is None, "the power went while it was written"


def test_the_queue_is_bounded_and_what_finds_no_room_is_counted(tmp_path: Path) -> None:
    settings = HistorySettings(pictures_waiting_megabytes=1)
    writer = PictureWriter(PictureFiles(tmp_path), settings, records_bytes=lambda: 0)
    large = np.zeros((500, 500, 3), np.uint8)  # 750,000 bytes: one fits, two do not
    for number in range(10):
        writer.offer(make_decided(make_frame(number, image=large), Verdict.REJECT))
    assert writer.dropped == 9
    writer.start()
    assert writer.idle(5.0)
    writer.offer(make_decided(make_frame(10, image=large), Verdict.REJECT))
    assert writer.idle(5.0)
    writer.stop(5.0)
    assert (writer.written, writer.dropped) == (2, 9)


def test_the_oldest_make_way_when_the_room_is_used_up(tmp_path: Path, open_history: OpenHistory) -> None:
    history = open_history(picture_rejects=True, picture_format="png", maps=False, megabytes=1)
    keys = [put(history, make_frame(n, image=NOISE, timestamp=1_700_000_000.0 + 3600 * n)) for n in range(12)]
    assert history.flushed(5.0)
    assert history.pictures_written(10.0)
    total = sum(path.stat().st_size for path in tmp_path.rglob("*.png"))
    assert total <= 1 << 20
    kept = [history.picture(key) is not None for key in keys]
    assert kept == sorted(kept), "the newest"
    assert 3 <= sum(kept) < 12
    assert history.status().facts["pictures_megabytes"] == pytest.approx(total / (1 << 20))
    assert history.count(Query())["frames"] == 12, "their records stay"


class Clocks:
    """A wall clock and one that only goes forward, set by the test."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000.0, 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def watched(self) -> WallClock:
        return WallClock(lambda: self.wall, lambda: self.steady)


def test_old_pictures_go_once_the_clock_can_be_trusted(tmp_path: Path) -> None:
    clocks = Clocks()
    settings = HistorySettings(pictures_days=1)
    files = PictureFiles(tmp_path)
    writer = PictureWriter(files, settings, records_bytes=lambda: 0, clock=clocks.watched())
    frame = make_frame(0, timestamp=clocks.wall)
    files.write(files.place(frame.key, frame.timestamp, ".jpg"), b"x")
    clocks.pass_by(1800)
    clocks.wall += 90 * 86400  # somebody set the clock
    writer._tidy()
    assert files.picture(frame.key, frame.timestamp) is not None, "it may be wrong now"
    clocks.wall -= 90 * 86400
    writer._tidy()
    clocks.pass_by(3500)
    writer._tidy()
    assert files.picture(frame.key, frame.timestamp) is not None, "it jumped less than an hour ago"
    clocks.pass_by(2 * 86400)
    writer._tidy()
    assert files.picture(frame.key, frame.timestamp) is None
    assert not list(tmp_path.iterdir()), "nor is its folder"


def test_pictures_leave_records_their_room(tmp_path: Path) -> None:
    free = 1 << 14
    settings = HistorySettings(minimum_free_megabytes=2**20)  # more than any disk has
    files = PictureFiles(tmp_path)
    old = make_frame(0)
    files.write(files.place(old.key, old.timestamp, ".jpg"), b"x" * free)
    told: list[str] = []
    writer = PictureWriter(files, settings, records_bytes=lambda: 0, on_change=lambda: told.append(writer.trouble))
    writer.offer(make_decided(make_frame(1), Verdict.REJECT))
    writer.start()
    assert writer.idle(5.0)
    writer.stop(5.0)
    assert writer.dropped == 1
    assert told == ["less room on the disk than minimum_free_megabytes"]
    assert files.picture(old.key, old.timestamp) is None, "old pictures made way"


def test_what_others_put_into_the_folder_stays(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path)
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "20200101T00" / "folder").mkdir(parents=True)
    (tmp_path / "20200101T00" / "cut-short.jpg.part").write_bytes(b"x")
    (tmp_path / "note.txt").write_text("mine")
    files.measure()
    assert files.total_bytes == 0
    files.remove_before(time.time())
    files.shrink(0)
    assert (tmp_path / "lost+found").is_dir()
    assert (tmp_path / "20200101T00" / "folder").is_dir()
    assert not (tmp_path / "20200101T00" / "cut-short.jpg.part").exists()
    assert (tmp_path / "note.txt").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs removable open folders")
def test_a_removed_folder_is_made_again(tmp_path: Path, open_history: OpenHistory) -> None:
    history = open_history(picture_rejects=True)
    put(history, make_frame(0))
    assert history.pictures_written(5.0)
    (tmp_path / "history" / "pictures").rename(tmp_path / "elsewhere")
    put(history, make_frame(1))
    assert history.pictures_written(5.0)

    def kept_again() -> bool:
        key = put(history, make_frame(int(time.monotonic() * 1000)))
        return history.pictures_written(5.0) and history.flushed(5.0) and history.picture(key) is not None

    assert until(kept_again)
