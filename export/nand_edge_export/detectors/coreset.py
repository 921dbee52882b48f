"""Greedy k-centre coreset: the patches that cover all others best (Roth et al., PatchCore, 2022, Algorithm 1)."""

from __future__ import annotations

import torch

from nand_edge_export.detectors.protocol import Progress, no_progress

PROJECTED_WIDTH = 128
_STEPS_BETWEEN_REPORTS = 64


def greedy_coreset(
    patches: torch.Tensor, count: int, *, seed: int = 0, progress: Progress = no_progress
) -> torch.Tensor:
    """Choose `count` patches, each time the one farthest from all chosen so far.

    Distances are measured after a Gaussian random projection to 128 dimensions, which keeps them nearly
    (Johnson and Lindenstrauss) and makes them cheap.

    Args:
        patches: float32 [P, C].
        count: How many to choose; with `count >= P`, all are chosen.
        seed: Of the projection and the first patch; the same seed gives the same choice.
        progress: Told about every 64th step.

    Returns:
        int64 [min(count, P)], different indices into `patches`, in the order of choice.
    """
    total, width = patches.shape
    if count >= total:
        return torch.arange(total)
    generator = torch.Generator().manual_seed(seed)
    if width > PROJECTED_WIDTH:
        patches = patches @ (torch.randn(width, PROJECTED_WIDTH, generator=generator) / PROJECTED_WIDTH**0.5)
    # |a - b|^2 = |a|^2 + |b|^2 - 2 a.b; half of it less |b|^2 / 2 needs one product and one addition a step.
    half_squares = patches.square().sum(dim=1).mul_(0.5)
    nearest = torch.full((total,), torch.inf)
    chosen = torch.empty(count, dtype=torch.int64)
    candidate = torch.randint(total, (), generator=generator)
    for step in range(count):
        chosen[step] = candidate
        to_candidate = torch.addmv(half_squares, patches, patches[candidate], alpha=-1.0).add_(half_squares[candidate])
        torch.minimum(nearest, to_candidate, out=nearest)
        nearest[candidate] = -torch.inf
        candidate = nearest.argmax()
        if step % _STEPS_BETWEEN_REPORTS == 0 or step == count - 1:
            progress("coreset", step + 1, count)
    return chosen
