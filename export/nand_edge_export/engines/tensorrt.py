"""TensorRT: engines for Jetsons and data-centre GPUs, built on the device that runs them. Written, not run.

The calls are those of TensorRT 10.3's Python API; they run here through TensorRT-RTX, which shares them.
"""

from __future__ import annotations

import importlib
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.compute_capability import as_pair, recorded
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_export.engines.device import compute_capability_here
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.engines.tensorrt_common import Finish, build_with_tensorrt, set_flag
from nand_edge_export.engines.tensorrt_options import HardwareCompatibility, TensorRTOptions
from nand_edge_export.engines.timing_cache import TimingCache

_AMPERE = "8.0"
_LEVELS = {HardwareCompatibility.SAME: "SAME_COMPUTE_CAPABILITY", HardwareCompatibility.AMPERE: "AMPERE_PLUS"}


class TensorRTBuilder:
    """Builds for the GPU of this machine, by timing kernels on it; the timings are kept for the next build."""

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
        """Build `engines/tensorrt/sm87.engine` (or another capability's or precision's); see `EngineBuilder`."""
        here = _chosen_capability(options.compute_capability)

        def configure_here(config: Any) -> Finish:
            configure(self._trt, config, options.tensorrt)
            return TimingCache(self._trt, config, options.tensorrt.timing_cache, here).write

        return build_with_tensorrt(
            self._trt,
            self.target,
            bundle,
            options,
            compute_capability=_recorded(here, options.tensorrt.hardware_compatible),
            configure=configure_here,
            on_phase=on_phase,
        )


def configure(trt: Any, config: Any, options: TensorRTOptions) -> None:
    """Set what TensorRT has and TensorRT-RTX has not: compatibility and the search for kernels.

    Raises:
        NandEdgeError: This version of TensorRT has not what is asked for.
    """
    if options.version_compatible:
        set_flag(trt, config, "VERSION_COMPATIBLE")
    if options.level is not None:
        config.builder_optimization_level = options.level
    if options.hardware_compatible is HardwareCompatibility.NONE:
        return
    name = _LEVELS[options.hardware_compatible]
    level = getattr(trt.HardwareCompatibilityLevel, name, None)
    if level is None:
        raise NandEdgeError(
            f"hardware compatibility {options.hardware_compatible.value!r}",
            found=f"TensorRT {trt.__version__}, which has none",
            needed="TensorRT 10.11 or later",
            do="update TensorRT, or build on each device",
        )
    config.hardware_compatibility_level = level


def _chosen_capability(asked: str | None) -> str:
    here = compute_capability_here()
    if here is None or asked not in (None, "current", here):
        raise NandEdgeError(
            "compute capability",
            found=f"{here or 'no NVIDIA GPU'} in this machine, {asked or 'its own'} asked for",
            needed="to build on the device that will run the engine",
            do="build there, or use the target tensorrt-rtx, which builds for other devices",
        )
    return here


def _recorded(here: str, compatibility: HardwareCompatibility) -> str:
    if compatibility is not HardwareCompatibility.AMPERE:
        return recorded((here,))
    if as_pair(here) < as_pair(_AMPERE):
        raise NandEdgeError(
            "hardware compatibility 'ampere'",
            found=f"a GPU of compute capability {here}",
            needed=f"one of {_AMPERE} or later to build on",
            do="build on such a GPU, or leave the option out",
        )
    return recorded((_AMPERE,), and_later=True)
