"""Engine builders, one file a target; each is imported when it is asked for, and none needs torch or onnx."""

from __future__ import annotations

import importlib

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_export.engines.protocol import BuildOptions, EngineBuilder

BUILDERS: dict[Target, str] = {
    Target.OPENVINO: "nand_edge_export.engines.openvino:OpenVINOBuilder",
    Target.TENSORRT: "nand_edge_export.engines.tensorrt:TensorRTBuilder",
    Target.TENSORRT_RTX: "nand_edge_export.engines.tensorrt_rtx:TensorRTRTXBuilder",
}
"""Target -> "module:class". The target onnx is not here: the bundle's graph is its engine."""

__all__ = ["BUILDERS", "BuildOptions", "EngineBuilder", "load_builder"]


def load_builder(target: Target) -> EngineBuilder:
    """The builder of a target.

    Raises:
        NandEdgeError: There is nothing to build for the target, or its package is missing.
    """
    if target not in BUILDERS:
        raise NandEdgeError(
            f"target {target.value!r}",
            found="nothing to build",
            needed=f"one of {', '.join(each.value for each in BUILDERS)}",
            do="run the bundle as it is: its graph.onnx is the engine of the target onnx",
        )
    module, _, name = BUILDERS[target].partition(":")
    builder: EngineBuilder = getattr(importlib.import_module(module), name)()
    return builder
