from __future__ import annotations

import torch

from nand_edge_export.detectors.coreset import greedy_coreset


def covering_radius(patches: torch.Tensor, chosen: torch.Tensor) -> float:
    return float(torch.cdist(patches, patches[chosen]).amin(dim=1).max())


def test_a_rare_kind_of_patch_is_never_forgotten() -> None:
    generator = torch.Generator().manual_seed(0)
    common, rare = torch.randn(2000, 160, generator=generator), torch.randn(3, 160, generator=generator) + 9.0
    chosen = greedy_coreset(torch.cat([common, rare]), 20)
    assert bool((chosen >= 2000).any())


def test_it_covers_better_than_a_random_choice() -> None:
    patches = torch.randn(3000, 8, generator=torch.Generator().manual_seed(1))
    assert covering_radius(patches, greedy_coreset(patches, 100)) < 0.8 * covering_radius(patches, torch.arange(100))


def test_each_step_takes_the_patch_farthest_from_all_before() -> None:
    patches = torch.randn(200, 8, generator=torch.Generator().manual_seed(2))
    chosen = greedy_coreset(patches, 12)
    for step in range(1, 12):
        nearest = torch.cdist(patches, patches[chosen[:step]]).amin(dim=1)
        assert float(nearest[chosen[step]]) >= float(nearest.max()) - 1e-4


def test_the_same_seed_gives_the_same_choice_and_no_patch_twice() -> None:
    patches = torch.randn(500, 160, generator=torch.Generator().manual_seed(3))
    first = greedy_coreset(patches, 50, seed=7)
    assert first.tolist() == greedy_coreset(patches, 50, seed=7).tolist()
    assert len(set(first.tolist())) == 50
    assert len(set(greedy_coreset(torch.zeros(60, 8), 50).tolist())) == 50


def test_a_memory_larger_than_the_candidates_takes_all() -> None:
    assert greedy_coreset(torch.zeros(5, 3), 9).tolist() == [0, 1, 2, 3, 4]
