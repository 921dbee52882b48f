"""What a builder of engines is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_export.engines.tensorrt_options import TensorRTOptions

OnPhase = Callable[[str], None]
"""Called with a few words whenever a build enters another phase; may come from another thread."""


@dataclass(frozen=True)
class BuildOptions:
    """What an engine is built for. Limits hold for TensorRT; OpenVINO's engines have none.

    Attributes:
        compute_capability: The GPU's, such as "8.6", for TensorRT-RTX also several as in "8.6,8.9"; None for the GPU of
            this machine.
        max_batch: Most frames in one run.
        max_normalities: Most normalities in force at once.
        max_vectors: Most vectors that a normality may have a side; one in the paper's form.
        min_side: Shortest side of a frame, pixels.
        max_side: Longest side of a frame, pixels; the engine reserves memory for max_batch frames of max_side squared.
        usual_frame: Height and width that the engine is tuned for, pixels.
        workspace_mib: Most memory for scratch space, MiB; None leaves it to the builder.
        tf32: Let products round to TF32: faster, and maps off by up to about 1e-2.
        tensorrt: What TensorRT and TensorRT-RTX alone may be told.
        precision: What most products are computed in: `fp32`, or what `nand_edge_export.precision` has for the target.
        frames: A folder of real frames, good and defective ones; int8 and fp8 are calibrated on them, and every
            engine that runs here is compared with fp32 on them.
        calibration_frames: Most frames of the folder to use, spread evenly over it.
        allowed_error: Until maps are within this share of their largest value, sensitive layers are kept exact.
    """

    compute_capability: str | None = None
    max_batch: int = 8
    max_normalities: int = 8
    max_vectors: int = 64
    min_side: int = 64
    max_side: int = 2048
    usual_frame: tuple[int, int] = (480, 640)
    workspace_mib: int | None = None
    tf32: bool = False
    tensorrt: TensorRTOptions = field(default_factory=TensorRTOptions)
    precision: str = "fp32"
    frames: Path | None = None
    calibration_frames: int = 32
    allowed_error: float = 0.03

    def __post_init__(self) -> None:
        """Refuse limits that contradict each other."""
        for name in ("max_batch", "max_normalities", "max_vectors", "min_side", "max_side", "calibration_frames"):
            if getattr(self, name) < 1:
                raise NandEdgeError(
                    f"build option {name}", found=str(getattr(self, name)), needed="at least 1", do="raise it"
                )
        if self.min_side > self.max_side:
            raise NandEdgeError(
                "build option max_side",
                found=f"{self.max_side} pixels",
                needed=f"at least min_side, {self.min_side} pixels",
                do="raise max_side or lower min_side",
            )

    @property
    def limits(self) -> dict[str, int]:
        """The limits as the manifest records them."""
        names = ("max_batch", "max_normalities", "max_vectors", "min_side", "max_side")
        return {name: getattr(self, name) for name in names}


class EngineBuilder(Protocol):
    """Builds the engine of one target; its constructor raises NandEdgeError when the target's package is missing."""

    target: Target

    def build(self, bundle: Bundle, options: BuildOptions, on_phase: OnPhase) -> EngineRecord:
        """Write the engine's files below `engines/<target>/` of the bundle, whole or not at all, and describe them.

        Raises:
            NandEdgeError: The engine cannot be built, or an engine that runs here does not agree with the samples.
        """
        ...
