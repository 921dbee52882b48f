"""fp8: products in 8-bit floating point (E4M3) for GPUs of compute capability 8.9 and later, calibrated as int8 is."""

from __future__ import annotations

import onnx

from nand_edge_export.precision.capability import require_capability
from nand_edge_export.precision.protocol import Lowered, Request
from nand_edge_export.precision.rounding import Kind, Rounding
from nand_edge_export.precision.static import calibrated

_OPSET = 19
_LEAST = (8, 9)


def to_fp8(model: onnx.ModelProto, request: Request) -> Lowered:
    """Both factors of each product in E4M3, one scale a tensor."""
    require_capability(request, _LEAST)
    # Quantise and dequantise know E4M3 from opset 19 on; what else changed there does not touch these graphs.
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.version = max(opset.version, _OPSET)
    return calibrated(model, request, Rounding(Kind.FLOAT8, outputs=False))
