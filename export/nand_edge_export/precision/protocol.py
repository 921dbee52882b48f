"""What a way of lowering the precision is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nand_edge.bundle import Bundle
from nand_edge.manifest import Target
from nand_edge_export.engines.protocol import BuildOptions, OnPhase

if TYPE_CHECKING:
    import onnx

_LARGEST_FILE = 1_800_000_000  # protobuf ends at 2 GiB
_SMALL_BYTES = 1024

Settings = dict[str, str | int | float]
"""How a precision was reached, as the manifest keeps it."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        bundle: The bundle, with its normalities and its threshold.
        target: What the engine is for.
        options: The precision, the frames and the limits.
        on_phase: Told what is being done.
    """

    bundle: Bundle
    target: Target
    options: BuildOptions
    on_phase: OnPhase


@dataclass(frozen=True)
class Lowered:
    """A model in a lower precision.

    Attributes:
        model: The model with its weights inside.
        lowered_by: How it was reached.
    """

    model: onnx.ModelProto
    lowered_by: Settings

    def save(self, path: Path) -> None:
        """Write the model, weights beside it where one file cannot hold them."""
        import onnx

        if self.model.ByteSize() < _LARGEST_FILE:
            onnx.save_model(self.model, str(path))
        else:
            onnx.save_model(
                self.model,
                str(path),
                save_as_external_data=True,
                location=f"{path.stem}.weights.bin",
                size_threshold=_SMALL_BYTES,
            )


LowerPrecision = Callable[["onnx.ModelProto", Request], Lowered]
"""From the fp32 model, which it may change, to the lowered one.

Raises:
    NandEdgeError: What the way needs is not there, or the graph has nothing to lower.
"""
