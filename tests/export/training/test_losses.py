from __future__ import annotations

import pytest
import torch

from nand_edge_export.training.losses import dice, focal, map_loss


def square() -> torch.Tensor:
    mask = torch.zeros(2, 12, 12)
    mask[0, 3:7, 3:7] = 1.0
    return mask


def test_focal_is_the_releases_of_a_softmax_over_two_classes() -> None:
    logits = torch.randn(2, 2, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    classes, mask = logits.softmax(dim=1), square().double()
    # The release's arithmetic: smoothed one-hot classes times probabilities, plus the smoothing once more.
    one_hot = torch.stack([1 - mask, mask], dim=1).clamp(1e-5, 1 - 1e-5)
    right = (one_hot * classes).sum(dim=1) + 1e-5
    expected = (-((1 - right) ** 2) * right.log()).mean()
    torch.testing.assert_close(focal(classes[:, 1], mask), expected, atol=1e-12, rtol=0)


def test_dice_is_one_minus_the_overlap() -> None:
    probability = torch.zeros(2, 12, 12)
    probability[0, 3:7, 3:5] = 1.0
    assert float(dice(probability, square())) == pytest.approx(1 - (17 / 25 + 1) / 2)


@pytest.mark.parametrize("worse", [torch.zeros(2, 12, 12), torch.ones(2, 12, 12), 1 - square()])
def test_a_map_of_the_very_defect_costs_least(worse: torch.Tensor) -> None:
    assert float(map_loss(square(), square())) == pytest.approx(0.0, abs=1e-3)
    assert float(map_loss(worse, square())) > 0.4


def test_certain_and_wrong_stays_finite_and_has_a_gradient() -> None:
    probability = torch.zeros(1, 4, 4, requires_grad=True)
    loss = map_loss(probability, torch.ones(1, 4, 4))
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert probability.grad is not None
    assert bool((probability.grad < 0).all())
