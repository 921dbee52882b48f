"""The strict reading of what a language model answers: a JSON list of short phrases about the object, or nothing."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from nand_edge.phrases.english import head_noun, plural, singular
from nand_edge_export.language_model.request import MAX_PHRASES, MAX_WORDS, MIN_PHRASES

MAX_REPLY_CHARACTERS = 16_384
MAX_PHRASE_CHARACTERS = 100

_FENCED = re.compile(r"\A```(?:json)?\s*\n(?P<json>.*)\n```\Z", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
# What talks to somebody, or of whole objects, describes no defect. A word that the user typed is always welcome.
_TALK = frozenset(
    "i me my we us our you your yours sorry please cannot ignore disregard previous instruction instructions prompt "
    "system assistant user execute sudo http https www".split()
)
_FLAWLESS = frozenset("flawless perfect faultless undamaged unblemished intact pristine defect-free".split())


class UnusableReplyError(Exception):
    """A reply that does not hold phrases; its text says what was found, and never quotes the reply."""


def phrases_in(reply: str, *, text: str, object_name: str) -> tuple[str, ...]:
    """The phrases of a reply, in lower case and without duplicates.

    A reply is `{"phrases": [...]}` or a JSON list of strings, at most within one code fence and after one thought in
    `<think>` tags. Nothing else is mended: one bad phrase spoils the reply.

    Args:
        reply: What the model answered.
        text: The normality's words as the user typed them.
        object_name: What is inspected.

    Raises:
        UnusableReplyError: The reply is no such JSON, or has too few, too many or other things than phrases.
    """
    if len(reply) > MAX_REPLY_CHARACTERS:
        raise UnusableReplyError(f"a reply of {len(reply)} characters, at most {MAX_REPLY_CHARACTERS} are read")
    listed = _listed(reply)
    if not MIN_PHRASES <= len(listed) <= MAX_PHRASES:
        raise UnusableReplyError(f"{len(listed)} phrases, {MIN_PHRASES} to {MAX_PHRASES} are needed")
    phrases = tuple(dict.fromkeys(map(as_phrase, listed)))
    if len(phrases) < MIN_PHRASES:
        raise UnusableReplyError(f"only {len(phrases)} different phrases")
    typed = set(_plain(f"{text} {object_name}").split())
    names = _names(object_name)
    for phrase in phrases:
        _require_description(phrase, names, typed)
    return phrases


def as_phrase(words: Any) -> str:
    """One phrase: words of letters and digits with single blanks between them, in lower case.

    Raises:
        UnusableReplyError: It is something else, or too long.
    """
    if not isinstance(words, str):
        raise UnusableReplyError("a list with other things than text")
    plain = _plain(words)
    if not plain or len(plain) > MAX_PHRASE_CHARACTERS or len(plain.split(" ")) > MAX_WORDS:
        raise UnusableReplyError(f"a phrase that is empty or has over {MAX_WORDS} words")
    if not all(map(_is_word, plain.split(" "))):
        raise UnusableReplyError("a phrase with other characters than letters, digits, blanks and hyphens")
    return plain


def _listed(reply: str) -> list[Any]:
    bare = _THOUGHT.sub("", reply).strip()
    fenced = _FENCED.match(bare)
    try:
        document = json.loads(fenced["json"] if fenced else bare)
    except (ValueError, RecursionError):
        raise UnusableReplyError("something else than JSON" if bare else "an empty reply") from None
    if isinstance(document, dict) and list(document) == ["phrases"]:
        document = document["phrases"]
    if not isinstance(document, list):
        raise UnusableReplyError("JSON that is no list of phrases")
    return document


def _plain(words: str) -> str:
    return (
        unicodedata.normalize("NFKC", words).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").removesuffix(".")
    )


def _is_word(word: str) -> bool:
    """Whether it has letters (with their marks) and digits, and hyphens and apostrophes only between them."""
    categories = [unicodedata.category(character)[0] for character in re.sub(r"(?<=\w)['-](?=\w)", "", word)]
    return bool(categories) and categories[0] in "LN" and set(categories) <= set("LMN")


def _names(object_name: str) -> tuple[str, ...]:
    noun = head_noun(_plain(object_name))
    return noun, singular(noun), plural(singular(noun))


def _require_description(phrase: str, names: tuple[str, ...], typed: set[str]) -> None:
    # Scripts without blanks have the name inside a longer word.
    if not any(name in phrase.split() or (not name.isascii() and name in phrase) for name in names):
        raise UnusableReplyError("a phrase that does not name the object")
    if phrase in names:
        raise UnusableReplyError("a phrase that says nothing of the object")
    words = set(phrase.split()) - typed
    if words & _TALK:
        raise UnusableReplyError("a phrase that talks in the place of describing")
    if words & _FLAWLESS:
        raise UnusableReplyError("a phrase of an object without a defect")
