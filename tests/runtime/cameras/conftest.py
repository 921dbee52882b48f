"""Feeds, pictures, a video and a camera over HTTP, as the tests want them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from camera_feeds import FeedOf, RunningFeed
from camera_server import CameraServer


@pytest.fixture
def feed_of() -> Iterator[FeedOf]:
    """Starts feeds, and stops them at the end."""
    running: list[RunningFeed] = []

    def start(
        *, enters: bool = True, recorded: Collection[tuple[str, int | None]] = (), **settings: Any
    ) -> RunningFeed:
        running.append(RunningFeed(settings, enters=enters, recorded=recorded))
        return running[-1]

    yield start
    for feed in running:
        feed.feed.stop()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Makes an image file's content, all of one grey value."""

    def make(grey: int, suffix: str = ".png", size: tuple[int, int] = (32, 24)) -> bytes:
        return cv2.imencode(suffix, np.full((size[1], size[0], 3), grey, np.uint8))[1].tobytes()

    return make


@pytest.fixture
def video(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a video of so many frames, each brighter than the last by 5."""

    def make(frames: int) -> Path:
        path = tmp_path / "line.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (64, 48))
        for number in range(frames):
            writer.write(np.full((48, 64, 3), 5 * number, np.uint8))
        writer.release()
        return path

    return make


@pytest.fixture
def video_of_many(video: Callable[[int], Path]) -> Path:
    """A video that is read again and again."""
    return video(50)


@pytest.fixture
def camera_server() -> Iterator[CameraServer]:
    """A camera at an HTTP address."""
    server = CameraServer()
    yield server
    server.die()
