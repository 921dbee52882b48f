"""int8: products in 8-bit integers, calibrated on real frames, sensitive layers kept exact."""

from __future__ import annotations

import onnx

from nand_edge.manifest import Target
from nand_edge_export.precision.memory_search import search_in_int8
from nand_edge_export.precision.memory_search_nearest import nearest_in_int8
from nand_edge_export.precision.protocol import Lowered, Request
from nand_edge_export.precision.rounding import Kind, Rounding
from nand_edge_export.precision.static import calibrated


def to_unsigned(model: onnx.ModelProto, request: Request) -> Lowered:
    """Unsigned activations and signed weights a channel, which x86 CPUs multiply fastest (VNNI, AMX).

    The search of a PatchCore's memory is done in integers, too, and decided in fp32. ONNX Runtime turns values about
    between convolutions in fp32 and in integers, so that few dear ones in integers cost more than they spare.
    """
    for_onnx = request.target is Target.ONNX
    lowered = calibrated(model, request, Rounding(outputs=for_onnx), by_cost=not for_onnx)
    if not (search_in_int8(model) if for_onnx else nearest_in_int8(model)):
        return lowered
    return Lowered(model, {**lowered.lowered_by, "memory_search": "int8, then exact where it decides"})


def to_signed(model: onnx.ModelProto, request: Request) -> Lowered:
    """Signed activations around 0, as TensorRT fuses them."""
    return calibrated(model, request, Rounding(Kind.SIGNED, outputs=False))
