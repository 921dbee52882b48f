"""Articles, numbers and states: the little grammar that phrases need."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import cache
from typing import Protocol, cast

from nand_edge.errors import NandEdgeError
from nand_edge.phrases import vocabulary

_DETERMINERS = re.compile(rf"^(?:(?:{vocabulary.DETERMINERS}) )+(?=\S)")


class _Inflector(Protocol):
    def a(self, text: str) -> str: ...

    def plural_noun(self, text: str) -> str: ...

    def singular_noun(self, text: str) -> str | bool: ...


def without_determiner(words: str) -> str:
    """Words without the articles and their kin in front: "any small stain" -> "small stain"."""
    return _DETERMINERS.sub("", words)


def with_article(words: str) -> str:
    """A noun phrase with "a" or "an", or as it is when its noun is not counted: "an oil stain", "leather"."""
    return words if is_uncounted(head_noun(words)) else _english().a(words)


def head_noun(words: str) -> str:
    """The noun that a noun phrase is about: "drop" of "small drop of oil"."""
    return words.partition(" of ")[0].split()[-1]


def is_uncounted(noun: str) -> bool:
    """Whether a noun has neither article nor plural; so are words in other scripts treated."""
    return noun in vocabulary.UNCOUNTED or not (noun.isascii() and noun.isalpha())


def is_state(word: str) -> bool:
    """Whether a word says how something is: "torn", "rough", "red", "manipulated"."""
    participle = word.endswith("ed") and word not in vocabulary.NOUNS_IN_ED
    alike = word.endswith("ish") and word not in vocabulary.NOUNS_IN_ISH
    return word in vocabulary.STATES or word in vocabulary.LOOKS or (len(word) > 4 and (participle or alike))


def is_degree(word: str) -> bool:
    """Whether a word only says how much: "badly", "slightly"."""
    return word in vocabulary.DEGREES or (len(word) > 4 and word.endswith("ly") and not is_state(word))


def is_description(words: str) -> bool:
    """Whether words hold no noun: "badly torn", "black and white"."""
    parts = [word for word in words.split() if word not in ("and", "or")]
    return bool(parts) and is_state(parts[-1]) and all(is_state(word) or is_degree(word) for word in parts)


def singular(words: str) -> str:
    """A noun phrase in the singular: "small drops of oil" -> "small drop of oil"."""
    return _with_noun(words, _singular_noun)


def plural(words: str) -> str:
    """A noun phrase in the plural: "drop of oil" -> "drops of oil"."""
    return _with_noun(words, lambda noun: _english().plural_noun(_singular_noun(noun)))


def is_plural(noun: str) -> bool:
    """Whether a counted noun is in the plural: "teeth"."""
    return not is_uncounted(noun) and _singular_noun(noun) != noun


def _with_noun(words: str, change: Callable[[str], str]) -> str:
    counted, of, rest = words.partition(" of ")
    before, blank, noun = counted.rpartition(" ")
    return words if is_uncounted(noun) else f"{before}{blank}{change(noun)}{of}{rest}"


def _singular_noun(noun: str) -> str:
    if noun in vocabulary.SINGULAR_IN_S or noun.endswith(("ss", "us", "is")) or len(noun) <= 3:
        return noun
    return str(_english().singular_noun(noun) or noun)


@cache
def _english() -> _Inflector:
    """Plurals and articles; imported when words are put in, never on a device that only runs an engine."""
    try:
        inflect = importlib.import_module("inflect")
    except ImportError:
        raise NandEdgeError(
            "package 'inflect'",
            found="that it is not installed",
            needed="it, to form plurals for phrases",
            do="run `pip install 'nand-edge[export]'`",
        ) from None
    return cast(_Inflector, inflect.engine())
