"""PatchCore's memory: which patches of many frames to keep, without the features of all of them in RAM at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge_export.detectors.coreset import greedy_coreset, random_projection
from nand_edge_export.detectors.method import Frame
from nand_edge_export.detectors.protocol import Progress, no_progress

PatchesOf = Callable[[Frame], torch.Tensor]
"""From a frame to the features of its patches, float32 [P, C]; of every frame equally many."""

MOST_PATCHES = 4_000_000
_KEPT_BYTES = 2**30


def choose_memory(
    frames: Sequence[Path],
    patches_of: PatchesOf,
    count: int,
    *,
    candidates: int | None = None,
    beside: torch.Tensor | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> torch.Tensor:
    """Choose the patches of frames that cover all of their patches best, by `greedy_coreset`.

    Features are kept up to 1 GiB. Of more only projections to 128 numbers are, and the frames that chosen patches come
    from are read a second time.

    Args:
        frames: Files of at least one frame.
        patches_of: Gives the features of a frame's patches.
        count: How many to choose; fewer if there are not so many.
        candidates: From how many, drawn at random and equally many from each frame; None for all patches.
        beside: float32 [Q, C], a memory that there is already: what is chosen is what it lacks most.
        seed: Of all that is random.
        progress: Told about every frame and about the choice.

    Returns:
        float32 [min(count, patches), C], in the order of choice.

    Raises:
        NandEdgeError: A frame cannot be read, has features that are not finite, or there are over 4,000,000 patches.
    """
    drawn = _Drawn(frames, patches_of, candidates, seed)
    projected = drawn.projections(progress)
    there = None if beside is None else beside @ drawn.projection
    chosen = greedy_coreset(projected, count, beside=there, seed=seed, progress=progress)
    return drawn.features(chosen, progress)


class _Drawn:
    """Patches of frames: all, or equally many at random from each frame."""

    def __init__(self, frames: Sequence[Path], patches_of: PatchesOf, candidates: int | None, seed: int) -> None:
        self._frames, self._patches_of, self._seed = frames, patches_of, seed
        self._share = None if candidates is None else -(-candidates // len(frames))
        self._kept: dict[int, torch.Tensor] = {}
        self._each, self._width = self._read(0).shape
        self._total = len(frames) * self._each
        _require_not_too_many(self._total, len(frames))
        self.projection = random_projection(self._width, seed=seed)

    def projections(self, progress: Progress) -> torch.Tensor:
        """The projections of all of them, float32 [P, at most 128], frame after frame."""
        keeps = 4 * self._total * self._width <= _KEPT_BYTES
        projected = torch.empty(self._total, self.projection.shape[1])
        for number in range(len(self._frames)):
            patches = self._read(number)
            if keeps:
                self._kept[number] = patches
            torch.mm(patches, self.projection, out=projected[number * self._each : (number + 1) * self._each])
            progress("features", number + 1, len(self._frames))
        return projected

    def features(self, chosen: torch.Tensor, progress: Progress) -> torch.Tensor:
        """The features of some of them, float32 [count, C], by their places among the projections."""
        memory = torch.empty(len(chosen), self._width)
        frame_of = chosen // self._each
        numbers = frame_of.unique().tolist()
        for done, number in enumerate(numbers, start=1):
            from_it = (frame_of == number).nonzero().flatten()
            memory[from_it] = self._read(number)[chosen[from_it] % self._each]
            if not self._kept:
                progress("memory", done, len(numbers))
        return memory

    def _read(self, number: int) -> torch.Tensor:
        if number in self._kept:
            return self._kept[number]
        patches = self._patches_of(read_frame(self._frames[number]))
        if self._share is None:
            return patches
        generator = torch.Generator().manual_seed(self._seed + number)
        return patches[torch.randperm(len(patches), generator=generator)[: self._share]]


def _require_not_too_many(total: int, frames: int) -> None:
    if total > MOST_PATCHES:
        raise NandEdgeError(
            "the memory",
            found=f"{total:,} patches of {frames:,} frames to choose from",
            needed=f"at most {MOST_PATCHES:,}",
            do="give --candidates, so that as many are drawn at random, or fewer frames",
        )
