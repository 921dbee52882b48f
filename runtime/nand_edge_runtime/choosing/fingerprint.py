"""What a measurement holds for: this device and these versions of the engines' packages."""

from __future__ import annotations

from typing import Any

from nand_edge_runtime.doctor.graphics import read_graphics
from nand_edge_runtime.doctor.packages import ONNXRUNTIMES, installed_versions
from nand_edge_runtime.doctor.processor import read_processor

_ENGINES = (
    "nand-edge", *ONNXRUNTIMES, "openvino", "tensorrt", "tensorrt-rtx", "tensorrt_rtx_cu13_bindings", "cuda-bindings",
)  # fmt: skip


def fingerprint() -> tuple[dict[str, Any], bool]:
    """The device and its packages by name, and whether it has an NVIDIA GPU."""
    processor, graphics = read_processor(), read_graphics()
    return {
        "processor": processor.name,
        "usable processors": processor.usable,
        "GPUs": [gpu.name for gpu in graphics.gpus],
        "driver": graphics.driver,
        **{f"version of {name}": version for name, version in installed_versions(_ENGINES).items()},
    }, bool(graphics.gpus)
