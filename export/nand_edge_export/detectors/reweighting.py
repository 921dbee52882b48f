"""PatchCore's weight of an image: a far patch counts a little less where the memory is crowded (Eq. 7 of the paper)."""

from __future__ import annotations

import torch

NEIGHBOURS = 9
"""How many patches of the memory are compared, the nearest itself included."""

_ROWS = 1000


def nearest_in_memory(memory: torch.Tensor) -> torch.Tensor:
    """For each patch of a memory float32 [M, C] its nearest ones, itself first; int64 [M, 9]."""
    squares = memory.square().sum(dim=1)
    nearest = []
    for start in range(0, len(memory), _ROWS):
        rows = memory[start : start + _ROWS]
        apart = torch.addmm(squares, rows, memory.T, alpha=-2.0).add_(squares[start : start + _ROWS, None])
        own = torch.arange(len(rows))
        apart[own, start + own] = -torch.inf  # Of equal patches each is its own nearest one.
        nearest.append(apart.topk(NEIGHBOURS, dim=1, largest=False).indices)
    return torch.cat(nearest)


def weight(to_memory: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
    """Weight of frames by how far their farthest patch is from the memory (Roth et al., PatchCore, 2022, Eq. 7).

    With the nearest patch m of the memory and its 9 neighbours, m among them: 1 less the share of m in the softmax of
    the 9 distances. No share is smaller than that of the nearest, so it is at most 1/9.

    Args:
        to_memory: float32 [N, M], distance of each frame's farthest patch to all of the memory.
        neighbours: int64 [M, 9] of `nearest_in_memory`.

    Returns:
        float32 [N] in [8/9, 1].
    """
    around = neighbours[to_memory.argmin(dim=1)]
    shares = torch.softmax(to_memory.gather(1, around), dim=1)
    return 1.0 - shares[:, 0]
