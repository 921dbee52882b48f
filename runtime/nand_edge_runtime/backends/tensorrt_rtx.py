"""TensorRT-RTX: GPUs in industrial PCs, with an engine built ahead on any machine. Built, not run."""

from __future__ import annotations

from typing import ClassVar

from nand_edge.manifest import Target
from nand_edge_runtime.backends.cuda_engine import CudaEngineBackend


class TensorRTRTXBackend(CudaEngineBackend):
    """Runs an engine of TensorRT-RTX 1.7 or later, compiled for the GPU as it loads."""

    target: ClassVar[Target] = Target.TENSORRT_RTX
    modules: ClassVar[tuple[str, ...]] = ("tensorrt_rtx", "tensorrt_rtx_bindings")
    package: ClassVar[str] = "tensorrt_rtx"
    extra: ClassVar[str] = "rtx"
