"""Cameras: whatever gives frames, behind one protocol, and the feed through which they enter the station."""

from __future__ import annotations

import importlib

from nand_edge_runtime.cameras.feed import CameraFeed
from nand_edge_runtime.cameras.protocol import Camera, CameraError, EndOfSourceError, Taken
from nand_edge_runtime.cameras.settings import CameraKind, CameraSettings, Policy

__all__ = [
    "CAMERAS", "Camera", "CameraError", "CameraFeed", "CameraKind", "CameraSettings", "EndOfSourceError", "Policy",
    "Taken", "make_camera",
]  # fmt: skip

CAMERAS: dict[CameraKind, tuple[str, str]] = {
    CameraKind.OPENCV: ("opencv", "OpenCvCamera"),
    CameraKind.VIDEO: ("video", "VideoCamera"),
    CameraKind.FOLDER: ("folder", "FolderCamera"),
    CameraKind.HOT_FOLDER: ("hot_folder", "HotFolderCamera"),
    CameraKind.ARAVIS: ("aravis", "AravisCamera"),
    CameraKind.HARVESTERS: ("harvesters", "HarvestersCamera"),
}
"""Module and class of each kind; imported when a camera is made, so that a driver is needed only where it is used."""


def make_camera(settings: CameraSettings) -> Camera:
    """The camera of these settings, not yet opened.

    Raises:
        NandEdgeError: Its driver is not installed, or the settings cannot be met.
    """
    module, name = CAMERAS[settings.source_kind]
    made = getattr(importlib.import_module(f"{__name__}.{module}"), name)(settings)
    assert isinstance(made, Camera)  # noqa: S101 - the registry's lines are ours
    return made
