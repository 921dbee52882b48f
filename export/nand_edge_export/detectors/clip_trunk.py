"""The image tower of a CLIP as a backbone, so that a base detector and the normality detection can share its pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nand_edge_export.clip import NAND_TINY, Clip, load_clip
from nand_edge_export.clip.loading import empty_image_tower, has_quick_gelu
from nand_edge_export.clip.tower import FEATURES, ImageTower, image_tower

PREFIX = "clip:"

ClipSettings = Mapping[str, str | int | float | bool]
"""What a detector file says of the CLIP that its backbone comes from: `clip_sha256` and `quick_gelu`."""


class ClipTrunk(nn.Module):
    """An image tower with what `PatchFeatures` and the choice of stages use of a timm network, stages counted from 0.

    Args:
        tower: The image tower.
    """

    pretrained_cfg: Mapping[str, Any] = {}

    def __init__(self, tower: ImageTower) -> None:
        super().__init__()
        self.tower = tower
        self.feature_info = [{"reduction": stride} for stride in tower.strides()]

    def forward_intermediates(self, image: torch.Tensor, indices: Sequence[int], **_: bool) -> list[torch.Tensor]:
        """Features [N, C, rows, columns] of the stages; nothing after the last of them is computed."""
        return list(self.tower.read(image, feature_names(indices)).values())

    def prune_intermediate_layers(self, indices: Sequence[int]) -> None:
        """Drop what comes after the last of the stages."""
        self.tower.cut(max(indices) + 1)


def is_clip(backbone: str) -> bool:
    """Whether the name of a backbone is a CLIP's: `nand-tiny`, or `clip:` and a name that `load_clip` takes."""
    return backbone == NAND_TINY or backbone.startswith(PREFIX)


def load_clip_trunk(backbone: str, input_size: int | None) -> tuple[ClipTrunk, Clip]:
    """The whole trunk of the CLIP that a backbone's name means.

    Raises:
        NandEdgeError: The CLIP cannot be had or has no stages.
    """
    clip = load_clip(backbone.removeprefix(PREFIX), image_size=input_size)
    return ClipTrunk(image_tower(clip.name, clip.model.visual)), clip


def clip_settings(clip: Clip) -> ClipSettings:
    """What a detector file says of this CLIP."""
    return {"clip_sha256": clip.sha256, "quick_gelu": has_quick_gelu(clip.model.visual)}


def empty_clip_trunk(backbone: str, input_size: int, settings: ClipSettings) -> ClipTrunk:
    """The same trunk, whole and without its weights.

    Raises:
        NandEdgeError: The installed open_clip does not know the model.
    """
    name = backbone.removeprefix(PREFIX)
    visual = empty_image_tower(name, input_size, quick_gelu=bool(settings["quick_gelu"]))
    return ClipTrunk(image_tower(name, visual))


def feature_names(stages: Sequence[int]) -> tuple[str, ...]:
    """Names that `ClipEncoder.read` has for stages counted from 0."""
    return tuple(f"{FEATURES}{stage + 1}" for stage in stages)
