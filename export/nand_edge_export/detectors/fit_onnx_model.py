"""Taking a ready ONNX model as base detector: nothing is fitted; good frames check its map and choose the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from nand_edge_export.detectors.method import Fitted, Frame
from nand_edge_export.detectors.onnx_graph import MapRange
from nand_edge_export.detectors.onnx_interface import Wishes
from nand_edge_export.detectors.onnx_model import OnChoices, OnnxModel, no_choices
from nand_edge_export.detectors.protocol import Progress, no_progress


@dataclass(frozen=True)
class OnnxModelMethod:
    """Takes an ONNX model.

    Attributes:
        path: The .onnx file; weights in files beside it are taken in.
        wishes: What is known of it better than it says itself.
        map_range: What is done to its map so that it is at least 0.
        on_choices: Told what was read or guessed of the model, before it is run on any frame.
    """

    path: Path
    wishes: Wishes = field(default_factory=Wishes)
    map_range: MapRange = field(default_factory=MapRange)
    on_choices: OnChoices = no_choices

    @property
    def learns(self) -> bool:
        """It learns nothing from frames."""
        return False

    def fit(self, frames: Sequence[Path], *, seed: int = 0, progress: Progress = no_progress) -> Fitted:  # noqa: ARG002
        """Read the model, and see that it can become a part of the single graph.

        Raises:
            NandEdgeError: It cannot.
        """
        progress("model", 0, 2)
        detector = OnnxModel.from_file(self.path, self.wishes, self.map_range, on_choices=self.on_choices)
        progress("model", 1, 2)
        detector.graph()
        progress("model", 2, 2)

        def base_map(frame: Frame) -> torch.Tensor:
            image = detector.interface.preprocessing.prepare(frame[np.newaxis])
            detector.require_map(detector.raw_maps(image), "a good frame")
            return detector.forward(image)[0]

        return Fitted(detector, base_map)
