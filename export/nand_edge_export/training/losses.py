"""The losses of the official recipe, on one tap's map: focal against missed pixels, dice against missed regions."""

from __future__ import annotations

import torch

FOCAL_EXPONENT = 2.0
FOCAL_SMOOTHING = 1e-5
DICE_SMOOTHING = 1.0


def map_loss(probability: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Focal plus dice, as the official release adds them up for every tap.

    Args:
        probability: Of the defect, float32 [N, S, S] in [0, 1].
        mask: 1 where the defect is, else 0, float32 [N, S, S].
    """
    return focal(probability, mask) + dice(probability, mask)


def focal(probability: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of `-(1 - p)^2 log p` over all pixels, p being the probability of the pixel's true class.

    Lin et al. 2017 without class weights; the true class is smoothed by 1e-5 as in the official release, which keeps
    the logarithm finite.
    """
    right = torch.where(mask > 0.5, probability, 1.0 - probability)
    smooth = (1.0 - FOCAL_SMOOTHING) * right + FOCAL_SMOOTHING * (1.0 - right) + FOCAL_SMOOTHING
    return -((1.0 - smooth) ** FOCAL_EXPONENT * smooth.log()).mean()


def dice(probability: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One minus the overlap `(2 |P M| + 1) / (|P| + |M| + 1)`, mean over the images (Milletari et al. 2016)."""
    overlap = 2.0 * (probability * mask).sum(dim=(1, 2)) + DICE_SMOOTHING
    return (1.0 - overlap / (probability.sum(dim=(1, 2)) + mask.sum(dim=(1, 2)) + DICE_SMOOTHING)).mean()
