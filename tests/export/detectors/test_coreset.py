from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge_export.detectors import coreset
from nand_edge_export.detectors.coreset import greedy_coreset, on_grid, random_projection


def literally(patches: torch.Tensor, count: int, *, beside: torch.Tensor | None = None) -> list[int]:
    """Algorithm 1 word for word, in integers: each step looks at all patches."""
    given_too = patches[:0] if beside is None else beside
    points = on_grid(torch.cat([patches, given_too])).numpy().astype(np.int64)
    points, centres = points[: len(patches)], points[len(patches) :]
    nearest = np.full(len(points), np.iinfo(np.int64).max)
    for centre in centres:
        nearest = np.minimum(nearest, ((points - centre) ** 2).sum(axis=1))
    chosen: list[int] = []
    if beside is None:
        chosen.append(int(torch.randint(len(points), (), generator=torch.Generator().manual_seed(0))))
        nearest = ((points - points[chosen[0]]) ** 2).sum(axis=1)
        nearest[chosen[0]] = -1
    while len(chosen) < count:
        farthest = int(nearest.argmax())
        chosen.append(farthest)
        nearest = np.minimum(nearest, ((points - points[farthest]) ** 2).sum(axis=1))
        nearest[farthest] = -1
    return chosen


def covering_radius(patches: torch.Tensor, chosen: torch.Tensor) -> float:
    return float(torch.cdist(patches, patches[chosen]).amin(dim=1).max())


@pytest.fixture
def small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few patches at a time that small inputs go through all that large ones do."""
    monkeypatch.setattr(coreset, "_POOL", 5)
    monkeypatch.setattr(coreset, "_ROWS", 3)
    monkeypatch.setattr(coreset, "_COLUMNS", 4)


@pytest.mark.usefixtures("small_pool")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_choice_is_the_literal_one_whatever_is_equal_or_equally_far(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    number = st.integers(-3, 3)  # So few values that patches are often equal, and often equally far.
    rows = data.draw(st.lists(st.lists(number, min_size=width, max_size=width), min_size=2, max_size=40))
    patches = torch.tensor(rows, dtype=torch.float32)
    count = data.draw(st.integers(1, len(rows) - 1))
    there = data.draw(st.lists(st.lists(number, min_size=width, max_size=width), min_size=1, max_size=6))
    beside = data.draw(st.sampled_from([None, torch.tensor(there, dtype=torch.float32)]))
    assert greedy_coreset(patches, count, beside=beside).tolist() == literally(patches, count, beside=beside)


@pytest.mark.parametrize("width", [3, 30, 128])
def test_the_choice_is_the_literal_one_among_thousands(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr(coreset, "_POOL", 256)
    generator = torch.Generator().manual_seed(width)
    patches = torch.randn(6000, width, generator=generator) * torch.rand(6000, 1, generator=generator)
    assert greedy_coreset(patches, 300).tolist() == literally(patches, 300)


def test_on_the_grid_all_sums_are_exact_in_any_order() -> None:
    points = on_grid(torch.randn(400, 1536, generator=torch.Generator().manual_seed(0)) * 1e-6 + 1.0)
    whole = points.double()
    assert float(torch.cdist(whole, whole).square().max()) < 2**24
    torch.testing.assert_close((points @ points.T).double(), whole @ whole.T, rtol=0, atol=0)
    assert float(whole.square().sum(dim=1).max()) > 0.9 * 2000**2


def test_the_projection_keeps_distances_nearly() -> None:
    patches = torch.randn(200, 1536, generator=torch.Generator().manual_seed(0))
    projected = patches @ random_projection(1536)
    assert projected.shape == (200, 128)
    apart = torch.pdist(projected) / torch.pdist(patches)
    assert 0.7 < float(apart.min()) < float(apart.max()) < 1.3
    torch.testing.assert_close(random_projection(40), torch.eye(40))


def test_what_is_there_already_is_not_chosen_again() -> None:
    generator = torch.Generator().manual_seed(0)
    known, new = torch.randn(500, 20, generator=generator), torch.randn(5, 20, generator=generator) + 9.0
    chosen = greedy_coreset(torch.cat([known, new]), 5, beside=known)
    assert sorted(chosen.tolist()) == [500, 501, 502, 503, 504]


def test_a_rare_kind_of_patch_is_never_forgotten() -> None:
    generator = torch.Generator().manual_seed(0)
    common, rare = torch.randn(2000, 160, generator=generator), torch.randn(3, 160, generator=generator) + 9.0
    chosen = greedy_coreset(torch.cat([common, rare]), 20)
    assert bool((chosen >= 2000).any())


def test_it_covers_better_than_a_random_choice() -> None:
    patches = torch.randn(3000, 8, generator=torch.Generator().manual_seed(1))
    assert covering_radius(patches, greedy_coreset(patches, 100)) < 0.8 * covering_radius(patches, torch.arange(100))


def test_the_same_seed_gives_the_same_choice_and_no_patch_twice() -> None:
    patches = torch.randn(500, 160, generator=torch.Generator().manual_seed(3))
    first = greedy_coreset(patches, 50, seed=7)
    assert first.tolist() == greedy_coreset(patches, 50, seed=7).tolist()
    assert len(set(first.tolist())) == 50
    assert len(set(greedy_coreset(torch.zeros(60, 8), 50).tolist())) == 50


def test_a_memory_larger_than_the_candidates_takes_all() -> None:
    assert greedy_coreset(torch.zeros(5, 3), 9).tolist() == [0, 1, 2, 3, 4]


def test_patches_that_are_no_numbers_are_refused() -> None:
    patches = torch.zeros(50, 4)
    patches[7, 2] = torch.nan
    with pytest.raises(NandEdgeError, match="NaN or infinity"):
        greedy_coreset(patches, 5)
