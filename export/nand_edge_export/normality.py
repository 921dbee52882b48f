"""From words to a normality: phrases, prompts and text features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nand_edge.normality import Normality
from nand_edge.phrases import phrases_for
from nand_edge.prompts import april_gan_normal, normality_prompts
from nand_edge_export.clip import Clip


def make_normality(
    clip: Clip,
    text: str,
    object_name: str,
    *,
    name: str,
    phrases: Sequence[str] | None = None,
    phrases_from: str = "typed",
) -> Normality:
    """Embed a normality.

    Args:
        clip: The CLIP whose text tower embeds it.
        text: What is to count as normal, in words.
        object_name: What is inspected.
        name: The normality's short name.
        phrases: State-level phrases; None derives them from the words by rule.
        phrases_from: Where `phrases` come from.

    Raises:
        NandEdgeError: The words, the object or the phrases cannot be used.
    """
    states = tuple(phrases) if phrases else phrases_for(text, object_name)
    prompts = normality_prompts(states)
    text_features = np.stack([clip.text_features(april_gan_normal(object_name)), clip.text_features(prompts)])
    return Normality(
        name=name,
        text=text,
        object_name=object_name,
        phrases=states,
        phrases_from=phrases_from if phrases else "rules",
        prompts=tuple(prompts),
        clip_sha256=clip.sha256,
        clip_model=clip.name,
        features=text_features[None, :, None, :],
        bias=np.zeros((1, 2, 1), np.float32),
    )
