"""A folder as a camera: every image once, in the order of names, with its fault where it has one."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from camera_feeds import FeedOf, grey_of

from nand_edge_runtime.station.states import PartState

Picture = Callable[..., bytes]


def test_every_image_enters_once_and_then_the_folder_has_finished(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    for number in range(30):
        (tmp_path / f"part-{number:03}.png").write_bytes(picture(number))
    (tmp_path / "notes.txt").write_text("no image")
    feed = feed_of(source=str(tmp_path))
    frames = feed.take(100)
    assert [grey_of(frame) for frame in frames] == list(range(30))
    assert [frame.key.number for frame in frames] == list(range(30))
    assert frames[7].name == str(tmp_path / "part-007.png")
    assert feed.feed.status().state is PartState.FINISHED
    assert feed.states == [PartState.STARTING, PartState.RUNNING, PartState.FINISHED]
    assert feed.dropped == 0


def test_the_folder_waits_while_nobody_takes_its_frames(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    for number in range(10):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    feed = feed_of(source=str(tmp_path), queue=2)
    assert feed.until(lambda: feed.feed.status().facts["queue"] == 2)
    time.sleep(0.1)
    assert feed.feed.status().facts["frames"] == 2
    assert feed.feed.overdue() == []
    assert len(feed.take(100)) == 10


def test_frames_of_a_folder_without_a_pace_have_their_whole_deadline_when_their_turn_comes(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    (tmp_path / "part.png").write_bytes(picture(1))
    feed = feed_of(source=str(tmp_path), deadline_ms=100)
    assert feed.until(lambda: feed.feed.status().facts["queue"] == 1)
    time.sleep(0.15)
    looked = time.monotonic()
    deadline = feed.feed.peek_deadline()
    assert deadline is not None
    assert deadline >= looked + 0.1
    assert feed.take(1)[0].taken >= looked


def test_with_a_pace_deadlines_count_from_when_a_frame_was_due(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    feed = feed_of(source=str(tmp_path), frames_per_second=20, deadline_ms=50)
    first, second, third = feed.take(3)
    assert 0.09 < third.taken - first.taken < 1.0
    assert second.taken < third.taken


def test_an_image_that_cannot_be_read_is_a_frame_with_a_fault(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    (tmp_path / "1.png").write_bytes(picture(1))
    (tmp_path / "2.png").write_bytes(picture(2)[:40])
    (tmp_path / "3.png").write_bytes(picture(3))
    feed = feed_of(source=str(tmp_path))
    frames = feed.take(100)
    assert [frame.fault != "" for frame in frames] == [False, True, False]
    assert frames[1].image.shape == (1, 1, 3)
    assert feed.feed.status().facts["read_errors"] == 1


def test_with_latest_a_folder_at_its_pace_drops_what_nobody_took(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.png").write_bytes(picture(number))
    feed = feed_of(source=str(tmp_path), frames_per_second=200, policy="latest")
    assert feed.until(lambda: feed.feed.status().facts["frames"] == 20)
    (newest,) = feed.take(100)
    assert (newest.key.number, newest.dropped_before, feed.dropped) == (19, 19, 19)


def test_a_loop_begins_again_with_new_numbers(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    frames = feed_of(source=str(tmp_path), loop=True).take(10)
    assert [grey_of(frame) for frame in frames] == [0, 1, 2] * 3 + [0]
    assert [frame.key.number for frame in frames] == list(range(10))


def test_one_image_is_a_folder_of_one(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    (tmp_path / "part.jpg").write_bytes(picture(128, ".jpg"))
    assert [grey_of(frame) for frame in feed_of(source=str(tmp_path / "part.jpg")).take(5)] == [128]


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    folder = tmp_path / "drive"
    feed = feed_of(source=str(folder), kind="folder")
    assert feed.until_state(PartState.RECONNECTING)
    assert "nothing there" in feed.feed.status().why
    folder.mkdir()
    (folder / "1.png").write_bytes(picture(1))
    assert len(feed.take(1)) == 1
    assert feed.feed.status().facts["reconnects"] == 1


@pytest.mark.skipif(os.name == "nt", reason="no links there")
def test_links_that_lead_out_of_the_folder_are_left_out(
    tmp_path: Path, picture: Picture, feed_of: FeedOf, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(picture(9))
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    (folder / "b.png").write_bytes(picture(1))
    (folder / "c.png").symlink_to(folder / "b.png")
    with caplog.at_level(logging.WARNING):
        assert [grey_of(frame) for frame in feed_of(source=str(folder)).take(9)] == [1, 1]
    assert "lead out of it" in caplog.text


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ({}, [None, None, None]),
        ({"position": "frames", "position_step": 12.5}, [0.0, 12.5, 25.0]),
        ({"position": "name", "position_step": 0.5}, [50.0, 50.5, 51.0]),
    ],
)
def test_the_settings_say_what_tells_a_frames_place(
    tmp_path: Path, picture: Picture, feed_of: FeedOf, settings: dict[str, object], places: list[float | None]
) -> None:
    for number in range(3):
        (tmp_path / f"cam1_{100 + number}.png").write_bytes(picture(number))
    frames = feed_of(source=str(tmp_path), **settings).take(9)
    assert [frame.position for frame in frames] == places


def test_a_place_by_speed_goes_on_with_the_time(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    first, _, last = feed_of(source=str(tmp_path), frames_per_second=50, position="speed", position_step=1000).take(3)
    assert first.position is not None
    assert last.position is not None
    assert last.position - first.position == pytest.approx((last.taken - first.taken) * 1000)


def test_a_wall_clock_that_is_set_back_changes_no_deadline(
    tmp_path: Path, picture: Picture, feed_of: FeedOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    feed = feed_of(source=str(tmp_path), frames_per_second=50)
    frames = feed.take(3)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() - 3600.0)
    frames += feed.take(3)
    assert [frame.key.number for frame in frames] == list(range(6))
    assert frames[5].timestamp < frames[0].timestamp
    times = [frame.taken for frame in frames]
    assert times == sorted(times)
    assert times[5] - times[0] < 5.0


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_thousands_of_frames_take_no_more_memory_and_files(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(picture(number, size=(64, 48)))
    feed = feed_of(source=str(tmp_path), loop=True)

    def footprint() -> tuple[int, int]:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(10):
        assert len(feed.take(50)) == 50
    memory, files = footprint()
    for _ in range(40):
        assert len(feed.take(50)) == 50
    memory_after, files_after = footprint()
    assert files_after <= files + 1, "the next image may be open at the moment"
    assert memory_after - memory < 5 << 20
