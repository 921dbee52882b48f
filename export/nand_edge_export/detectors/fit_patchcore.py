"""Fitting PatchCore: patches of all good frames, and a memory that covers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nand_edge.errors import NandEdgeError
from nand_edge_export.detectors.backbones import DEFAULT, load_backbone
from nand_edge_export.detectors.memory import choose_memory
from nand_edge_export.detectors.method import Fitted
from nand_edge_export.detectors.patchcore import MAXIMUM, PatchCore, PatchFeatures, check_image_score
from nand_edge_export.detectors.protocol import Progress, no_progress
from nand_edge_export.detectors.reweighting import NEIGHBOURS

MEMORY_PATCHES = 4000
_CANDIDATES_PER_PATCH = 8


@dataclass(frozen=True)
class PatchCoreMethod:
    """Fits PatchCore.

    Attributes:
        backbone: `NAME`, `NAME:FILE`, `NAME:random`, or a CLIP's trunk, see `load_backbone`.
        input_size: Side of the square that frames are resized to, pixels; None for the backbone's usual one.
        memory_patches: Size of the memory; the time for a frame grows with it. None for `memory_share`, or 4,000.
        memory_share: Size of the memory as a share of all patches, over 0 and up to 1; the paper has 0.01 and 0.1.
        candidates: How many patches, drawn at random, the memory is chosen from; 0 for all of them, the exact coreset;
            None for 8 times the memory. The exact one covers every odd patch of a good frame too, which costs about a
            hundredth of AUROC after suppression on solar cells that were not tested.
        image_score: "maximum" of the map, or "reweighted", PatchCore's own.
    """

    backbone: str = DEFAULT
    input_size: int | None = None
    memory_patches: int | None = None
    memory_share: float | None = None
    candidates: int | None = None
    image_score: str = MAXIMUM

    learns: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.input_size is not None:
            _at_least("--input-size", self.input_size, 32)
        if self.memory_patches is not None:
            _at_least("--memory-patches", self.memory_patches, 1)
        check_image_score(self.image_score, self.memory_patches or NEIGHBOURS)
        if self.memory_share is not None:
            _require_share(self.memory_share, self.memory_patches)
        if self.candidates:
            _at_least("--candidates", self.candidates, self.memory_patches or 1)

    def fit(self, frames: Sequence[Path], *, seed: int = 0, progress: Progress = no_progress) -> Fitted:
        """Make the memory from the frames' patches.

        Raises:
            NandEdgeError: The backbone cannot be had, a frame cannot be read, or there are too many patches.
        """
        progress("backbone", 0, 1)
        backbone = load_backbone(self.backbone, self.input_size)
        features = PatchFeatures(backbone)
        progress("backbone", 1, 1)
        size = self.size(len(frames) * features.grid[0] * features.grid[1])
        memory = choose_memory(
            frames,
            features.of_frame,
            size,
            candidates=_CANDIDATES_PER_PATCH * size if self.candidates is None else self.candidates or None,
            seed=seed,
            progress=progress,
        )
        detector = PatchCore(features, backbone, memory, image_score=self.image_score).eval()
        return Fitted(detector, detector.map_of)

    def size(self, patches: int) -> int:
        """Size of the memory when there are so many patches in all."""
        if self.memory_share is not None:
            return max(1, round(self.memory_share * patches))
        return self.memory_patches or MEMORY_PATCHES


def _at_least(option: str, value: int, lowest: int) -> None:
    if value < lowest:
        raise NandEdgeError(option, found=str(value), needed=f"at least {lowest}", do="give a larger number")


def _require_share(share: float, patches: int | None) -> None:
    if patches is not None:
        raise NandEdgeError(
            "--memory-share", found="--memory-patches too", needed="one size of the memory", do="leave one of them out"
        )
    if not 0.0 < share <= 1.0:
        raise NandEdgeError(
            "--memory-share", found=str(share), needed="a share over 0 and up to 1", do="give 0.1 or 0.01, say"
        )
