"""Greedy k-centre coreset: the patches that cover all others best (Roth et al., PatchCore, 2022, Algorithm 1).

Each step takes the patch that is farthest from all taken so far. Taken literally, a step reads all patches. Here a
patch keeps the distance that it had when it was last looked at: distances only shrink as more are taken, so an old one
is an upper bound, and only patches whose bound is among the highest can be next. The others catch up later, if ever,
with many taken patches in one matrix product. Hardly a pair is looked at twice, and the choice is the literal one.
"""

from __future__ import annotations

import torch

from nand_edge_export.detectors.protocol import Progress, no_progress
from nand_edge_export.tensors import require_finite

PROJECTED_WIDTH = 128
_POOL = 16384
# Rows of one matrix product; they share the oldest of their bounds, so few of them must catch up with too much.
_ROWS = 512
_COLUMNS = 2048
# On integers up to this length, squares of distances stay below 2^24, so float32 holds all sums of them exactly.
_LONGEST = 2000.0
_SHORTEST = 1e-30  # Patches that are all alike have no length to divide by.
_TAKEN = -1.0


def random_projection(width: int, *, seed: int = 0) -> torch.Tensor:
    """Gaussian projection that keeps distances nearly (Johnson and Lindenstrauss) and makes them cheap.

    Returns:
        float32 [width, min(width, 128)]; the identity where there is nothing to gain.
    """
    if width <= PROJECTED_WIDTH:
        return torch.eye(width)
    generator = torch.Generator().manual_seed(seed)
    projection: torch.Tensor = torch.randn(width, PROJECTED_WIDTH, generator=generator) / PROJECTED_WIDTH**0.5
    return projection


def greedy_coreset(
    patches: torch.Tensor,
    count: int,
    *,
    beside: torch.Tensor | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> torch.Tensor:
    """Choose `count` patches, each time the one farthest from all chosen so far; of equally far ones the first.

    Distances are measured between integers (`on_grid`), where float32 is exact: the choice depends neither on the
    processor nor on the number of threads. Patches wider than 128 should go through `random_projection` before.

    Args:
        patches: float32 [P, C].
        count: How many to choose; with `count >= P`, all are chosen.
        beside: float32 [Q, C], patches that are there already and that all choices must be far from; without them the
            first choice is random.
        seed: Of the first choice.
        progress: Told how many are chosen.

    Returns:
        int64 [min(count, P)], different indices into `patches`, in the order of choice.

    Raises:
        NandEdgeError: A patch has NaN or infinity in it.
    """
    total = len(patches)
    if count >= total:
        return torch.arange(total)
    given = patches[:0] if beside is None else beside
    require_finite({"features": patches, "memory": given}, "patches of the good frames")
    points = on_grid(torch.cat([patches, given]))
    cover = _Cover(points[:total], points[total:], count)
    if beside is None:
        cover.take(int(torch.randint(total, (), generator=torch.Generator().manual_seed(seed))))
    while len(cover.chosen) < count:
        cover.advance(count)
        progress("coreset", len(cover.chosen), count)
    return torch.tensor(cover.chosen)


def on_grid(patches: torch.Tensor) -> torch.Tensor:
    """Centre features and round them to integers, 2,000 being the length of the longest; float32 like `patches`."""
    centred = patches - patches.mean(dim=0)
    longest = torch.linalg.vector_norm(centred, dim=1).max()
    grid: torch.Tensor = centred.mul_(_LONGEST / longest.clamp(min=_SHORTEST)).round_()
    return grid


class _Cover:
    """Points and the centres that cover them, with an upper bound of each point's distance to its nearest centre.

    Attributes:
        chosen: Indices of the points that were taken, in their order.
    """

    def __init__(self, points: torch.Tensor, centres: torch.Tensor, count: int) -> None:
        self.chosen: list[int] = []
        self._points, self._squares = points, points.square().sum(dim=1)
        # All squares of distances are |x|^2 + |c|^2 - 2 x.c, exact on the grid.
        self._centres = torch.cat([centres, centres.new_zeros(count, centres.shape[1])])
        self._centre_squares = self._centres.square().sum(dim=1)
        self._known = len(centres)
        self._bound = torch.full((len(points),), torch.inf)
        self._seen = torch.zeros(len(points), dtype=torch.int64)

    def take(self, point: int) -> None:
        """Make a point a centre."""
        self.chosen.append(point)
        self._centres[self._known] = self._points[point]
        self._centre_squares[self._known] = self._squares[point]
        self._known += 1
        self._bound[point] = _TAKEN

    def advance(self, count: int) -> None:
        """Take the next points as long as no point outside the pool of the highest bounds can be next."""
        highest = self._bound.topk(min(_POOL, len(self._bound)), sorted=False).values
        level = highest.min()
        pool = (self._bound >= level).nonzero().flatten()
        self._catch_up(pool)
        pool = pool[self._bound[pool] >= level]
        if len(pool):
            self._take_from(pool, level, count)

    def _catch_up(self, pool: torch.Tensor) -> None:
        """Make the bounds of some points the distances to the nearest of all centres."""
        seen, order = self._seen[pool].sort()
        pool = pool[order]
        for part, oldest in zip(pool.split(_ROWS), seen[::_ROWS].tolist(), strict=True):
            rows = self._points[part]
            for start in range(oldest, self._known, _COLUMNS):
                columns = slice(start, min(start + _COLUMNS, self._known))
                reached = torch.addmm(self._centre_squares[columns], rows, self._centres[columns].T, alpha=-2.0)
                nearest = reached.amin(dim=1).add_(self._squares[part])
                self._bound[part] = torch.minimum(self._bound[part], nearest)
        self._seen[pool] = self._known

    def _take_from(self, pool: torch.Tensor, level: torch.Tensor, count: int) -> None:
        points, squares, nearest = self._points[pool], self._squares[pool], self._bound[pool]
        while len(self.chosen) < count:
            place = nearest.argmax()
            if nearest[place] < level:
                break
            self.take(int(pool[place]))
            reached = torch.addmv(squares, points, points[place], alpha=-2.0).add_(squares[place])
            torch.minimum(nearest, reached, out=nearest)
            nearest[place] = _TAKEN
        self._bound[pool] = nearest
        self._seen[pool] = self._known
