"""The last frames stay in memory, as many as fit and no more."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided, Dropped, Hub
from nand_edge_runtime.station.recent import Recent
from nand_edge_runtime.station.records import Reason, inspected, not_inspected

SIDE = 8
FRAME_BYTES = SIDE * SIDE * 3
MAP_BYTES = SIDE * SIDE * 4


def decided(number: int, camera: str = "top", *, judged: bool = True, side: int = SIDE) -> Decided:
    """A frame after its verdict, with three maps of its own if it was inspected."""
    image = np.zeros((side, side, 3), np.uint8)
    frame = CameraFrame(FrameKey("run", camera, number), image, f"{camera}#{number}", 1.0, 1000.0)
    if not judged:
        return Decided(not_inspected(frame, Reason.PAUSED, "", latency_ms={}), image, None)
    maps = [np.zeros((SIDE, SIDE), np.float32) for _ in range(3)]
    inspection = Inspection(
        frame=frame.name, index=number, timestamp=1000.0, score=0.1, base_score=0.1, threshold=0.5,
        verdict=Verdict.PASS, clip_ran=False, normalities=(), latency_ms={}, bundle="b",
        anomaly_map=maps[0], base_map=maps[1], suppression_map=maps[2],
    )  # fmt: skip
    return Decided(inspected(frame, inspection, normalities_sha256="", latency_ms={}), image, inspection)


def test_the_newest_come_first_and_only_those_that_were_inspected() -> None:
    hub = Hub()
    recent = Recent(hub, 1 << 20)
    frames = [decided(0), decided(1, judged=False), decided(2), decided(3, "side")]
    for frame in frames:
        hub.publish(frame)
    hub.publish(Dropped("top"))
    assert recent.newest(10) == [frames[3], frames[2], frames[0]]
    assert recent.newest(2) == [frames[3], frames[2]]
    assert recent.latest("top") is frames[2]
    assert recent.latest("side") is frames[3]
    assert recent.latest("bottom") is None
    assert recent.get(frames[1].record.key) is frames[1]


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 10))
def test_as_many_are_kept_as_fit(judged: list[bool], room: int) -> None:
    hub = Hub()
    most = room * (FRAME_BYTES + 3 * MAP_BYTES)
    recent = Recent(hub, most)
    frames = [decided(number, judged=one) for number, one in enumerate(judged)]
    for frame in frames:
        hub.publish(frame)
    sizes = [FRAME_BYTES + 3 * MAP_BYTES * one for one in judged]
    kept = [frame for frame in frames if recent.get(frame.record.key) is frame]
    assert kept == frames[len(frames) - len(kept) :], "the newest"
    assert sum(sizes[len(frames) - len(kept) :]) <= most
    if len(kept) < len(frames):
        assert sum(sizes[len(frames) - len(kept) - 1 :]) > most, "one more would not fit"


def test_a_frame_larger_than_all_room_is_still_its_cameras_last() -> None:
    hub = Hub()
    recent = Recent(hub, 1000)
    huge = decided(1, side=100)
    hub.publish(decided(0, judged=False))
    hub.publish(huge)
    assert recent.latest("top") is huge
    assert recent.get(huge.record.key) is None
    hub.publish(decided(2, judged=False))
    assert recent.get(FrameKey("run", "top", 2)) is not None


def test_maps_that_frames_share_take_no_room() -> None:
    hub = Hub()
    recent = Recent(hub, 4 * (FRAME_BYTES + MAP_BYTES))
    nothing = np.zeros((SIDE, SIDE), np.float32)
    nothing.flags.writeable = False
    for number in range(6):
        frame = decided(number)
        assert frame.inspection is not None
        base = frame.inspection.base_map
        alike = dataclasses.replace(frame.inspection, anomaly_map=base, suppression_map=nothing)
        hub.publish(dataclasses.replace(frame, inspection=alike))
    assert [frame.record.key.number for frame in recent.newest(10)] == [5, 4, 3, 2]
