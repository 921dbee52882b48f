"""Precisions: what has to be done to a bundle's fp32 graph before a target's engine is made of it.

One file a way of lowering, each imported when it is asked for. None needs torch; those that change the graph need the
package onnx.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.engines.source_graph import source_graph
from nand_edge_export.precision.protocol import Lowered, Request, Settings

if TYPE_CHECKING:
    from nand_edge_export.precision.protocol import LowerPrecision

FP32, FP16, BF16, INT8, FP8 = "fp32", "fp16", "bf16", "int8", "fp8"

BY_THE_ENGINE = ""
"""Stands for a precision that the engine itself lowers to, from the fp32 graph."""

_INT8 = "nand_edge_export.precision.int8"
_HALF = "nand_edge_export.precision.half"
_FP8 = "nand_edge_export.precision.fp8"
_OF_TENSORRT = {FP16: f"{_HALF}:to_fp16", BF16: f"{_HALF}:to_bf16", INT8: f"{_INT8}:to_signed", FP8: f"{_FP8}:to_fp8"}

PRECISIONS: dict[Target, dict[str, str]] = {
    # fp16 pays with ONNX Runtime's provider for CUDA; CPUs widen it again.
    Target.ONNX: {FP16: f"{_HALF}:to_fp16", INT8: f"{_INT8}:to_unsigned"},
    Target.OPENVINO: {BF16: BY_THE_ENGINE, INT8: f"{_INT8}:to_unsigned"},
    Target.TENSORRT: _OF_TENSORRT,
    Target.TENSORRT_RTX: _OF_TENSORRT,
}
"""Target -> precision besides fp32 -> "module:function" that lowers the graph to it."""

__all__ = ["PRECISIONS", "Lowered", "Request", "Source", "check_precision", "lower", "source_graph_of"]


@dataclass(frozen=True)
class Source:
    """A graph that an engine is made of.

    Attributes:
        path: The ONNX file; its weights lie beside it.
        lowered_by: How its precision was reached, for the engine's record; empty for fp32.
    """

    path: Path
    lowered_by: Settings = field(default_factory=dict)


def precisions_of(target: Target) -> tuple[str, ...]:
    """The precisions that a target's engines can have, fp32 first."""
    return (FP32, *PRECISIONS.get(target, {}))


def check_precision(target: Target, precision: str) -> None:
    """Make sure that a target has a precision.

    Raises:
        NandEdgeError: It has not.
    """
    if precision not in precisions_of(target):
        raise NandEdgeError(
            f"precision {precision!r}",
            found=f"target {target.value!r}",
            needed=f"one of {', '.join(precisions_of(target))}",
            do="choose one of these, or another target",
        )


def lower(bundle: Bundle, target: Target, options: BuildOptions, on_phase: OnPhase) -> Lowered:
    """The bundle's graph for a target as a model of another precision than fp32.

    Raises:
        NandEdgeError: The target has not this precision, frames are needed and not given, or the package onnx is
            missing.
    """
    check_precision(target, options.precision)
    module, _, name = PRECISIONS[target][options.precision].partition(":")
    try:
        import onnx
    except ImportError as error:
        raise NandEdgeError(
            f"precision {options.precision!r}",
            found=f"no package onnx that can be imported ({error})",
            needed="onnx 1.18 or later, to rewrite the graph",
            do="run `pip install onnx`",
        ) from None
    function: LowerPrecision = getattr(importlib.import_module(module), name)
    on_phase("reading the graph")
    model = onnx.load(str(source_graph(bundle, target)))
    return function(model, Request(bundle, target, options, on_phase))


@contextmanager
def source_graph_of(bundle: Bundle, target: Target, options: BuildOptions, on_phase: OnPhase) -> Iterator[Source]:
    """The graph that an engine of this target and precision is made of, there until the block ends.

    Raises:
        NandEdgeError: See `lower`, or the bundle has no graph for the target.
    """
    check_precision(target, options.precision)
    if options.precision == FP32 or PRECISIONS[target][options.precision] == BY_THE_ENGINE:
        yield Source(source_graph(bundle, target))
        return
    lowered = lower(bundle, target, options, on_phase)
    with tempfile.TemporaryDirectory(prefix="nand-edge-") as folder:
        path = Path(folder) / source_graph(bundle, target).name
        lowered.save(path)
        lowered_by = lowered.lowered_by
        # The model may be large, and the builder needs the memory.
        del lowered
        yield Source(path, lowered_by)
