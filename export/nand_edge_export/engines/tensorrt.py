"""TensorRT: engines for Jetsons and data-centre GPUs, built on the device that runs them. Written, not run.

The calls are those of TensorRT 10.3's Python API; they run here through TensorRT-RTX, which shares them.
"""

from __future__ import annotations

import importlib

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_export.engines.device import compute_capability_here
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.engines.tensorrt_common import build_with_tensorrt


class TensorRTBuilder:
    """Builds for the GPU of this machine, by timing kernels on it."""

    target = Target.TENSORRT

    def __init__(self) -> None:
        """Load TensorRT.

        Raises:
            NandEdgeError: The package or its libraries are missing.
        """
        try:
            self._trt = importlib.import_module("tensorrt")
        except ImportError as error:
            raise NandEdgeError(
                f"target {self.target.value!r}",
                found=f"no package tensorrt that can be imported ({error})",
                needed="TensorRT 10.3 or later",
                do="on a Jetson run `sudo apt-get install -y python3-libnvinfer` and make the environment with "
                "--system-site-packages; elsewhere run `pip install 'nand-edge[tensorrt]'`",
            ) from None

    def build(self, bundle: Bundle, options: BuildOptions, on_phase: OnPhase) -> EngineRecord:
        """Build `engines/tensorrt/sm87.engine` (or another capability's); see `EngineBuilder`."""
        here = compute_capability_here()
        if here is None or options.compute_capability not in (None, "current", here):
            raise NandEdgeError(
                "compute capability",
                found=f"{here or 'no NVIDIA GPU'} in this machine, {options.compute_capability or 'its own'} asked for",
                needed="to build on the device that will run the engine",
                do="build there, or use the target tensorrt-rtx, which builds for other devices",
            )

        return build_with_tensorrt(
            self._trt,
            self.target,
            bundle,
            options,
            compute_capability=here,
            configure=lambda _: None,
            on_phase=on_phase,
        )
