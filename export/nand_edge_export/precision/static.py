"""Static rounding: ranges from real frames, layers that suffer most kept exact, QuantizeLinear around the rest.

ONNX Runtime's own `quantize_static` looks at the outer graph alone, and the CLIP branch stands in the body of an `If`;
so values are observed and rounded here, wherever they stand.
"""

from __future__ import annotations

import numpy as np
import onnx

from nand_edge.errors import NandEdgeError
from nand_edge_export.precision.frames import frame_files, open_gate_inputs
from nand_edge_export.precision.layers import find_layers
from nand_edge_export.precision.observation import RANGES, observe
from nand_edge_export.precision.protocol import Lowered, Request
from nand_edge_export.precision.rounding import Kind, Rounding, quantise, values_to_observe
from nand_edge_export.precision.sensitivity import Judge, keep_sensitive

# On the embedded backbone the other ways of `RANGES` are no better, entropy is far worse with ReLU6; and extremes cut
# least of what no calibration frame showed.
_RANGE = "extremes"
_FRAMES_TO_JUDGE = 4


def calibrated(model: onnx.ModelProto, request: Request, rounding: Rounding, *, by_cost: bool = False) -> Lowered:
    """Round a model's layers as `rounding` says, those that can bear it; the model changes in place.

    Args:
        model: The exact model, with its weights.
        request: What is built.
        rounding: How values are rounded.
        by_cost: Whether the target spares a layer's cost by rounding it, whatever stands beside it; then layers are
            kept for little cost.

    Raises:
        NandEdgeError: No frames are given, or the model has no layer that could be rounded.
    """
    options, told = request.options, request.on_phase
    files = frame_files(options.frames, most=options.calibration_frames)
    layers = find_layers(model.graph)
    if not layers:
        raise NandEdgeError(
            f"precision {options.precision!r}",
            found=f"no layer of bundle {request.bundle.name!r} that could be rounded",
            needed="convolutions or matrix products with weights of their own",
            do="keep fp32",
        )
    inputs = open_gate_inputs(request.bundle, files)
    histograms = observe(
        model,
        values_to_observe(model.graph, layers),
        inputs,
        only_ranges=_RANGE == "extremes",
        on_frame=lambda done, count: told(f"calibrating: run {done + 1} of {count}"),
    )
    ranges = {name: RANGES[_RANGE](histogram) for name, histogram in histograms.items()}
    told("how sensitive is each layer")
    places = np.unique(np.linspace(0, len(inputs) - 1, min(_FRAMES_TO_JUDGE, len(inputs))).round().astype(int))
    judge = Judge(model, [inputs[place] for place in places], fused=rounding.kind is not Kind.FLOAT8)
    costs = None
    if by_cost:
        seen = [layer for layer in layers if layer.source in histograms]
        costs = {layer.name: layer.cost(histograms[layer.source].size) for layer in seen}
    kept, error = keep_sensitive(model, ranges, rounding, judge, costs=costs, allowed=options.allowed_error, told=told)
    rounded = quantise(model, [layer for layer in find_layers(model.graph) if layer.name not in kept], ranges, rounding)
    return Lowered(
        model,
        {
            "frames": len(files),
            "ranges": _RANGE,
            "layers_rounded": len(rounded),
            "layers_kept": ", ".join(kept) or "none",
            "error_allowed": options.allowed_error,
            "error_left": round(error, 6),
        },
    )
