"""The image encoder of the normality-detection module: patch tokens at the taps, in the text space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from nand_edge.errors import NandEdgeError
from nand_edge_export.clip.loading import NAND_TINY, Clip
from nand_edge_export.clip.projections import Projections, load_projections
from nand_edge_export.clip.tower import FEATURES, ImageTower, image_tower
from nand_edge_export.preprocessing import Preprocessing

TOKENS = "tokens_"
NAND_TINY_TAPS = (4, 5)


class ClipEncoder(nn.Module):
    """Image tower with one linear projection a tap.

    Taps are blocks of a vision transformer or stages of a timm trunk, counted from 1. A base detector may read more of
    the same pass than the taps' tokens; what nobody reads is not computed and gets no room in a graph.

    Args:
        clip: The CLIP model, whose image tower it runs.
        taps: Blocks or stages in ascending order; None for the usual ones.
        projection: File of the projections, `random`, or None for the ones that come with the CLIP.

    Attributes:
        clip_name: The CLIP's name.
        clip_sha256: The CLIP's hash.
        taps: The taps.
        tokens: Names of the taps' tokens for `read`.
        grids: Rows and columns of each tap's patch tokens.
        width: Length D of the tokens and of a text feature.
        preprocessing: What `forward` needs.
        projections: The linear layers and where they came from.

    Raises:
        NandEdgeError: An image tower without taps, taps that it lacks, or projections that do not fit.
    """

    def __init__(self, clip: Clip, *, taps: Sequence[int] | None = None, projection: str | None = None) -> None:
        super().__init__()
        self.clip_name, self.clip_sha256 = clip.name, clip.sha256
        self.preprocessing: Preprocessing = clip.preprocessing
        self.tower = image_tower(clip.name, clip.model.visual)
        self.taps = _check_taps(taps or _usual_taps(self.tower), self.tower)
        self.tokens = tuple(f"{TOKENS}{tap}" for tap in self.taps)
        side = self.preprocessing.size
        with torch.no_grad():
            features = self.tower.read(torch.zeros(1, 3, side, side), [f"{FEATURES}{tap}" for tap in self.taps])
        self.grids = tuple((int(tap.shape[2]), int(tap.shape[3])) for tap in features.values())
        self.width = int(clip.text_features(["an object"]).shape[0])
        self.projections: Projections = load_projections(
            projection, clip_name=clip.name, channels=[int(tap.shape[1]) for tap in features.values()], width=self.width
        )
        self.projections.require_clip(clip.name, clip.sha256, self.taps)
        self.heads = nn.ModuleList(_linear(weight, bias) for weight, bias in self.projections.layers)
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Image float32 [N, 3, S, S] to unit patch tokens [N, rows * columns, D], one tensor a tap."""
        return tuple(self.read(image, self.tokens).values())

    def read(self, image: torch.Tensor, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """Several outputs of one pass: `tokens_6` are the unit tokens [N, P, D] of tap 6, others see `clip.tower`.

        Raises:
            NandEdgeError: A block or stage that the tower does not have.
        """
        heads = dict(zip(self.tokens, zip(self.taps, self.heads, strict=True), strict=True))
        behind = {name: f"{FEATURES}{heads[name][0]}" if name in heads else name for name in names}
        found = self.tower.read(image, list(dict.fromkeys(behind.values())))
        return {
            name: _unit_tokens(heads[name][1], found[behind[name]]) if name in heads else found[name] for name in names
        }

    def identity(self) -> dict[str, str | int]:
        """What a detector remembers of the encoder that it reads, as settings of its file."""
        return {
            "clip": self.clip_name,
            "clip_sha256": self.clip_sha256,
            "input_size": self.preprocessing.size,
            "projection_sha256": self.projections.source.sha256,
            "taps": " ".join(map(str, self.taps)),
            "grids": " ".join(f"{rows}x{columns}" for rows, columns in self.grids),
        }


def _unit_tokens(head: nn.Module, features: torch.Tensor) -> torch.Tensor:
    return nn.functional.normalize(head(features.flatten(2).transpose(1, 2)), dim=-1)


def _usual_taps(tower: ImageTower) -> tuple[int, ...]:
    return NAND_TINY_TAPS if tower.clip_name == NAND_TINY else tower.usual_taps()


def _check_taps(taps: Sequence[int], tower: ImageTower) -> tuple[int, ...]:
    if list(taps) != sorted(set(taps)) or taps[0] < 1 or taps[-1] > tower.depth:
        raise NandEdgeError(
            f"taps of {tower.clip_name!r}",
            found=f"{list(taps)}",
            needed=f"ascending numbers from 1 to {tower.depth}",
            do="correct --taps",
        )
    return tuple(taps)


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer
