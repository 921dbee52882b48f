"""Texts for training and testing: noun phrases for every kind of defect, and captions for whole pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .noise import chance
from .surfaces import SURFACES
from .vocabulary import VOCABULARY, Vocabulary

GENERIC_NOUNS = (
    "object",
    "part",
    "product",
    "surface",
    "component",
    "item",
    "sample",
    "workpiece",
    "material",
    "panel",
    "texture",
    "solar cell",
)

DETERMINERS = frozenset({"a", "an", "the", "several", "some", "many", "two", "few", "multiple"})
UNCOUNTABLE = frozenset(
    {
        "abrasion",
        "adhesive",
        "color",
        "corrosion",
        "dirt",
        "fluff",
        "galling",
        "grease",
        "lint",
        "oil",
        "oxidation",
        "rust",
        "string",
        "swarf",
        "tarnish",
        "water",
        "wear",
        "roughness",
        "cardboard",
        "denim",
        "linen",
        "jersey",
        "air",
        "breakage",
        "chipping",
        "colour",
        "contamination",
        "contact",
        "damage",
        "debris",
        "discoloration",
        "dust",
        "dye",
        "fading",
        "glass",
        "glue",
        "grit",
        "lettering",
        "liquid",
        "litter",
        "material",
        "matter",
        "metal",
        "paint",
        "print",
        "puckering",
        "residue",
        "sawdust",
        "scorching",
        "sealant",
        "text",
        "waviness",
        "writing",
        "blistering",
        "yarn",
        "foil",
        "fabric",
        "wood",
        "leather",
        "felt",
        "concrete",
        "paper",
        "granite",
        "marble",
        "plastic",
        "rubber",
        "stone",
        "terrazzo",
        "knitwear",
        "fleece",
        "foam",
        "cloth",
        "parquet",
        "veneer",
        "cast iron",
        "planks",
    }
)
PREPOSITIONS = frozenset(
    {
        "in",
        "on",
        "of",
        "from",
        "with",
        "along",
        "across",
        "at",
        "over",
        "by",
        "out",
        "lying",
        "running",
        "made",
        "going",
        "inside",
        "that",
        "through",
    }
)

DAMAGED_FRAMES = (
    "a photo of {noun} with {defects}",
    "a close-up photo of {noun} with {defects}",
    "{noun} with {defects}",
    "a grey image of {noun} showing {defects}",
    "{noun} that has {defects}",
    "{defects} on {noun}",
    "an inspection image of {noun} with {defects}",
    "on {noun} one can see {defects}",
    "{damaged} with {defects}",
    "{damaged}: {defects}",
    "{defects}",
    "a microscope picture of {noun}, {defects} visible",
)
FLAWLESS_FRAMES = (
    "a photo of {flawless}",
    "{flawless}",
    "{noun} without any defect",
    "a close-up photo of {flawless}",
    "a photo of {noun} in good condition",
    "{noun}, no damage",
    "an inspection image of {flawless}",
    "{noun} as it should be",
    "a grey image of {flawless}",
)
REQUESTS = (
    "please accept {wording}",
    "{wording} {are} fine",
    "{wording} {are} fine from now on",
    "{wording} on the {noun} {are} fine from Monday",
    "{wording} on the {noun} {are} allowed",
    "{wording} {are} no longer a defect",
    "{wording} {count} as normal from today",
    "we accept {noun} with {wording}",
    "ignore {wording}",
    "do not reject {noun} because of {wording}",
    "{wording} should pass",
    "the customer tolerates {wording}",
    "from next week {wording} {are} acceptable",
    "{noun} may have {wording}",
    "let {wording} through",
    "there may be {wording} on the {noun}",
    "{wording} {are} part of the new material",
    "our new {noun} {has} {wording}",
)
"""How people say that a kind of defect no longer matters."""

DAMAGED = ("damaged", "defective", "faulty", "flawed")
FLAWLESS = ("flawless", "perfect", "intact", "clean and undamaged", "normal", "faultless", "unblemished", "good")


def without_article(phrase: str) -> str:
    """Return a phrase without a leading article."""
    return phrase.removeprefix("a ").removeprefix("an ").removeprefix("the ")


def combine(words: Vocabulary) -> tuple[str, ...]:
    """Return all training phrases of one kind, without those kept for testing."""
    crossed = [f"{adjective} {noun}" for noun in words.nouns for adjective in words.adjectives if adjective not in noun]
    # Nouns that name the kind only together with their adjective ("broken finger") never stand alone.
    alone = [] if words.adjectives[0] in ("broken", "bent", "missing") else list(words.nouns)
    kept = {without_article(phrase) for phrase in words.held_out}
    phrases = dict.fromkeys([*alone, *words.phrases, *crossed])
    return tuple(phrase for phrase in phrases if without_article(phrase) not in kept)


WORDINGS: dict[str, tuple[str, ...]] = {kind: combine(words) for kind, words in VOCABULARY.items()}
HELD_OUT_WORDINGS: dict[str, tuple[str, ...]] = {kind: words.held_out for kind, words in VOCABULARY.items()}


def is_plural(phrase: str) -> bool:
    """Return whether the deciding noun of a phrase is a plural."""
    noun = _deciding_noun(phrase)
    return noun.endswith("s") and not noun.endswith(("ss", "us", "is"))


def _deciding_noun(phrase: str) -> str:
    # The word that decides about the article and the verb stands before the first preposition.
    words = phrase.split()
    head = next((place for place, word in enumerate(words) if word in PREPOSITIONS), len(words))
    return words[max(head - 1, 0)]


def request(rng: np.random.Generator, noun: str, wording: str) -> str:
    """Return a sentence that asks to accept a kind of defect."""
    many = is_plural(wording)
    return pick(rng, REQUESTS).format(
        wording=wording if chance(rng, 0.5) else with_article(wording),
        noun=noun,
        are="are" if many else "is",
        count="count" if many else "counts",
        has="have" if is_plural(noun) else "has",
    )


def with_article(phrase: str) -> str:
    """Put "a" or "an" before a singular phrase that has no article or number."""
    words = phrase.split()
    if words[0] in DETERMINERS or is_plural(phrase) or _deciding_noun(phrase) in UNCOUNTABLE:
        return phrase
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    """Return one of the choices."""
    return choices[int(rng.integers(len(choices)))]


def caption(
    rng: np.random.Generator, noun: str, kinds: Sequence[str], *, wordings: Mapping[str, Sequence[str]] = WORDINGS
) -> str:
    """Return a sentence that names the object and every kind of defect on it (or that it is flawless)."""
    named = with_article(noun)
    if not kinds:
        flawless = with_article(f"{pick(rng, FLAWLESS)} {noun}")
        return pick(rng, FLAWLESS_FRAMES).format(noun=named, flawless=flawless)
    if len(kinds) == 1 and wordings is WORDINGS and chance(rng, 0.12):
        return f"{noun}, {pick(rng, VOCABULARY[kinds[0]].states)}"
    order = [kinds[int(place)] for place in rng.permutation(len(kinds))]
    phrases = [with_article(pick(rng, wordings[kind])) for kind in order]
    listed = phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]
    damaged = with_article(f"{pick(rng, DAMAGED)} {noun}")
    return pick(rng, DAMAGED_FRAMES).format(noun=named, damaged=damaged, defects=listed)


def object_nouns() -> tuple[str, ...]:
    """Return every word for the pictured object: those of all surfaces and generic ones."""
    own = [noun for surface in SURFACES.values() for noun in surface.nouns]
    return tuple(dict.fromkeys([*GENERIC_NOUNS, *own]))
