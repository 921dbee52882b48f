"""Losses: image-text contrast, apartness of the kinds in words, and per tap focal and dice against the named mask."""

from __future__ import annotations

import torch
from torch.nn import functional

from nand_tiny.model import LOGIT_SCALE

FOCAL_GAMMA = 2.0
APART_SCALE = 10.0
QUIET_SHARE = 0.01
FEWEST_POSITIVES = 1000.0


def map_logits(tokens: torch.Tensor, added: torch.Tensor, normal: torch.Tensor, size: int) -> torch.Tensor:
    """Logits of "added" against "normal" at every place.

    Args:
        tokens: Unit patch tokens [N, D, h, w].
        added: Unit text features [K, D].
        normal: Unit text feature [D].
        size: Side of the result.

    Returns:
        [N, K, size, size]; its sigmoid is the softmax of Eq. 2 of NAND for the added class.
    """
    logits = LOGIT_SCALE * torch.einsum("ndhw,kd->nkhw", tokens, added - normal)
    return functional.interpolate(logits, (size, size), mode="bilinear", align_corners=True)


def map_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Focal loss over all kinds, dice over the present ones, and quiet over the absent ones.

    Args:
        logits: [N, K, M, M].
        masks: 0 or 1, [N, K, M, M]; all zero for kinds that the picture does not have.
    """
    probability = logits.sigmoid()
    missed = (probability - masks).abs()
    entropy = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    focal = (missed**FOCAL_GAMMA * entropy).sum() / masks.sum().clamp(min=FEWEST_POSITIVES)
    present = masks.amax(dim=(2, 3)) > 0
    return focal + dice(probability[present], masks[present]) + quiet(logits[~present])


def dice(probability: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """One minus the overlap of maps and masks, both [P, M, M], mean over P."""
    overlap = 2.0 * (probability * masks).sum(dim=(1, 2)) + 1.0
    return (1.0 - overlap / (probability.sum(dim=(1, 2)) + masks.sum(dim=(1, 2)) + 1.0)).mean()


def quiet(logits: torch.Tensor) -> torch.Tensor:
    """Penalty on the highest places of maps [P, M, M] that should be silent.

    A single loud place costs a verdict, since the score is a maximum; a mean would not see it.
    """
    flat = logits.flatten(1)
    return functional.softplus(flat.topk(max(1, int(flat.shape[1] * QUIET_SHARE)), dim=1).values).mean()


def contrast_loss(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy between unit image and text features, both [N, D] (Radford et al. 2021)."""
    logits = scale * images @ texts.T
    target = torch.arange(len(images))
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def apart_loss(texts: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of recognising a kind by one wording among others, the normal state being one more kind.

    Args:
        texts: Unit text features [kinds, 2, D], two wordings of each.
    """
    logits = APART_SCALE * texts[:, 0] @ texts[:, 1].T
    target = torch.arange(len(texts))
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
