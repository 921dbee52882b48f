"""What OpenCV cannot read is said in one sentence, and not tried for ever where trying is of no use."""

from __future__ import annotations

import sys

import cv2
import pytest
from camera_feeds import FeedOf

from nand_edge_runtime.station.states import PartState


def test_a_pipeline_without_gstreamer_fails_in_one_sentence(feed_of: FeedOf) -> None:
    if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        pytest.skip("this OpenCV has GStreamer")
    feed = feed_of(source="videotestsrc ! videoconvert ! appsink", isolated=False)
    assert feed.until_state(PartState.FAILED)
    assert "an OpenCV without GStreamer" in feed.feed.status().why
    assert "python3-opencv" in feed.feed.status().why


@pytest.mark.parametrize("source", ["97", "/dev/video97"])
@pytest.mark.skipif(sys.platform != "linux", reason="names of Linux's devices")
def test_a_camera_that_is_not_plugged_in_is_waited_for(feed_of: FeedOf, source: str) -> None:
    feed = feed_of(source=source, isolated=False)
    assert feed.until(lambda: feed.feed.status().facts["read_errors"] >= 2)
    assert feed.feed.status().state is PartState.RECONNECTING
    assert feed.feed.status().why == f"{source} cannot be opened"
