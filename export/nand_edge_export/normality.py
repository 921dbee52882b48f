"""From words to a normality: phrases, prompts and text features."""

from __future__ import annotations

from collections.abc import Sequence

from nand_edge.from_words import normality_from_words
from nand_edge.normality import Normality
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
    return normality_from_words(
        clip.text_features,
        text,
        object_name,
        name=name,
        clip_sha256=clip.sha256,
        clip_model=clip.name,
        phrases=phrases,
        phrases_from=phrases_from,
    )
