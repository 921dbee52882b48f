"""What every way to make a detector is: from good frames to the detector and its maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from nand_edge_export.detectors.protocol import Detector, Progress

Frame = NDArray[np.uint8]
"""uint8 [H, W, 3] BGR."""


@dataclass(frozen=True)
class Fitted:
    """A new detector and how to run it on one frame.

    Attributes:
        detector: The detector, in evaluation mode, without a threshold.
        base_map: From a frame to its base map, float32 [M, M].
        seen: The frames that it depends on, if not all that it was given: others may choose the threshold.
    """

    detector: Detector
    base_map: Callable[[Frame], torch.Tensor]
    seen: Sequence[Path] | None = None


class Method(Protocol):
    """How a detector is made from good frames."""

    @property
    def learns(self) -> bool:
        """Whether the detector depends on the frames, so that its threshold must come from others."""

    def fit(self, frames: Sequence[Path], *, seed: int, progress: Progress) -> Fitted:
        """Make the detector; a method that does not learn gets no frames.

        Raises:
            NandEdgeError: A frame, a model or an option cannot be used.
        """
