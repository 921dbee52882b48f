"""Which phrases a normality gets: those that the user typed, those of a language model, or those of the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from nand_edge.errors import NandEdgeError
from nand_edge.phrases import phrases_for
from nand_edge_export.language_model import LanguageModel, approve, require_approver

RULES = "rules"
TYPED = "typed"


class ChosenPhrases(NamedTuple):
    """Phrases and where they come from: "rules", "typed", "language model NAME" or "language model NAME, edited"."""

    phrases: tuple[str, ...]
    source: str


def choose_phrases(
    text: str,
    object_name: str,
    *,
    typed: Sequence[str] | None = None,
    language_model: LanguageModel | None = None,
    approved: bool = False,
) -> ChosenPhrases:
    """Choose the phrases of a normality; only a language model is asked over the network, and the user approves it.

    Args:
        text: What is to count as normal, in words.
        object_name: What is inspected.
        typed: The user's own phrases.
        language_model: Whom to ask; None for the rules.
        approved: Whether its phrases are taken as they come, without asking at the terminal.

    Raises:
        NandEdgeError: The words cannot be used, there are two sources, or the language model's phrases are none or not
            approved.
    """
    if typed and language_model:
        raise NandEdgeError(
            "phrases", found="--phrase and --llm-url", needed="one source of phrases", do="leave one of them out"
        )
    if typed:
        return ChosenPhrases(tuple(typed), TYPED)
    if language_model is None:
        return ChosenPhrases(phrases_for(text, object_name), RULES)
    require_approver(approved=approved)
    with Console(stderr=True).status(Text(f"asking {language_model.name} at {language_model.url}")):
        offered = language_model.phrases_for(text, object_name)
    phrases = offered if approved else approve(offered)
    return ChosenPhrases(phrases, f"language model {language_model.name}{'' if phrases == offered else ', edited'}")
