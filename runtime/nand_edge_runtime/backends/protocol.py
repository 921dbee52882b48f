"""What every inference engine offers to the inspector, and how one says that it cannot run here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target

FP32, BF16 = "fp32", "bf16"

PRECISIONS = (FP32, "fp16", BF16, "int8", "fp8")
"""What engines may compute in; which of them a bundle and a target have is for the target to say."""

Inputs = dict[str, NDArray[Any]]
"""Arrays by their names in `nand_edge.signature.INPUTS`."""

Outputs = dict[str, NDArray[Any]]
"""Arrays by their names in `nand_edge.signature.OUTPUTS`."""


class TargetUnavailableError(NandEdgeError):
    """A target that cannot run on this machine: a package, a device or a fitting engine is missing."""


@dataclass(frozen=True)
class BackendOptions:
    """How an engine is to run.

    Attributes:
        provider: ONNX Runtime's execution provider, `cpu`, `cuda` or `tensorrt`; other targets take only `cpu`, the
            default.
        threads: CPU threads for one frame; None lets the engine choose.
        precision: One of `PRECISIONS`. For another than `fp32` the bundle must have an engine that was built in it;
            ONNX Runtime's TensorRT lowers the graph to `fp16` and `bf16` itself.
        cuda_graphs: Whether TensorRT and TensorRT-RTX record a run once per shape of frames and play it again, which
            spares the launching of kernels; where an engine cannot be recorded it runs as ever, and says so. ONNX
            Runtime's providers for GPUs refuse at once what they cannot record.
        spinning: Whether ONNX Runtime's idle threads wait in a busy loop: fastest where a station has its cores to
            itself. Without, they sleep, and leave cores and power to what else runs there.
    """

    provider: str = "cpu"
    threads: int | None = None
    precision: str = FP32
    cuda_graphs: bool = False
    spinning: bool = True


class Backend(Protocol):
    """A loaded engine; one thread at a time may run it."""

    target: ClassVar[Target]

    def __init__(self, bundle: Bundle, options: BackendOptions) -> None:
        """Load the bundle's engine for this target.

        Raises:
            TargetUnavailableError: This machine cannot run the target, or the bundle has no engine that fits it.
            NandEdgeError: The engine is there but cannot be loaded.
        """

    @property
    def device(self) -> str:
        """What the engine runs on, in words ("CPU", "CUDA 8.6")."""

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph once.

        Args:
            inputs: All inputs of `nand_edge.signature`, contiguous.

        An engine that judges the frames of a batch one by one may skip the CLIP branch for some of them.

        Returns:
            The outputs of `nand_edge.signature`, in memory that the caller may keep.

        Raises:
            NandEdgeError: The engine refuses these shapes.
        """

    def close(self) -> None:
        """Free what the engine holds; calling it again does nothing."""
