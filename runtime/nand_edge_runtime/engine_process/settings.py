"""Which engine of the bundle inspects the frames, and when its process counts as hung."""

from __future__ import annotations

import sys

from pydantic import Field

from nand_edge_runtime.station.settings_base import Settings


class EngineSettings(Settings):
    """The table `[engine]`."""

    target: str | None = Field(
        default=None, description="onnx, openvino, tensorrt, tensorrt-rtx or auto; the bundle's for this machine."
    )
    precision: str = Field(default="fp32", description="fp32, or one that the bundle has an engine in.")
    provider: str = Field(default="cpu", description="ONNX Runtime's provider: cpu, cuda or tensorrt.")
    threads: int | None = Field(default=None, ge=1, le=1024, description="CPU threads for one frame.")
    spinning: bool = Field(default=False, description="Idle threads wait in a busy loop: faster, and a core each.")
    isolated: bool = Field(
        default=sys.platform != "win32", description="Run the engine in a process of its own; not on Windows."
    )
    hang_timeout_s: float = Field(
        default=3.0, gt=0, le=600, description="A run that takes longer is ended with its process."
    )
    max_frame_megabytes: int = Field(default=256, ge=1, le=4096, description="Larger frames are refused.")
