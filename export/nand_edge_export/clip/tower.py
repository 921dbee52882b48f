"""The image tower of a CLIP, and what detectors and the normality detection may read of its one pass, by name.

| name | what | shape |
| --- | --- | --- |
| `features_3` | output of block or stage 3, counted from 1, without a class token | [N, C, rows, columns] |
| `patches` | a transformer's patch tokens after its last layer norm | [N, P, C] |
| `embedding` | a transformer's embedding of the image, of length 1 | [N, D] |
| `windows_2` | embeddings, of length 1, of what each window of 2x2 patches shows alone, row by row | [N, W, D] |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import nn

from nand_edge.errors import NandEdgeError

FEATURES = "features_"
PATCHES = "patches"
EMBEDDING = "embedding"
WINDOWS = "windows_"


class ImageTower(nn.Module, ABC):
    """An open_clip image tower that gives what is asked for, and runs no further than that needs.

    Attributes:
        clip_name: The CLIP that it belongs to.
        depth: Number of blocks or stages.
        visual: open_clip's module.
    """

    clip_name: str
    depth: int
    visual: Any

    @abstractmethod
    def read(self, image: torch.Tensor, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """What the names of the table above stand for, float32, for images float32 [N, 3, S, S].

        Raises:
            NandEdgeError: A block or stage that the tower does not have.
        """

    @abstractmethod
    def usual_taps(self) -> tuple[int, ...]:
        """Blocks or stages, counted from 1, that the normality detection reads if nobody says otherwise."""

    @abstractmethod
    def strides(self) -> tuple[int, ...]:
        """Pixels from one position to the next, for each block or stage."""

    @abstractmethod
    def cut(self, number: int) -> None:
        """Drop what comes after block or stage `number`; features up to there are all that can be read then."""

    def grid(self, side: int) -> tuple[int, int]:
        """Rows and columns of patches of an image of `side` x `side` pixels.

        Raises:
            NandEdgeError: The tower has no patches whose windows could be looked at.
        """
        del side
        raise NandEdgeError(
            f"CLIP {self.clip_name!r}",
            found="an image tower that is no vision transformer of open_clip",
            needed="one, whose patches can be looked at window by window",
            do="choose another CLIP, ViT-B-16-plus-240:laion400m_e31 for example",
        )

    def feature_numbers(self, names: Sequence[str]) -> list[int]:
        """Blocks or stages behind the names of features, ascending.

        Raises:
            NandEdgeError: The tower does not have one of them.
        """
        numbers = sorted({int(name.removeprefix(FEATURES)) for name in names if name.startswith(FEATURES)})
        if numbers and not 1 <= numbers[0] <= numbers[-1] <= self.depth:
            raise NandEdgeError(
                f"CLIP {self.clip_name!r}",
                found=f"blocks or stages {numbers} asked for",
                needed=f"numbers from 1 to {self.depth}",
                do="correct the numbers or choose another CLIP",
            )
        return numbers


def image_tower(clip_name: str, visual: nn.Module) -> ImageTower:
    """The image tower around an open_clip model's `visual`.

    Raises:
        NandEdgeError: It is of a family whose blocks or stages cannot be read.
    """
    if isinstance(visual, VisionTransformer):
        return TransformerTower(clip_name, visual)
    if isinstance(visual, TimmModel) and hasattr(visual.trunk, "forward_intermediates"):
        return TrunkTower(clip_name, visual)
    raise NandEdgeError(
        f"CLIP {clip_name!r}",
        found=f"an image tower {type(visual).__name__} without taps",
        needed="a vision transformer of open_clip, or a timm trunk that gives its intermediate features",
        do="choose another model",
    )


class TransformerTower(ImageTower):
    """A vision transformer of open_clip; taps are its blocks."""

    def __init__(self, clip_name: str, visual: Any) -> None:
        super().__init__()
        self.clip_name = clip_name
        self.visual = visual
        self.depth = len(visual.transformer.resblocks)

    def usual_taps(self) -> tuple[int, ...]:
        """Quarters of the depth: 6, 12, 18 and 24 of ViT-L, as in APRIL-GAN."""
        return tuple(sorted({max(1, self.depth * quarter // 4) for quarter in (1, 2, 3, 4)}))

    def strides(self) -> tuple[int, ...]:
        """See `ImageTower.strides`."""
        return (int(self.visual.patch_size[0]),) * self.depth

    def cut(self, number: int) -> None:
        """See `ImageTower.cut`."""
        self.visual.transformer.resblocks = self.visual.transformer.resblocks[:number]
        self.visual.ln_post, self.visual.proj = nn.Identity(), None
        self.depth = number

    def grid(self, side: int) -> tuple[int, int]:
        """See `ImageTower.grid`."""
        rows, columns = (side // patch for patch in self.visual.patch_size)
        return rows, columns

    def read(self, image: torch.Tensor, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """See `ImageTower.read`; the embedded patches of the image serve the windows too."""
        numbers = self.feature_numbers(names)
        to_the_end = PATCHES in names or EMBEDDING in names
        grid = self.grid(image.shape[-1])
        embedded = tokens = self.visual._embeds(image)  # noqa: SLF001 - patches, class token and positions, as open_clip joins them
        found: dict[str, torch.Tensor] = {}
        for number in range(1, (self.depth if to_the_end else max(numbers, default=0)) + 1):
            tokens = self.visual.transformer.resblocks[number - 1](tokens)
            if number in numbers:
                found[f"{FEATURES}{number}"] = tokens[:, 1:].transpose(1, 2).unflatten(2, grid)
        for name in names:
            if name == PATCHES:
                found[name] = self.visual.ln_post(tokens)[:, 1:]
            elif name == EMBEDDING:
                found[name] = self._embedding(tokens)
            elif name.startswith(WINDOWS):
                found[name] = self._windows(embedded, grid, int(name.removeprefix(WINDOWS)))
        return {name: found[name] for name in names}

    def _embedding(self, tokens: torch.Tensor) -> torch.Tensor:
        """From the last block's tokens to the unit embedding in the text space, [N, D]."""
        pooled, _ = self.visual._pool(tokens)  # noqa: SLF001 - layer norm and pooling in the model's own order
        if self.visual.proj is not None:
            pooled = pooled @ self.visual.proj
        return nn.functional.normalize(pooled, dim=-1)

    def _windows(self, embedded: torch.Tensor, grid: tuple[int, int], side: int) -> torch.Tensor:
        """Run the transformer on the class token and each window's patches, all windows in one batch (WinCLIP)."""
        index = window_tokens(grid, side).to(embedded.device)
        count, length = index.shape
        tokens = embedded.index_select(1, index.flatten()).reshape(-1, length, embedded.shape[2])
        for block in self.visual.transformer.resblocks:
            tokens = block(tokens)
        windows: torch.Tensor = self._embedding(tokens).unflatten(0, (-1, count))
        return windows


class TrunkTower(ImageTower):
    """A timm network inside a CLIP; taps are its stages."""

    def __init__(self, clip_name: str, visual: Any) -> None:
        super().__init__()
        self.clip_name = clip_name
        self.visual = visual
        self.depth = len(visual.trunk.feature_info)

    def usual_taps(self) -> tuple[int, ...]:
        """The last three stages."""
        return tuple(range(max(1, self.depth - 2), self.depth + 1))

    def strides(self) -> tuple[int, ...]:
        """See `ImageTower.strides`."""
        return tuple(int(stage["reduction"]) for stage in self.visual.trunk.feature_info)

    def cut(self, number: int) -> None:
        """See `ImageTower.cut`."""
        self.visual.trunk.prune_intermediate_layers([number - 1], prune_norm=True, prune_head=True)
        self.visual.head = nn.Identity()
        self.depth = number

    def read(self, image: torch.Tensor, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """See `ImageTower.read`; a trunk has features alone."""
        numbers = self.feature_numbers(names)
        features = self.visual.trunk.forward_intermediates(
            image,
            indices=[number - 1 for number in numbers],
            norm=False,
            stop_early=True,
            intermediates_only=True,
            output_fmt="NCHW",
        )
        found = {f"{FEATURES}{number}": stage for number, stage in zip(numbers, features, strict=True)}
        return {name: found[name] for name in names}


def window_tokens(grid: tuple[int, int], side: int) -> torch.Tensor:
    """Numbers of the tokens that each window of `side` x `side` patches has, the class token (0) first.

    Args:
        grid: Rows and columns of patches, at least `side`.
        side: Side of a window, patches.

    Returns:
        int64 [windows, 1 + side * side], the windows row by row.
    """
    rows, columns = grid
    number = torch.arange(1, rows * columns + 1).reshape(rows, columns)
    patches = number.unfold(0, side, 1).unfold(1, side, 1).reshape(-1, side * side)
    return torch.cat([torch.zeros(len(patches), 1, dtype=torch.int64), patches], dim=1)


class Reader(nn.Module):
    """A module that reads some outputs of a tower or an encoder, in a fixed order: what `torch.onnx.export` takes.

    Args:
        source: What has a method `read(image, names)`.
        names: What to read.
    """

    def __init__(self, source: Any, names: Sequence[str]) -> None:
        super().__init__()
        self.source = source
        self.names = tuple(names)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Give the outputs for images float32 [N, 3, S, S]."""
        found: dict[str, torch.Tensor] = self.source.read(image, self.names)
        return tuple(found[name] for name in self.names)
