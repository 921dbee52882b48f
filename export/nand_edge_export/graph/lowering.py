"""Lowerings: how the one graph says, for each family of targets, what not all of them can read or run well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from nand_edge.bundle import GRAPH, GRAPH_FOR_OPENVINO, GRAPH_FOR_TENSORRT
from nand_edge_export.graph.builder import Builder
from nand_edge_export.graph.resize import matrix_resize, portable_resize, replaceable_resize

Resize = Callable[[Builder, str, tuple[int, int]], str]
"""Frames [N, H, W, 3] BGR and the sides to grey levels 0..255, float32 [N, 3, height, width] RGB."""


class Gate(Enum):
    """How the suspicious frames of a batch get into the CLIP branch."""

    GATHERED = "gathered"
    """They alone are gathered, run as one batch, and scattered back."""

    LOOPED = "looped"
    """A loop over the frames lets each in or not; for TensorRT, which cannot gather a number of frames that the frames
    themselves decide."""

    WHOLE = "whole"
    """All frames of the batch run when one of them is suspicious; for targets that run one frame at a time."""


@dataclass(frozen=True)
class Lowering:
    """What a family of targets needs.

    Attributes:
        file: The graph's file in a bundle.
        resize: How frames are resized.
        casts_frames: Whether frames become float32 first of all: TensorRT reads uint8 in a Cast alone, outside any If.
        gate: How suspicious frames get into the CLIP branch.
        defaults: Whether inputs may have defaults: the exported normalities and region.
        fuses: Whether parts of a transformer become ONNX Runtime's own operators.
        weights_in_bodies: Whether weights stand in the body that reads them. ONNX Runtime lays weights out for its
            faster kernels only then; others want them in the outer graph.
    """

    file: str
    resize: Resize
    casts_frames: bool
    gate: Gate
    defaults: bool
    fuses: bool
    weights_in_bodies: bool

    @property
    def may_exit_early(self) -> bool:
        """Whether an `If` within the gate, as an early exit is, is computed rightly: OpenVINO 2026.4 reads none."""
        return self.gate is not Gate.WHOLE


PORTABLE = Lowering(
    file=GRAPH,
    resize=portable_resize,
    casts_frames=False,
    gate=Gate.GATHERED,
    defaults=True,
    fuses=True,
    weights_in_bodies=True,
)
"""For ONNX Runtime: antialiased `Resize`, inputs with defaults, and its own operators for transformers."""

FOR_TENSORRT = Lowering(
    file=GRAPH_FOR_TENSORRT,
    resize=matrix_resize,
    casts_frames=True,
    gate=Gate.LOOPED,
    defaults=False,
    fuses=False,
    weights_in_bodies=False,
)
"""For TensorRT and TensorRT-RTX: resize by matrix products, and all inputs always given."""

FOR_OPENVINO = Lowering(
    file=GRAPH_FOR_OPENVINO,
    resize=replaceable_resize,
    casts_frames=False,
    gate=Gate.WHOLE,
    defaults=False,
    fuses=False,
    weights_in_bodies=False,
)
"""For OpenVINO, which runs one frame at a time: its import of `Resize` leaves the antialiasing out, so the builder of
its engines puts another resize in the place of this one."""

LOWERINGS = (PORTABLE, FOR_TENSORRT, FOR_OPENVINO)
"""A bundle has one graph of each."""
