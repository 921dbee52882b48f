"""What every base detector is: from a prepared image, or from outputs of the CLIP encoder, to an anomaly map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import DetectorRecord, ThresholdRecord, WeightsSource
from nand_edge.signature import MAP_SIZE
from nand_edge_export.preprocessing import Preprocessing

if TYPE_CHECKING:
    import onnx

    from nand_edge_export.clip import ClipEncoder

Settings = dict[str, str | int | float | bool]
Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the steps done and the steps in all."""


_IDENTITY = {
    "weights": "clip_sha256",
    "image side": "input_size",
    "projections": "projection_sha256",
    "taps": "taps",
    "token grids": "grids",
}
"""What of an encoder's identity a detector may have among its settings, by the words for it."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


class Detector(nn.Module, ABC):
    """A base detector, ready for `torch.onnx.export`.

    A detector with a `preprocessing` reads the image that it describes: `forward(image [N, 3, S, S])`. One without
    reads outputs of the CLIP encoder that the normality detection runs, so both share one pass: `forward(*outputs)`, in
    the order of `reads`. Both give the base map, float32 [N, M, M], at least 0, higher where the frame is less like
    good ones.

    Attributes:
        kind: The method's name in files and on the command line.
        preprocessing: How a frame becomes its image; None for a reader of the CLIP encoder.
        reads: Names of what it reads of the CLIP encoder (`ClipEncoder.read`); empty when it has an own image.
        input_size: Side of the square that frames are resized to, pixels.
        settings: With `preprocessing` and `tensors`, all that `from_tensors` needs to make the same detector.
        weights: Where its weights came from.
        threshold: What scores are compared with, or None where good frames were too few to choose it.
        map_size: Side M of the base map.
    """

    kind: ClassVar[str]
    map_size: ClassVar[int] = MAP_SIZE

    preprocessing: Preprocessing | None
    reads: tuple[str, ...] = ()
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

    def beside(self, encoder: ClipEncoder) -> Detector:
        """Give the detector as it runs in one graph with this encoder: this very one, if not overridden.

        Raises:
            NandEdgeError: It reads another encoder than this one.
        """
        if self.preprocessing is None:
            require_same_encoder(self, encoder)
        return self

    def graph(self) -> onnx.GraphProto | None:
        """The graph of a detector that is one already, from its image to its map; None for one that torch converts.

        Raises:
            NandEdgeError: It cannot be put into the single graph.
        """
        return None

    def record(self) -> DetectorRecord:
        """The detector's entry in a bundle's manifest."""
        return DetectorRecord(
            kind=self.kind,
            input_size=self.input_size,
            shares_clip=self.preprocessing is None,
            settings=self.settings,
            weights=self.weights,
        )


def require_same_encoder(detector: Detector, encoder: ClipEncoder) -> None:
    """Refuse to read outputs of another encoder than the one that a detector was made with.

    Raises:
        NandEdgeError: The CLIP, its image size, or the projections or taps that the detector reads are others.
    """
    found = encoder.identity()
    for what, key in _IDENTITY.items():
        if key in detector.settings and detector.settings[key] != found[key]:
            raise NandEdgeError(
                f"the {detector.kind} detector",
                found=f"it was made with the CLIP {detector.settings['clip']!r} and {what} {detector.settings[key]}",
                needed=f"{what} {found[key]} of {found['clip']!r}",
                do="give the export the CLIP options that `nand-edge fit` had, or fit it again",
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
