"""Fitting PatchCore: patches of all good frames, and a memory that covers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge_export.detectors.backbones import DEFAULT, Backbone, load_backbone
from nand_edge_export.detectors.coreset import greedy_coreset
from nand_edge_export.detectors.method import Fitted, Frame
from nand_edge_export.detectors.patchcore import PatchCore, PatchFeatures
from nand_edge_export.detectors.protocol import Progress, no_progress

_CANDIDATES_PER_PATCH = 8


@dataclass(frozen=True)
class PatchCoreMethod:
    """Fits PatchCore.

    Attributes:
        backbone: `NAME` or `NAME:FILE`, see `load_backbone`.
        input_size: Side of the square that frames are resized to, pixels.
        memory_patches: Size of the memory; the time for a frame grows with it.
        candidates: How many patches, drawn at random, the memory is chosen from; None for 8 times the memory.
    """

    backbone: str = DEFAULT
    input_size: int = 256
    memory_patches: int = 4000
    candidates: int | None = None

    learns: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _at_least("--input-size", self.input_size, 32)
        _at_least("--memory-patches", self.memory_patches, 1)
        if self.candidates is not None:
            _at_least("--candidates", self.candidates, self.memory_patches)

    def fit(self, frames: Sequence[Path], *, seed: int = 0, progress: Progress = no_progress) -> Fitted:
        """Make the memory from the frames' patches.

        Raises:
            NandEdgeError: The backbone cannot be had, or a frame cannot be read.
        """
        progress("backbone", 0, 1)
        backbone = load_backbone(self.backbone, self.input_size)
        features = PatchFeatures(backbone)
        progress("backbone", 1, 1)
        candidates = self._draw(frames, features, backbone, seed=seed, progress=progress)
        chosen = greedy_coreset(candidates, self.memory_patches, seed=seed, progress=progress)
        detector = PatchCore(features, backbone, candidates[chosen]).eval()

        def base_map(frame: Frame) -> torch.Tensor:
            return detector.forward(backbone.preprocessing.prepare(frame[np.newaxis]))[0]

        return Fitted(detector, base_map)

    def _draw(
        self, frames: Sequence[Path], features: PatchFeatures, backbone: Backbone, *, seed: int, progress: Progress
    ) -> torch.Tensor:
        """Features of patches drawn at random, as many from each frame, float32 [P, C].

        They are drawn frame by frame, so that memory does not grow with the number of frames.
        """
        wanted = self.candidates or _CANDIDATES_PER_PATCH * self.memory_patches
        share = -(-wanted // len(frames))
        generator = torch.Generator().manual_seed(seed)
        drawn = []
        for number, path in enumerate(frames, start=1):
            with torch.no_grad():
                patches = features(backbone.preprocessing.prepare(read_frame(path)[np.newaxis]))[0].flatten(1).T
            drawn.append(patches[torch.randperm(len(patches), generator=generator)[:share]])
            progress("features", number, len(frames))
        return torch.cat(drawn)


def _at_least(option: str, value: int, lowest: int) -> None:
    if value < lowest:
        raise NandEdgeError(option, found=str(value), needed=f"at least {lowest}", do="give a larger number")
