"""What a camera's settings say, what is seen by the source, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nand_edge_runtime.cameras import CameraKind, CameraSettings, Policy
from nand_edge_runtime.cameras.settings import camera_within


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("0", CameraKind.OPENCV),
        ("/dev/video2", CameraKind.OPENCV),
        ("rtsp://127.0.0.1/stream", CameraKind.OPENCV),
        ("https://127.0.0.1/stream", CameraKind.OPENCV),
        ("videotestsrc ! videoconvert ! appsink", CameraKind.OPENCV),
        ("line.mp4", CameraKind.VIDEO),
        ("part.PNG", CameraKind.FOLDER),
        ("pictures", CameraKind.FOLDER),
    ],
)
def test_the_source_tells_the_kind(source: str, kind: CameraKind) -> None:
    assert CameraSettings(name="top", source=source).source_kind is kind


def test_a_folder_that_is_there_is_one_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "shift.1"
    folder.mkdir()
    assert CameraSettings(name="top", source=str(folder)).source_kind is CameraKind.FOLDER


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        ({"source": "0"}, Policy.LATEST),
        ({"source": "line.mp4"}, Policy.EVERY),
        ({"source": "pictures"}, Policy.EVERY),
        ({"source": "in", "kind": "hot-folder"}, Policy.EVERY),
        ({"source": "cam", "kind": "aravis"}, Policy.LATEST),
        ({"source": "cam", "kind": "aravis", "trigger": "Line0"}, Policy.EVERY),
        ({"source": "cam", "kind": "harvesters", "cti": "a.cti", "trigger": "software"}, Policy.EVERY),
        ({"source": "0", "policy": "every"}, Policy.EVERY),
    ],
)
def test_frames_may_be_dropped_only_where_more_come_by_themselves(settings: dict[str, Any], policy: Policy) -> None:
    assert CameraSettings(name="top", **settings).queue_policy is policy


@pytest.mark.parametrize(
    "settings",
    [
        {"source": ""},
        {"source": "a\nb"},
        {"source": "rtsp://host:port/"},
        {"source": "0", "name": "../top"},
        {"source": "0", "name": "top\n"},
        {"source": "0", "kind": "telepathy"},
        {"source": "0", "deadline_ms": 0},
        {"source": "0", "password": "secret"},
        {"source": "0", "password_env": "NOT A NAME"},
        {"source": "0", "reconnect_first_s": 5, "reconnect_longest_s": 1},
        {"source": "0", "position_step": float("nan")},
        {"source": "cam", "kind": "harvesters"},
        {"source": "cam", "features": {f"F{number}": 1 for number in range(65)}},
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CameraSettings(**{"name": "top", **settings})


def test_credentials_are_shown_nowhere() -> None:
    settings = CameraSettings(name="top", source="rtsp://operator:s3cret@127.0.0.1:554/1?password=s3cret")
    for text in (repr(settings), str(settings), settings.shown_source):
        assert "s3cret" not in text
        assert "operator" not in text
    assert settings.shown_source == "rtsp://127.0.0.1:554/1?password=***"
    with pytest.raises(ValidationError) as caught:
        CameraSettings(name="top", source="rtsp://operator:s3cret@127.0.0.1:port/")
    assert "s3cret" not in str(caught.value)


def test_relative_paths_count_from_the_settings_files_folder(tmp_path: Path) -> None:
    def source(**settings: str) -> str:
        return camera_within(CameraSettings(name="top", **settings), tmp_path).source

    assert source(source="parts") == str(tmp_path / "parts")
    assert source(source="in", kind="hot-folder") == str(tmp_path / "in")
    assert source(source="/data/line.mp4") == "/data/line.mp4"
    for elsewhere in ("0", "/dev/video0", "rtsp://127.0.0.1/1"):
        assert source(source=elsewhere) == elsewhere
    assert source(source="Vendor-123", kind="aravis") == "Vendor-123"
    harvesters = CameraSettings(name="top", source="cam", kind="harvesters", cti="producer.cti")
    assert camera_within(harvesters, tmp_path).cti == tmp_path / "producer.cti"
