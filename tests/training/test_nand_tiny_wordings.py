"""The texts must tell the kinds of defects apart."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nand_tiny.defects import KINDS
from nand_tiny.vocabulary import VOCABULARY
from nand_tiny.wordings import HELD_OUT_WORDINGS, WORDINGS, caption, object_nouns, with_article


def bare(phrase: str) -> str:
    return phrase.lower().removeprefix("a ").removeprefix("an ").removeprefix("the ")


def test_every_kind_has_enough_wordings() -> None:
    assert set(WORDINGS) == set(HELD_OUT_WORDINGS) == set(KINDS)
    assert min(len(set(phrases)) for phrases in WORDINGS.values()) >= 24
    assert min(len(set(phrases)) for phrases in HELD_OUT_WORDINGS.values()) >= 6


def test_no_wording_names_two_kinds() -> None:
    owners = Counter(
        phrase
        for kind in KINDS
        for phrase in {bare(p) for p in (*WORDINGS[kind], *HELD_OUT_WORDINGS[kind], *VOCABULARY[kind].states)}
    )
    assert [phrase for phrase, count in owners.items() if count > 1] == []


def test_held_out_wordings_are_never_trained() -> None:
    for kind in KINDS:
        trained = {bare(phrase) for phrase in WORDINGS[kind]}
        assert [phrase for phrase in HELD_OUT_WORDINGS[kind] if bare(phrase) in trained] == []


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("crack", "a crack"),
        ("oil stain", "an oil stain"),
        ("several dots", "several dots"),
        ("debris", "debris"),
        ("glass", "glass"),
        ("pile of crumbs", "a pile of crumbs"),
        ("loose threads", "loose threads"),
    ],
)
def test_article(phrase: str, expected: str) -> None:
    assert with_article(phrase) == expected


def test_captions_name_object_and_defects() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        text = caption(rng, "carpet", ["crack", "stain"], wordings={"crack": ["rift"], "stain": ["blotchy mess"]})
        assert "rift" in text
        assert "blotchy mess" in text
        assert "{" not in text
        assert "carpet" in caption(rng, "carpet", [])
    assert {"object", "solar cell", "carpet"} <= set(object_nouns())
