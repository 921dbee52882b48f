"""TensorRT: Jetsons and data-centre GPUs, with an engine built on the device. Built, not run."""

from __future__ import annotations

from typing import ClassVar

from nand_edge.manifest import Target
from nand_edge_runtime.backends.cuda_engine import CudaEngineBackend


class TensorRTBackend(CudaEngineBackend):
    """Runs an engine of TensorRT 10.3 or later."""

    target: ClassVar[Target] = Target.TENSORRT
    modules: ClassVar[tuple[str, ...]] = ("tensorrt",)
    package: ClassVar[str] = "tensorrt"
    extra: ClassVar[str] = "tensorrt"
