"""TensorRT-RTX: engines for GPUs in industrial PCs, built ahead on any machine, with or without a GPU."""

from __future__ import annotations

import importlib
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_export.engines.device import compute_capability_here
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.engines.tensorrt_common import build_with_tensorrt

COMPUTE_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
_MODULES = ("tensorrt_rtx", "tensorrt_rtx_bindings")


class TensorRTRTXBuilder:
    """Builds for one compute capability; the GPU's own code is compiled when the engine is loaded."""

    target = Target.TENSORRT_RTX

    def __init__(self) -> None:
        """Load TensorRT-RTX.

        Raises:
            NandEdgeError: The package is missing.
        """
        self._trt = _import_tensorrt_rtx()

    def build(self, bundle: Bundle, options: BuildOptions, on_phase: OnPhase) -> EngineRecord:
        """Build `engines/tensorrt-rtx/sm86.engine` (or another capability's); see `EngineBuilder`."""
        capability = _chosen_capability(options.compute_capability)

        def configure(config: Any) -> None:
            config.num_compute_capabilities = 1
            config.set_compute_capability(getattr(self._trt.ComputeCapability, f"SM{capability.replace('.', '')}"), 0)

        return build_with_tensorrt(
            self._trt,
            self.target,
            bundle,
            options,
            compute_capability=capability,
            configure=configure,
            on_phase=on_phase,
        )


def _chosen_capability(asked: str | None) -> str:
    chosen = compute_capability_here() if asked in (None, "current") else asked
    if chosen in COMPUTE_CAPABILITIES:
        return str(chosen)
    raise NandEdgeError(
        "compute capability",
        found=repr(chosen) if chosen else "no NVIDIA GPU in this machine to take it from",
        needed=f"one of {', '.join(COMPUTE_CAPABILITIES)}",
        do="give the device's, as in --compute-capability 8.6 (RTX 30 series: 8.6, RTX 40: 8.9, RTX 50: 12.0)",
    )


def _import_tensorrt_rtx() -> Any:
    reasons = []
    for module in _MODULES:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            reasons.append(str(error))
    raise NandEdgeError(
        f"target {Target.TENSORRT_RTX.value!r}",
        found=f"no package {_MODULES[0]} that can be imported ({reasons[-1]})",
        needed="TensorRT-RTX 1.7 or later",
        do="run `pip install 'nand-edge[rtx]'`",
    )
