"""TensorRT-RTX: engines for GPUs in industrial PCs, built ahead on any machine, with or without a GPU."""

from __future__ import annotations

import importlib
from contextlib import nullcontext
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.compute_capability import as_pair, parse_capabilities, recorded
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_export.engines import turing
from nand_edge_export.engines.device import compute_capability_here
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.engines.tensorrt_common import build_with_tensorrt
from nand_edge_export.engines.tensorrt_options import HardwareCompatibility, TensorRTOptions

COMPUTE_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
_FROM = {"fp32": "8.0", "bf16": "8.0", "fp8": "8.9"}
"""The first compute capability for which TensorRT-RTX 1.7 compiles matrix products of a precision."""
_MODULES = ("tensorrt_rtx", "tensorrt_rtx_bindings")


class TensorRTRTXBuilder:
    """Builds for one compute capability or several; the GPU's own code is compiled when the engine is loaded."""

    target = Target.TENSORRT_RTX

    def __init__(self) -> None:
        """Load TensorRT-RTX.

        Raises:
            NandEdgeError: The package is missing.
        """
        self._trt = _import_tensorrt_rtx()

    def build(self, bundle: Bundle, options: BuildOptions, on_phase: OnPhase) -> EngineRecord:
        """Build `engines/tensorrt-rtx/sm86.engine` (or another capability's or precision's); see `EngineBuilder`."""
        _check_options(options.tensorrt)
        capabilities = _chosen_capabilities(options.compute_capability)
        _check_precision(capabilities, options.precision)

        def configure(config: Any) -> None:
            config.num_compute_capabilities = len(capabilities)
            for place, capability in enumerate(capabilities):
                name = f"SM{capability.replace('.', '')}"
                config.set_compute_capability(getattr(self._trt.ComputeCapability, name), place)

        oldest = turing.COMPUTE_CAPABILITY in capabilities
        record = build_with_tensorrt(
            self._trt,
            self.target,
            bundle,
            options,
            compute_capability=recorded(capabilities),
            configure=configure,
            prepare=turing.without_fp32_products if oldest else nullcontext,
            on_phase=on_phase,
        )
        return record.model_copy(update={"lowered_by": record.lowered_by | turing.LOWERED_BY}) if oldest else record


def _chosen_capabilities(asked: str | None) -> tuple[str, ...]:
    here = compute_capability_here() if asked in (None, "current") else None
    chosen = parse_capabilities(asked) if asked not in (None, "current") else tuple(filter(None, [here]))
    if chosen and set(chosen) <= set(COMPUTE_CAPABILITIES):
        return chosen
    raise NandEdgeError(
        "compute capability",
        found=repr(",".join(chosen)) if chosen else "no NVIDIA GPU in this machine to take it from",
        needed=f"one of {', '.join(COMPUTE_CAPABILITIES)}, or several of them as in 8.6,8.9",
        do="give the device's, as in --compute-capability 8.6 (RTX 30 series: 8.6, RTX 40: 8.9, RTX 50: 12.0)",
    )


def _check_precision(capabilities: tuple[str, ...], precision: str) -> None:
    first = _FROM.get(precision, COMPUTE_CAPABILITIES[0])
    too_old = [capability for capability in capabilities if as_pair(capability) < as_pair(first)]
    if too_old:
        raise NandEdgeError(
            f"precision {precision!r} for compute capability {', '.join(too_old)}",
            found="a GPU for which TensorRT-RTX compiles no matrix products of that precision",
            needed=f"compute capability {first} or later",
            do="build with --precision fp16 for it, or leave this capability out",
        )


def _check_options(options: TensorRTOptions) -> None:
    """Refuse what TensorRT-RTX does not have, instead of building something else than was asked for."""
    only_tensorrt = {
        "timing_cache": options.timing_cache is not None,
        "version_compatible": options.version_compatible,
        "hardware_compatible": options.hardware_compatible is not HardwareCompatibility.NONE,
        "level": options.level is not None,
    }
    for name, asked in only_tensorrt.items():
        if asked:
            raise NandEdgeError(
                f"build option {name}",
                found=f"target {Target.TENSORRT_RTX.value!r}, which has none: it chooses kernels where the engine runs",
                needed=f"target {Target.TENSORRT.value!r}",
                do="leave it out; for several GPUs name their capabilities, as in --compute-capability 8.6,8.9",
            )
    if (options.refit or options.strip) and compute_capability_here() is None:
        raise NandEdgeError(
            f"build option {'strip' if options.strip else 'refit'}",
            found="no NVIDIA GPU in this machine",
            needed="one: TensorRT-RTX builds engines whose weights can be exchanged only beside a GPU",
            do="build on a machine with a GPU, or leave the option out",
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
