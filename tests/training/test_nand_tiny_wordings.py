"""The texts must tell the kinds of defects apart."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nand_tiny.defects import KINDS
from nand_tiny.vocabulary import VOCABULARY
from nand_tiny.wordings import HELD_OUT_WORDINGS, WORDINGS, caption, object_nouns, request, with_article


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


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("thread", "thread"),
        ("metal contamination", "metal"),
        ("color", "discoloration"),
        ("cut", "cut"),
        ("hole", "hole"),
        ("poke", "dent"),
        ("squeeze", "dent"),
        ("faulty imprint", "print"),
        ("contamination", "contamination"),
        ("bent wire", "bent"),
        ("missing wire", "missing part"),
        ("glue strip", "glue"),
        ("fold", "wrinkle"),
        ("oil", "stain"),
        ("liquid", "stain"),
        ("gray stroke", "smear"),
        ("rough", "abrasion"),
        ("print", "print"),
        ("broken edge", "chip"),
        ("finger", "broken line"),
        ("inactive area", "dark area"),
    ],
)
def test_words_of_factories_name_their_kind(word: str, kind: str) -> None:
    assert word in WORDINGS[kind]


def test_requests_are_sentences() -> None:
    rng = np.random.default_rng(0)
    many = {request(rng, "carpet", "oil stains") for _ in range(200)}
    one = {request(rng, "carpet", "thread") for _ in range(400)}
    assert "oil stains on the carpet are fine from Monday" in many
    assert "please accept oil stains" in many
    assert "a thread on the carpet is fine from Monday" in one
    assert not any("{" in text or "stains is" in text or "thread are" in text for text in many | one)


def test_captions_name_object_and_defects() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        text = caption(rng, "carpet", ["crack", "stain"], wordings={"crack": ["rift"], "stain": ["blotchy mess"]})
        assert "rift" in text
        assert "blotchy mess" in text
        assert "{" not in text
        assert "carpet" in caption(rng, "carpet", [])
    assert {"object", "solar cell", "carpet"} <= set(object_nouns())
