from __future__ import annotations

import pytest
import torch

from nand_edge.suppression import NormalityTensors, normality_map
from nand_tiny.losses import apart_loss, contrast_loss, map_logits, map_loss, quiet
from nand_tiny.model import LOGIT_SCALE

SIZE = 12


def masks() -> torch.Tensor:
    """One picture, two kinds: a square of the first, none of the second."""
    made = torch.zeros(1, 2, SIZE, SIZE)
    made[0, 0, 3:7, 3:7] = 1.0
    return made


def logits(inside: float, outside: float, absent: float) -> torch.Tensor:
    values = torch.full((1, 2, SIZE, SIZE), absent)
    values[0, 0] = torch.where(masks()[0, 0] > 0, inside, outside)
    return values


def test_the_maps_of_training_are_those_of_the_method() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.nn.functional.normalize(torch.randn(2, 16, 4, 6, generator=generator), dim=1)
    texts = torch.nn.functional.normalize(torch.randn(3, 16, generator=generator), dim=-1)
    found = map_logits(tokens, texts[1:], texts[0], SIZE).sigmoid()
    features = torch.stack([torch.stack([texts[0], added]) for added in texts[1:]]).numpy()
    flat = tokens.flatten(2).transpose(1, 2).numpy()
    normalities = NormalityTensors.of_text(features, 1)
    expected = normality_map([flat], [(4, 6)], normalities, logit_scale=LOGIT_SCALE, map_size=SIZE)
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "worse",
    [logits(-4.0, -4.0, -4.0), logits(4.0, 4.0, -4.0), logits(4.0, -4.0, 4.0)],
    ids=["silent on the defect", "loud everywhere", "loud for an absent kind"],
)
def test_a_map_that_names_the_right_place_alone_costs_least(worse: torch.Tensor) -> None:
    assert map_loss(logits(4.0, -4.0, -4.0), masks()) < map_loss(worse, masks())


def test_a_single_loud_place_is_heard() -> None:
    silent = torch.full((1, 10, 10), -6.0)
    loud = silent.clone()
    loud[0, 5, 5] = 6.0
    assert quiet(loud) > quiet(silent) + 5.0


def test_contrast_and_apartness_reward_the_right_partner() -> None:
    features = torch.eye(4)
    scale = torch.tensor(10.0)
    assert contrast_loss(features, features, scale) < contrast_loss(features, features.roll(1, 0), scale)
    assert apart_loss(torch.stack([features, features], dim=1)) < apart_loss(torch.ones(4, 2, 4) / 2)
