"""Engine builders, one file a target; each is imported when it is asked for, and none needs torch."""

from __future__ import annotations

import importlib

from nand_edge.manifest import Target
from nand_edge_export.engines.protocol import BuildOptions, EngineBuilder

BUILDERS: dict[Target, str] = {
    Target.ONNX: "nand_edge_export.engines.onnx:OnnxBuilder",
    Target.OPENVINO: "nand_edge_export.engines.openvino:OpenVINOBuilder",
    Target.TENSORRT: "nand_edge_export.engines.tensorrt:TensorRTBuilder",
    Target.TENSORRT_RTX: "nand_edge_export.engines.tensorrt_rtx:TensorRTRTXBuilder",
}
"""Target -> "module:class"."""

__all__ = ["BUILDERS", "BuildOptions", "EngineBuilder", "load_builder"]


def load_builder(target: Target) -> EngineBuilder:
    """The builder of a target.

    Raises:
        NandEdgeError: The target's package is missing.
    """
    module, _, name = BUILDERS[target].partition(":")
    builder: EngineBuilder = getattr(importlib.import_module(module), name)()
    return builder
