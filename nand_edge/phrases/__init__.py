"""Phrases: offline rules that turn a user's words into short descriptions of a defect of that kind in that object."""

from __future__ import annotations

from nand_edge.phrases.english import singular, with_article
from nand_edge.phrases.sentences import MAX_CHARACTERS, clean_object, defects_in, without_talk
from nand_edge.phrases.wording import Inspected, wordings

__all__ = ["MAX_CHARACTERS", "MAX_PHRASES", "phrases_for", "without_talk"]

MAX_PHRASES = 10


def phrases_for(text: str, object_name: str, *, rejected: bool = False) -> tuple[str, ...]:
    """State-level phrases for a defect that is to count as normal (the offline rule of step 1 of NAND).

    >>> phrases_for("dark stain", "solar cell")[:2]
    ('solar cell with a dark stain', 'solar cell with dark stains')

    Args:
        text: The user's words: a defect ("scratches on the head"), a state ("torn"), or a sentence around one
            ("thread on the carpet is fine from Monday"). At most 200 characters; "crack and dent" names two defects,
            and what comes after the third is left out.
        object_name: What is inspected ("solar cell").
        rejected: Whether the words name what must still be rejected ("cracks are never ok") in the place of what is
            fine; the bare name of a defect does for both.

    Returns:
        4 to 10 different phrases in lower case; every one of them names the object, in the singular.

    Raises:
        NandEdgeError: A text is blank, too long, has control characters or no letters, names no defect, asks for the
            opposite ("cracks are not ok"), or has an exception or a condition ("stains, but not on the edge").
    """
    name = singular(clean_object(object_name))
    inspected = Inspected(name, with_article(name))
    each = [wordings(defect, inspected) for defect in defects_in(text, name, rejected=rejected)]
    # Taken in turn, so that each of several defects keeps its best phrases below the limit.
    longest = max(len(phrases) for phrases in each)
    in_turn = [phrases[turn] for turn in range(longest) for phrases in each if turn < len(phrases)]
    return tuple(dict.fromkeys(in_turn))[:MAX_PHRASES]
