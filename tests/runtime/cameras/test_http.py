"""A camera at an HTTP address: it hangs, dies, comes back and sends garbage, and the feed goes on."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from camera_feeds import FeedOf
from camera_server import CameraServer, Mood
from pace import within

from nand_edge_runtime.station.states import PartState


def test_the_newest_frame_is_given_and_the_numbers_add_up(camera_server: CameraServer, feed_of: FeedOf) -> None:
    feed = feed_of(source=camera_server.address, isolated=False)
    frames = feed.take(5)
    time.sleep(0.3)
    frames += feed.take(5)
    assert feed.until_state(PartState.RUNNING)
    numbers = [frame.key.number for frame in frames]
    gaps = [now - before - 1 for before, now in zip([-1, *numbers], numbers, strict=False)]
    assert [frame.dropped_before for frame in frames] == gaps
    assert max(gaps) > 5, "while nobody took them, older frames were dropped"
    assert feed.dropped >= sum(gaps)
    assert frames[-1].image.shape == (48, 64, 3)
    assert frames[-1].name == f"top#{frames[-1].key.number}"


def test_frames_for_which_there_is_no_room_are_given_as_overdue_if_each_is_wanted(
    camera_server: CameraServer, feed_of: FeedOf
) -> None:
    feed = feed_of(source=camera_server.address, isolated=False, policy="every", queue=2)
    assert feed.until(lambda: feed.feed.status().facts["frames"] >= 10)
    feed.feed.stop()
    overdue = feed.feed.overdue()
    waiting = [frame for frame in (feed.feed.take(), feed.feed.take(), feed.feed.take()) if frame is not None]
    numbers = sorted(frame.key.number for frame in [*overdue, *waiting])
    assert len(waiting) == 2
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == feed.feed.status().facts["frames"]


@pytest.mark.parametrize("mood", [Mood.SENDS_CUT, Mood.SENDS_GARBAGE])
def test_a_damaged_picture_is_a_frame_with_a_fault(camera_server: CameraServer, feed_of: FeedOf, mood: Mood) -> None:
    feed = feed_of(source=camera_server.address, isolated=False)
    assert not feed.take(3)[-1].fault
    camera_server.mood = mood
    assert feed.until(lambda: any(frame.fault for frame in feed.take(1)))
    camera_server.mood = Mood.SENDS
    assert feed.until(lambda: not any(frame.fault for frame in feed.take(1)))
    assert feed.states == [PartState.STARTING, PartState.RUNNING]


def test_a_camera_that_sends_nothing_is_connected_to_again(camera_server: CameraServer, feed_of: FeedOf) -> None:
    feed = feed_of(source=camera_server.address, isolated=False, read_timeout_s=0.5)
    feed.take(3)
    camera_server.mood = Mood.HANGS
    assert feed.until_state(PartState.RECONNECTING)
    camera_server.mood = Mood.SENDS
    assert feed.until_state(PartState.RUNNING)
    assert feed.feed.status().facts["reconnects"] == 1
    assert feed.feed.status().facts["read_errors"] >= 1


def test_a_camera_that_dies_and_comes_back(feed_of: FeedOf) -> None:
    camera = CameraServer()
    feed = feed_of(source=camera.address)
    feed.take(3)
    camera.die()
    assert feed.until_state(PartState.RECONNECTING)
    time.sleep(0.5)
    camera = CameraServer(port=camera.port)
    with within(5.0):
        assert feed.until_state(PartState.RUNNING)
    numbers = [frame.key.number for frame in feed.take(20)]
    assert numbers == sorted(set(numbers)), "numbers go on over the outage"
    camera.die()


@pytest.mark.parametrize("mood", [Mood.SENDS, Mood.HANGS, Mood.REFUSES])
def test_it_can_be_stopped_within_a_second_whatever_the_camera_does(
    camera_server: CameraServer, feed_of: FeedOf, mood: Mood
) -> None:
    camera_server.mood = mood
    feed = feed_of(source=camera_server.address)
    assert feed.until(lambda: camera_server.clients > 0 or feed.feed.status().state is PartState.RECONNECTING)
    with within(1.0):
        feed.feed.stop()
    assert feed.feed.status().state is PartState.STOPPED
    given = feed.feed.status().facts["frames"]
    time.sleep(0.1)
    assert feed.feed.status().facts["frames"] == given


def test_credentials_from_the_environment_open_it_and_are_shown_nowhere(
    feed_of: FeedOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    camera = CameraServer(credentials="operator:p@ss/w0rd")
    monkeypatch.setenv("TOP_USER", "operator")
    monkeypatch.setenv("TOP_PASSWORD", "p@ss/w0rd")
    settings = {"username_env": "TOP_USER", "password_env": "TOP_PASSWORD"}
    feed = feed_of(source=camera.address, **settings)
    frames = feed.take(2)
    assert len(frames) == 2
    camera.die()
    assert feed.until_state(PartState.RECONNECTING)
    said = f"{caplog.text} {feed.events} {feed.feed.status()} {threading.enumerate()} {frames}"
    assert "p@ss/w0rd" not in said


def test_credentials_in_the_address_are_shown_nowhere_even_when_they_are_wrong(
    feed_of: FeedOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    camera = CameraServer(credentials="operator:right")
    address = camera.address.replace("//", "//operator:wr0ng-s3cret@")
    feed = feed_of(source=address)
    assert feed.until(lambda: feed.feed.status().facts["read_errors"] >= 2)
    assert feed.feed.status().why.endswith("the user's name or password is wrong")
    said = f"{caplog.text} {feed.events} {feed.feed.status()}"
    assert "wr0ng-s3cret" not in said
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            assert b"wr0ng-s3cret" not in line.read_bytes(), "others on the machine could read it there"
    camera.die()


def test_a_variable_that_is_not_set_fails_in_one_sentence(camera_server: CameraServer, feed_of: FeedOf) -> None:
    feed = feed_of(source=camera_server.address, isolated=False, username_env="NO_SUCH_VARIABLE")
    assert feed.until_state(PartState.FAILED)
    assert "environment variable 'NO_SUCH_VARIABLE'" in feed.feed.status().why


def test_pictures_that_are_too_large_are_not_decoded(camera_server: CameraServer, feed_of: FeedOf) -> None:
    (frame,) = feed_of(source=camera_server.address, isolated=False, max_megapixels=0.001).take(1)
    assert frame.fault == "found 64 x 48 pixels, needed at most 0.001 megapixels"


def test_what_is_no_stream_of_pictures_is_left_to_ffmpeg_and_its_answer_is_a_sentence(feed_of: FeedOf) -> None:
    feed = feed_of(source="http://127.0.0.1:9/stream", isolated=False, open_timeout_s=1.0)
    assert feed.until_state(PartState.RECONNECTING)
    assert feed.feed.status().why == "http://127.0.0.1:9/stream cannot be opened: Connection refused"
