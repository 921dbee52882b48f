"""A video as a camera: every frame once, read in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from camera_feeds import FeedOf, grey_of

from nand_edge_runtime.station.states import PartState

Video = Callable[[int], Path]


@pytest.mark.parametrize("isolated", [True, False])
def test_every_frame_enters_once(video: Video, feed_of: FeedOf, *, isolated: bool) -> None:
    path = video(40)
    feed = feed_of(source=str(path), isolated=isolated)
    frames = feed.take(100)
    assert [frame.key.number for frame in frames] == list(range(40))
    assert all(abs(grey_of(frame) - 5 * number) <= 4 for number, frame in enumerate(frames))
    assert frames[39].name == f"{path}#39"
    assert not any(frame.fault for frame in frames)
    assert feed.feed.status().state is PartState.FINISHED


def test_a_loop_begins_again(video: Video, feed_of: FeedOf) -> None:
    frames = feed_of(source=str(video(5)), loop=True).take(12)
    assert [round(grey_of(frame) / 5) for frame in frames] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


def test_a_video_that_ends_before_its_announced_end_has_a_last_frame_with_the_fault(
    video: Video, feed_of: FeedOf
) -> None:
    path = video(40)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames = feed_of(source=str(path), isolated=False).take(100)
    assert 5 < len(frames) < 40
    assert "of the 40 frames that it announces" in frames[-1].fault
    assert not any(frame.fault for frame in frames[:-1])


def test_what_is_no_video_fails_in_one_sentence_and_is_not_tried_again(tmp_path: Path, feed_of: FeedOf) -> None:
    path = tmp_path / "line.mp4"
    path.write_bytes(b"hello" * 100)
    feed = feed_of(source=str(path))
    assert feed.until_state(PartState.FAILED)
    assert "found a file that OpenCV cannot open as a video" in feed.feed.status().why


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(video: Video, feed_of: FeedOf) -> None:
    feed = feed_of(source=str(video(3)), max_megapixels=0.001, isolated=False)
    assert feed.until_state(PartState.FAILED)
    assert "found 64 x 48 pixels a frame, needed at most 0.001 megapixels" in feed.feed.status().why
