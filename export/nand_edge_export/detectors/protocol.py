"""What every base detector is: a module from a prepared image, or from CLIP's tokens, to an anomaly map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import DetectorRecord, ThresholdRecord, WeightsSource
from nand_edge.signature import MAP_SIZE
from nand_edge_export.preprocessing import Preprocessing

Settings = dict[str, str | int | float | bool]
Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the steps done and the steps in all."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


class Detector(nn.Module, ABC):
    """A base detector, ready for `torch.onnx.export`.

    A detector with a `preprocessing` reads the image that it describes: `forward(image [N, 3, S, S])`. One without
    reads the unit-length tokens of the CLIP encoder, so both share one pass: `forward(*tokens [N, P, D])`. Both give
    the base map, float32 [N, M, M], at least 0, higher where the frame is less like good ones.

    Attributes:
        kind: The method's name in files and on the command line.
        preprocessing: How a frame becomes its image; None for a reader of CLIP's tokens.
        input_size: Side of the square that frames are resized to, pixels.
        settings: With `preprocessing` and `tensors`, all that `from_tensors` needs to make the same detector.
        weights: Where its weights came from.
        threshold: What scores are compared with, or None where good frames were too few to choose it.
        map_size: Side M of the base map.
    """

    kind: ClassVar[str]
    map_size: ClassVar[int] = MAP_SIZE

    preprocessing: Preprocessing | None
    input_size: int
    settings: Settings
    weights: WeightsSource
    threshold: ThresholdRecord | None

    @classmethod
    @abstractmethod
    def from_tensors(
        cls,
        tensors: dict[str, torch.Tensor],
        settings: Settings,
        preprocessing: Preprocessing | None,
        weights: WeightsSource,
    ) -> Detector:
        """Make the detector again from what `tensors`, `settings`, `preprocessing` and `weights` gave.

        Raises:
            NandEdgeError: A tensor or a setting is missing or does not fit.
        """

    @abstractmethod
    def tensors(self) -> dict[str, torch.Tensor]:
        """All numbers that a detector file must hold, weights of the backbone included."""

    @abstractmethod
    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Give the base map, float32 [N, M, M]."""

    def record(self) -> DetectorRecord:
        """The detector's entry in a bundle's manifest."""
        return DetectorRecord(
            kind=self.kind,
            input_size=self.input_size,
            shares_clip=self.preprocessing is None,
            settings=self.settings,
            weights=self.weights,
        )


def setting(settings: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    """One entry of a detector file's settings.

    Raises:
        NandEdgeError: It is missing or not of type `kind`.
    """
    value = settings.get(key)
    if not isinstance(value, kind):
        raise NandEdgeError(
            "a detector's settings",
            found=f"{key!r} = {value!r}",
            needed=f"a value of type {kind.__name__}",
            do="fit it again with `nand-edge fit`",
        )
    return value
