"""The image encoder of the normality-detection module: patch tokens at the taps, in the text space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import nn

from nand_edge.errors import NandEdgeError
from nand_edge_export.clip.loading import NAND_TINY, Clip
from nand_edge_export.clip.projections import Projections, load_projections
from nand_edge_export.preprocessing import Preprocessing

NAND_TINY_TAPS = (4, 5)


class ClipEncoder(nn.Module):
    """Image tower up to its last tap, with one linear projection a tap.

    Taps are blocks of a vision transformer or stages of a timm trunk, counted from 1. Nothing after the last tap is
    kept: the tower is cut, and the CLIP that it came from can only encode text afterwards.

    Args:
        clip: The CLIP model; its image tower moves into this module.
        taps: Blocks or stages in ascending order; None for the usual ones.
        projection: File of the projections, `random`, or None for the ones that come with the CLIP.

    Attributes:
        taps: The taps.
        grids: Rows and columns of each tap's patch tokens.
        width: Length D of the tokens and of a text feature.
        preprocessing: What `forward` needs.
        projections: The linear layers and where they came from.

    Raises:
        NandEdgeError: An image tower without taps, taps that it lacks, or projections that do not fit.
    """

    def __init__(self, clip: Clip, *, taps: Sequence[int] | None = None, projection: str | None = None) -> None:
        super().__init__()
        tower = clip.model.visual
        count = _tap_count(clip.name, tower)
        self.taps = _check_taps(clip.name, taps or _usual_taps(clip.name, tower, count), count)
        self.preprocessing: Preprocessing = clip.preprocessing
        self.tower = tower
        maps = self._tapped(torch.zeros(1, 3, self.preprocessing.size, self.preprocessing.size))
        self.grids = tuple((int(tap.shape[2]), int(tap.shape[3])) for tap in maps)
        self.width = int(clip.text_features(["an object"]).shape[0])
        self.projections: Projections = load_projections(
            projection, clip_name=clip.name, channels=[int(tap.shape[1]) for tap in maps], width=self.width
        )
        self.heads = nn.ModuleList(_linear(weight, bias) for weight, bias in self.projections.layers)
        _cut(tower, self.taps)
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Image float32 [N, 3, S, S] to unit patch tokens [N, rows * columns, D], one tensor a tap."""
        return tuple(
            nn.functional.normalize(head(tap.flatten(2).transpose(1, 2)), dim=-1)
            for head, tap in zip(self.heads, self._tapped(image), strict=True)
        )

    def _tapped(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps [N, channels, rows, columns] at the taps; a transformer's class token is dropped."""
        result: dict[str, Any] = self.tower.forward_intermediates(
            image,
            indices=[tap - 1 for tap in self.taps],
            stop_early=True,
            normalize_intermediates=False,
            intermediates_only=True,
            output_fmt="NCHW",
        )
        taken: list[torch.Tensor] = result["image_intermediates"]
        return taken


def _tap_count(name: str, tower: nn.Module) -> int:
    if isinstance(tower, VisionTransformer):
        return len(tower.transformer.resblocks)
    if isinstance(tower, TimmModel) and hasattr(tower.trunk, "forward_intermediates"):
        return len(tower.trunk.feature_info)
    raise NandEdgeError(
        f"CLIP {name!r}",
        found=f"an image tower {type(tower).__name__} without taps",
        needed="a vision transformer of open_clip, or a timm trunk that gives its intermediate features",
        do="choose another model",
    )


def _usual_taps(name: str, tower: nn.Module, count: int) -> tuple[int, ...]:
    """Quarters of a transformer's depth (6, 12, 18, 24 of ViT-L, as in APRIL-GAN); the last three stages of a trunk."""
    if name == NAND_TINY:
        return NAND_TINY_TAPS
    if isinstance(tower, VisionTransformer):
        return tuple(count * quarter // 4 for quarter in (1, 2, 3, 4))
    return tuple(range(max(1, count - 2), count + 1))


def _check_taps(name: str, taps: Sequence[int], count: int) -> tuple[int, ...]:
    if list(taps) != sorted(set(taps)) or taps[0] < 1 or taps[-1] > count:
        raise NandEdgeError(
            f"taps of {name!r}",
            found=f"{list(taps)}",
            needed=f"ascending numbers from 1 to {count}",
            do="correct --taps",
        )
    return tuple(taps)


def _cut(tower: Any, taps: Sequence[int]) -> None:
    """Drop what comes after the last tap, so that it costs neither time nor memory nor room in a graph."""
    if isinstance(tower, VisionTransformer):
        tower.transformer.resblocks = tower.transformer.resblocks[: taps[-1]]
        tower.ln_post, tower.proj = nn.Identity(), None
    else:
        tower.trunk.prune_intermediate_layers([tap - 1 for tap in taps], prune_norm=True, prune_head=True)
        tower.head = nn.Identity()


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer
