"""From words to a normality: phrases, prompts and text features, wherever the text tower runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nand_edge.normality import Normality
from nand_edge.phrases import phrases_for
from nand_edge.prompts import april_gan_normal, normality_prompts

TextFeatures = Callable[[Sequence[str]], NDArray[np.float32]]
"""Mean of the prompts' unit text features, again of length 1: float32 [D]."""


def normality_from_words(
    text_features: TextFeatures,
    text: str,
    object_name: str,
    *,
    name: str,
    clip_sha256: str,
    clip_model: str,
    phrases: Sequence[str] | None = None,
    phrases_from: str = "typed",
) -> Normality:
    """Embed a normality in the paper's form.

    Args:
        text_features: The text tower.
        text: What is to count as normal, in words.
        object_name: What is inspected.
        name: The normality's short name.
        clip_sha256: Hash of the CLIP that the text tower belongs to.
        clip_model: That CLIP's name.
        phrases: State-level phrases; None derives them from the words by rule.
        phrases_from: Where `phrases` come from.

    Raises:
        NandEdgeError: The words, the object or the phrases cannot be used.
    """
    states = tuple(phrases) if phrases else phrases_for(text, object_name)
    prompts = normality_prompts(states)
    features = np.stack([text_features(april_gan_normal(object_name)), text_features(prompts)])
    return Normality(
        name=name,
        text=text,
        object_name=object_name,
        phrases=states,
        phrases_from=phrases_from if phrases else "rules",
        prompts=tuple(prompts),
        clip_sha256=clip_sha256,
        clip_model=clip_model,
        features=features[None, :, None, :],
        bias=np.zeros((1, 2, 1), np.float32),
    )
