"""Where a camera's driver runs: what may hang or crash in a process of its own, files in a thread."""

from __future__ import annotations

from nand_edge_runtime.cameras.host import Host
from nand_edge_runtime.cameras.settings import CameraKind, CameraSettings
from nand_edge_runtime.cameras.threaded import ThreadHost
from nand_edge_runtime.engine_process.shared_pool import SharedPool

_IN_A_THREAD = (CameraKind.FOLDER, CameraKind.HOT_FOLDER)
"""A drive that hangs is not mended by ending the process that waits for it."""


def host_of(settings: CameraSettings, memory: SharedPool | None = None) -> Host:
    """The host of this camera, which is not yet asked to open it.

    Args:
        settings: The camera's.
        memory: Where frames are best put, if that makes a difference.

    Raises:
        NandEdgeError: The camera's driver is not installed.
    """
    if settings.isolated and settings.source_kind not in _IN_A_THREAD:
        from nand_edge_runtime.cameras.isolated import ProcessHost

        return ProcessHost(settings, memory)
    from nand_edge_runtime.cameras import make_camera

    return ThreadHost(settings, make_camera(settings))
