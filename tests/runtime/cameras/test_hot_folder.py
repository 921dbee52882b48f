"""A hot folder: what another program lays down is taken once, when it is whole, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from camera_feeds import FeedOf, grey_of
from pace import within

from nand_edge_runtime.station.hub import Entered
from nand_edge_runtime.station.states import PartState

Picture = Callable[..., bytes]


def lay(folder: Path, name: str, content: bytes) -> None:
    """Lay a file down whole, as careful programs do."""
    temporary = folder / f".{name}.part"
    temporary.write_bytes(content)
    temporary.replace(folder / name)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_files_are_taken_as_they_come_and_moved_when_they_are_on_record(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder")
    assert feed.until_state(PartState.RUNNING), "it runs before the first file comes"
    for number in range(20):
        lay(tmp_path, f"part{number:02}.png", picture(number))
        assert [grey_of(frame) for frame in feed.take(1)] == [number]
    assert feed.until(lambda: len(names(tmp_path / "done")) == 20)
    assert names(tmp_path) == set()
    assert feed.feed.take() is None


def test_a_frame_that_is_not_on_record_leaves_its_file_for_the_next_start(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    for number in range(3):
        lay(tmp_path, f"{number}.png", picture(number))
    first = feed_of(source=str(tmp_path), kind="hot-folder", enters=False)
    taken = first.take(2)
    first.hub.publish(Entered(taken[0]))
    assert first.until(lambda: names(tmp_path) == {"1.png", "2.png"})
    first.feed.stop()
    second = feed_of(source=str(tmp_path), kind="hot-folder")
    assert [grey_of(frame) for frame in second.take(2)] == [1, 2]


def test_a_file_that_was_on_record_but_not_yet_put_away_when_the_station_was_killed_is_not_taken_again(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    for number in range(3):
        lay(tmp_path, f"{number}.png", picture(number))
    killed = feed_of(source=str(tmp_path), kind="hot-folder", enters=False)
    recorded = [(frame.name, frame.device_timestamp_ns) for frame in killed.take(2)]
    killed.feed.stop()
    lay(tmp_path, "1.png", picture(7))
    after = feed_of(source=str(tmp_path), kind="hot-folder", recorded=recorded)
    assert sorted(grey_of(frame) for frame in after.take(2)) == [2, 7], "another file under an old name is taken"
    assert after.until(lambda: names(tmp_path / "done") == {"0.png", "1.png", "2.png"})
    assert after.feed.status().facts["frames"] == 2


def test_frames_that_are_put_on_record_after_the_stop_are_put_away_too(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    lay(tmp_path, "1.png", picture(1))
    feed = feed_of(source=str(tmp_path), kind="hot-folder", enters=False)
    assert feed.until(lambda: feed.feed.status().facts["queue"] == 1)
    feed.feed.stop()
    frame = feed.feed.take()
    assert frame is not None
    feed.hub.publish(Entered(frame))
    assert feed.until(lambda: names(tmp_path / "done") == {"1.png"})


@pytest.mark.parametrize("when_taken", ["move", "remember", "delete"])
def test_each_file_is_taken_once_also_over_a_restart(
    tmp_path: Path, picture: Picture, feed_of: FeedOf, when_taken: str
) -> None:
    settings = {"source": str(tmp_path), "kind": "hot-folder", "when_taken": when_taken}
    for number in range(5):
        lay(tmp_path, f"{number}.png", picture(number))
    first = feed_of(**settings)
    assert len(first.take(5)) == 5
    there = {"move": set(), "delete": set(), "remember": {f"{number}.png" for number in range(5)}}[when_taken]
    assert first.until(lambda: {name for name in names(tmp_path) if not name.startswith(".")} == there)
    first.feed.stop()
    second = feed_of(**settings)
    lay(tmp_path, "5.png", picture(5))
    assert [grey_of(frame) for frame in second.take(2, timeout_s=0.3)] == [5]


def test_another_file_under_the_name_of_one_that_was_remembered_is_taken(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder", when_taken="remember")
    for grey in (1, 2, 3):
        lay(tmp_path, "part.png", picture(grey, size=(32 + grey, 24)))
        assert [grey_of(frame) for frame in feed.take(1)] == [grey]
        feed.until(lambda: "part.png" in (tmp_path / ".nand-edge-taken.jsonl").read_text())


def test_a_file_that_took_the_place_of_one_in_work_is_not_moved_but_taken(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder", enters=False)
    lay(tmp_path, "part.png", picture(1))
    first = feed.take(1)[0]
    lay(tmp_path, "part.png", picture(2, size=(40, 40)))
    feed.hub.publish(Entered(first))
    assert [grey_of(frame) for frame in feed.take(1)] == [2]


def test_names_that_come_again_keep_both_files(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder")
    for grey in (1, 2, 3):
        lay(tmp_path, "part.png", picture(grey))
        assert [grey_of(frame) for frame in feed.take(1)] == [grey]
        assert feed.until(lambda wanted=grey: len(names(tmp_path / "done")) == wanted)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_file_that_is_still_being_written_is_waited_for(
    tmp_path: Path, picture: Picture, feed_of: FeedOf, suffix: str
) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder", settle_s=0.3)
    content = picture(7, suffix, size=(64, 48))
    size = len(content) // 5
    with (tmp_path / f"part{suffix}").open("wb") as stream:
        for start in range(0, 4 * size, size):
            stream.write(content[start : start + size])
            stream.flush()
            assert feed.take(1, timeout_s=0.08) == []
        stream.write(content[4 * size :])
    assert [(grey_of(frame), frame.fault) for frame in feed.take(1)] == [(7, "")]


def test_a_whole_file_is_taken_at_once(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder", settle_s=5.0, give_up_s=10.0)
    assert feed.until_state(PartState.RUNNING)
    lay(tmp_path, "part.png", picture(1))
    with within(2.0):
        assert len(feed.take(1)) == 1


def test_a_file_that_never_becomes_an_image_is_a_frame_with_a_fault(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder", settle_s=0.05, give_up_s=0.4)
    (tmp_path / "half.png").write_bytes(picture(1)[:50])
    lay(tmp_path, "good.png", picture(2))
    assert [grey_of(frame) for frame in feed.take(1)] == [2], "it keeps nobody waiting"
    with within(5.0):
        (frame,) = feed.take(1)
        assert "cut short" in frame.fault
    assert feed.until(lambda: names(tmp_path / "done") == {"half.png", "good.png"})


def test_an_oversized_image_is_a_frame_with_a_fault(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder", max_megapixels=0.01, settle_s=0.05)
    lay(tmp_path, "part.png", picture(1, size=(200, 200)))
    (frame,) = feed.take(1)
    assert frame.fault == "found 200 x 200 pixels, needed at most 0.01 megapixels"


@pytest.mark.skipif(os.name == "nt", reason="no links and pipes there")
def test_links_pipes_folders_and_hidden_files_are_left_alone(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(picture(9))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / ".hidden.png").write_bytes(picture(8))
    feed = feed_of(source=str(folder), kind="hot-folder")
    lay(folder, "part.png", picture(1))
    assert [grey_of(frame) for frame in feed.take(2, timeout_s=0.3)] == [1]
    assert (tmp_path / "secret.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="no links there")
def test_a_done_that_is_a_link_is_refused(tmp_path: Path, feed_of: FeedOf) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "done").symlink_to(elsewhere)
    feed = feed_of(source=str(folder), kind="hot-folder")
    assert feed.until_state(PartState.RECONNECTING)
    assert "done is a link" in feed.feed.status().why


def test_done_does_not_grow_without_bound(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder", keep_done=5)
    for number in range(30):
        lay(tmp_path, f"part{number:02}.png", picture(number))
        feed.take(1)
    assert feed.until(lambda: names(tmp_path) == set())
    assert feed.until(lambda: len(names(tmp_path / "done")) <= 5)
    assert "part29.png" in names(tmp_path / "done")


def test_a_folder_that_goes_away_and_comes_back(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    feed = feed_of(source=str(folder), kind="hot-folder")
    assert feed.until_state(PartState.RUNNING)
    (folder / "done").rmdir()
    folder.rmdir()
    assert feed.until_state(PartState.RECONNECTING)
    folder.mkdir()
    lay(folder, "part.png", picture(3))
    assert [grey_of(frame) for frame in feed.take(1)] == [3]


def test_a_file_that_waits_too_long_is_late_unless_the_settings_say_that_it_may_wait(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    deadlines = {}
    for counted in ("ready", "read"):
        folder = tmp_path / counted
        folder.mkdir()
        for number in range(3):
            lay(folder, f"{number}.png", picture(number))
        feed = feed_of(source=str(folder), kind="hot-folder", queue=1, deadline_ms=50, deadline_from=counted)
        assert feed.until(lambda watched=feed: watched.feed.status().facts["queue"] == 1)
        time.sleep(0.1)
        deadlines[counted] = (feed.feed.peek_deadline() or 0.0) - time.monotonic()
    assert deadlines["ready"] < 0 < deadlines["read"]


def test_files_that_came_too_late_while_the_station_was_busy_do_not_make_the_next_ones_late(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    for number in range(200):
        lay(tmp_path, f"{number:03}.png", picture(1))
    feed = feed_of(source=str(tmp_path), kind="hot-folder", queue=1, deadline_ms=100)
    assert feed.until(lambda: feed.feed.status().facts["queue"] == 1)
    time.sleep(0.2)
    frames = feed.take(200)
    assert len(frames) == 200
    assert "its deadline came" in frames[100].fault
    lay(tmp_path, "next.png", picture(2))
    assert [(grey_of(frame), frame.fault) for frame in feed.take(1)] == [(2, "")]


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes")
@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"a\nb.png", "a\\nb.png"), (b"\xff.png", "\\udcff.png"), (b"%2e%2e%2fx.png", "%2e%2e%2fx.png")],
)
def test_names_that_are_tricks_are_written_out_and_their_files_are_put_away(
    tmp_path: Path, picture: Picture, feed_of: FeedOf, name: bytes, shown: str
) -> None:
    feed = feed_of(source=str(tmp_path), kind="hot-folder")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(picture(4))
    (frame,) = feed.take(1)
    assert frame.name == f"{tmp_path}/{shown}"
    assert feed.until(lambda: names(tmp_path / "done") == {os.fsdecode(name)})
    assert names(tmp_path) == set()


def test_a_folder_of_very_many_files_gives_its_first_frame_at_once(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    content = picture(4)
    for number in range(1500):
        (tmp_path / f"{number:04}.png").write_bytes(content)
    feed = feed_of(source=str(tmp_path), kind="hot-folder", deadline_from="read")
    frames = feed.take(700)
    assert [frame.name for frame in frames] == [str(tmp_path / f"{number:04}.png") for number in range(700)]


def test_a_memory_that_was_cut_short_when_the_power_went_is_read_as_far_as_it_goes(
    tmp_path: Path, picture: Picture, feed_of: FeedOf
) -> None:
    lay(tmp_path, "1.png", picture(1))
    lay(tmp_path, "2.png", picture(2))
    found = (tmp_path / "1.png").stat()
    line = json.dumps(["1.png", found.st_size, found.st_mtime_ns])
    (tmp_path / ".nand-edge-taken.jsonl").write_text(f'{line}\n["2.png", 12')
    feed = feed_of(source=str(tmp_path), kind="hot-folder", when_taken="remember")
    assert [grey_of(frame) for frame in feed.take(2, timeout_s=0.3)] == [2]


_TAKES_TWO_AND_DIES = """
import os, signal, sys, time
from nand_edge_runtime.cameras import CameraFeed, CameraSettings
from nand_edge_runtime.station.hub import Entered, Hub

hub = Hub()
feed = CameraFeed(
    CameraSettings(name="top", source=sys.argv[1], kind="hot-folder"), "r1", hub=hub, on_frame=lambda: None
)
feed.start()
taken = 0
while taken < 2:
    frame = feed.take()
    if frame is None:
        time.sleep(0.002)
        continue
    hub.publish(Entered(frame))
    taken += 1
while len(os.listdir(os.path.join(sys.argv[1], "done"))) < 2:
    time.sleep(0.002)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_kill_loses_and_doubles_no_file(tmp_path: Path, picture: Picture, feed_of: FeedOf) -> None:
    for number in range(6):
        lay(tmp_path, f"{number}.png", picture(number))
    subprocess.run([sys.executable, "-c", _TAKES_TWO_AND_DIES, str(tmp_path)], check=False, timeout=60)
    assert names(tmp_path / "done") == {"0.png", "1.png"}
    assert [grey_of(frame) for frame in feed_of(source=str(tmp_path), kind="hot-folder").take(4)] == [2, 3, 4, 5]
