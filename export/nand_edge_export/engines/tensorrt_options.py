"""What TensorRT and TensorRT-RTX may be told besides the limits that every engine has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from nand_edge.errors import NandEdgeError

_LEVELS = range(6)


@dataclass(frozen=True)
class Span:
    """The sizes that one free dimension may have, and the one that the engine is tuned for."""

    least: int
    usual: int
    most: int

    def __post_init__(self) -> None:
        """Refuse sizes that are not in ascending order."""
        if not 1 <= self.least <= self.usual <= self.most:
            raise NandEdgeError(
                f"span {self}",
                found=f"least {self.least}, usual {self.usual}, most {self.most}",
                needed="1 <= least <= usual <= most",
                do="give LEAST:USUAL:MOST in ascending order",
            )

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.least}:{self.usual}:{self.most}"


def parse_span(text: str) -> Span:
    """A span of "LEAST:USUAL:MOST", or of one number for a size that never changes.

    Raises:
        NandEdgeError: It is neither, or not in ascending order.
    """
    parts = text.split(":")
    if len(parts) not in (1, 3) or not all(part.strip().isdigit() for part in parts):
        raise NandEdgeError(
            f"span {text!r}",
            found=f"{len(parts)} part{'s' if len(parts) > 1 else ''} of which each is to be a whole number",
            needed="LEAST:USUAL:MOST, or one number for a size that never changes",
            do="write it as in 1:1:8 or 480",
        )
    numbers = [int(part) for part in parts]
    return Span(*(numbers if len(numbers) == 3 else numbers * 3))


class HardwareCompatibility(str, Enum):
    """Which other GPUs an engine of TensorRT is to run on."""

    NONE = "none"
    """Those of this very model."""

    SAME = "same"
    """All of this compute capability (TensorRT 10.11 or later)."""

    AMPERE = "ampere"
    """All from compute capability 8.0 on; not on Jetsons."""


@dataclass(frozen=True)
class TensorRTOptions:
    """How an engine of TensorRT or TensorRT-RTX is built.

    Changing the normalities needs no refit: their features are inputs of the graph. `refit` is for weights alone.

    Attributes:
        batches: Frames in one run; None takes 1:1:max_batch of `BuildOptions`, and so on for the others.
        heights: Height of a frame, pixels; None takes min_side, usual_frame and max_side.
        widths: Width of a frame, pixels; likewise.
        normalities: Normalities in force at once; None takes 1:1:max_normalities.
        vectors: Vectors of a normality a side; None takes 1:1:max_vectors.
        timing_cache: File with the kernels' timings, read and added to; None keeps one in the user's cache folder.
            TensorRT-RTX times nothing when it builds, and takes none.
        version_compatible: Whether later versions of TensorRT are to run the engine, too. TensorRT only.
        hardware_compatible: Which other GPUs are to run it. TensorRT only; an engine of TensorRT-RTX is built for
            several compute capabilities instead.
        refit: Whether the weights of the finished engine may be exchanged.
        strip: Leave the weights out of the engine; they are taken from the bundle's graph when the engine is loaded.
            Needs fp32, in which the graph in the bundle has them.
        weight_streaming: Whether weights may stay in the machine's memory and go to the GPU as they are needed.
        level: How long kernels are searched for, 0 to 5; None leaves it to the builder. TensorRT only.
    """

    batches: Span | None = None
    heights: Span | None = None
    widths: Span | None = None
    normalities: Span | None = None
    vectors: Span | None = None
    timing_cache: Path | None = None
    version_compatible: bool = False
    hardware_compatible: HardwareCompatibility = HardwareCompatibility.NONE
    refit: bool = False
    strip: bool = False
    weight_streaming: bool = False
    level: int | None = None

    def __post_init__(self) -> None:
        """Refuse a level that there is not."""
        if self.level is not None and self.level not in _LEVELS:
            raise NandEdgeError(
                "build option level",
                found=str(self.level),
                needed=f"{_LEVELS[0]} to {_LEVELS[-1]}",
                do="leave it out, or take 5 for the longest search",
            )
