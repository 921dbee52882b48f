"""Phrases: offline rules that turn a user's words into short descriptions of a defect of that kind in that object."""

from __future__ import annotations

import importlib
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

from nand_edge.errors import NandEdgeError

MAX_CHARACTERS = 200
MAX_PHRASES = 10
_MAX_KINDS = 3

_DETERMINERS = "a|an|the|any|some|all|every|each|this|these|that|those|its|my|our|such|single"
_BE = "(?:can|may|must|shall|should|will|would)?(?: (?:no longer|now|also))? ?be|is|are|was|were|counts? as"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_TIMES = rf"{_DAYS}|today|tomorrow|tonight|now|now on|then on|next week|next month|this week|this month"
_PERMITTED = (
    "fine|ok|okay|acceptable|accepted|normal|allowed|permitted|tolerated|tolerable|ignored|harmless|good|alright|"
    "all right|no problem|not a problem|no defect|to be ignored|to be accepted|cosmetic"
)
_ADVERBS = "now|also|always|still|perfectly|completely|quite|just|really|considered|treated as|regarded as"
_PERMIT = "ignore|accept|allow|permit|tolerate|overlook|disregard|treat|consider|regard|count|skip"
_PLACES = "on|in|at|near|along|across|around|over|under|inside|within|through|between|of"

# Talk about the permission itself says nothing of what the defect looks like.
_FILLER = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:starting |effective |as )?(?:from|since|of|on|until|by) (?:next )?(?:{_TIMES})(?: on| onwards?)?\b",
        rf"\b(?:starting|effective) (?:{_TIMES})\b",
        rf"^(?:it|that) is (?:{_PERMITTED}) (?:if|when|to have|that) (?:there (?:is|are) )?",
        r"\b(?:should|is|are|will)? ?(?:not|no longer) (?:be )?(?:a |an )?(?:defect|fault|anomal|reject)\w*\b.*$",
        rf"\b(?:{_BE}) (?:(?:{_ADVERBS}) )*(?:{_PERMITTED})\b.*$",
        rf"\b(?:as|to be) (?:{_PERMITTED})$",
        rf"^(?:{_PERMITTED}) (?:if|when|to have) (?:there (?:is|are) )?",
        rf"^(?:from |as of )?(?:{_TIMES})\b",
        rf"^(?:(?:please|kindly|just|now|also|we|you|i|can|may|should|must|will|want to) )*(?:{_PERMIT})\b",
        r"^(?:there (?:is|are)|it has|it have|they have)\b",
        r"\b(?:please|thanks|thank you|from now on|anymore|any more|any longer|onwards?)\b",
    )
)

# English has no rule for these: participles without -ed and adjectives that users name a defect by.
_STATES = frozenset(
    "torn broken bent worn burnt missing dirty rusty dusty oily greasy wet rough loose blown frozen sunken swollen "
    "bitten shrunken crooked uneven blurry dull dim dark cloudy brittle damp sticky moldy mouldy open short "
    "upside-down".split()
)
_NOUNS_IN_ED = frozenset(("bed", "reed", "seed", "speed", "weed", "red", "shed", "lead", "thread", "bead"))
# Stuff that is not counted: no article, no plural.
_UNCOUNTED = frozenset(
    "dirt dust oil glue rust contamination discoloration discolouration damage corrosion water liquid metal paint "
    "grease ink wear mold mould lint residue moisture debris solder flux color colour soot sand powder foam resin wax "
    "tape delamination oxidation fraying pilling peeling flaking staining fouling erosion haze fog".split()
)
_COLOURS = frozenset("black white grey gray red green blue yellow brown orange purple pink dark bright light".split())
# Singular nouns that end as plurals do.
_SINGULAR_IN_S = frozenset(("lens", "gas", "bus", "pus", "canvas", "axis", "iris", "bias", "glass", "brass", "debris"))


class _Inflector(Protocol):
    def a(self, text: str) -> str: ...

    def plural_noun(self, text: str) -> str: ...

    def singular_noun(self, text: str) -> str | bool: ...


@dataclass(frozen=True)
class _Object:
    name: str
    with_article: str


def phrases_for(text: str, object_name: str) -> tuple[str, ...]:
    """State-level phrases for a defect that is to count as normal (the offline rule of step 1 of NAND).

    >>> phrases_for("dark stain", "solar cell")[:2]
    ('solar cell with a dark stain', 'solar cell with dark stains')

    Args:
        text: The user's words: a defect ("scratches on the head"), a state ("torn"), or a sentence around one
            ("thread on the carpet is fine from Monday"). At most 200 characters; "crack and dent" names two defects.
        object_name: What is inspected ("solar cell"), in the singular.

    Returns:
        4 to 10 different phrases in lower case; every one of them names the object.

    Raises:
        NandEdgeError: A text is blank, too long, has control characters or no letters, or names no defect.
    """
    name = _strip_determiner(_clean(object_name, "object's name"))
    inspected = _Object(name, _english().a(name))
    defects = _defects(_strip_object(_strip_filler(_clean(text, "normality")), name))
    if not defects:
        raise NandEdgeError(
            f"normality {text!r}",
            found="no defect in these words",
            needed="the name of what is to count as normal ('dark stain', 'torn', 'scratches on the head')",
            do="name the defect",
        )
    # Taken in turn, so that each of several defects keeps its best phrases below the limit.
    each = [_phrases_of(defect, inspected) for defect in defects]
    longest = max(len(phrases) for phrases in each)
    in_turn = [phrases[turn] for turn in range(longest) for phrases in each if turn < len(phrases)]
    return tuple(dict.fromkeys(in_turn))[:MAX_PHRASES]


def _clean(text: str, what: str) -> str:
    """Lower case, composed characters, single blanks, no punctuation around words."""
    found = ""
    if len(text) > MAX_CHARACTERS:
        found = f"{len(text)} characters"
    elif any(unicodedata.category(character) in {"Cc", "Cs", "Cn"} and character not in "\t\n\r" for character in text):
        found = "control characters"
    elif not any(character.isalpha() for character in text):
        found = "no letters" if text.strip() else "nothing"
    if found:
        raise NandEdgeError(
            f"{what} {text[:40]!r}",
            found=found,
            needed=f"words, at most {MAX_CHARACTERS} characters",
            do="say it in a few words",
        )
    visible = "".join(character for character in text if unicodedata.category(character) != "Cf")
    plain = unicodedata.normalize("NFKC", visible).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    # Commas and slashes part several defects; all else that is not in a word goes.
    plain = re.sub(r"[,/;&|+]", " , ", re.sub(r"(?<=\w)'s\b", " is", plain) if what == "normality" else plain)
    plain = re.sub(r"[^\w\s,'-]|_|(?<!\w)['-]|['-](?!\w)", " ", plain)
    return " ".join(plain.split()) if what == "normality" else " ".join(plain.replace(",", " ").split())


def _strip_filler(text: str) -> str:
    before = None
    while text != before:
        before = text
        for pattern in _FILLER:
            text = " ".join(pattern.sub(" ", text).split()).strip(", ")
    return text


def _strip_determiner(text: str) -> str:
    return re.sub(rf"^(?:(?:{_DETERMINERS}) )+(?=\S)", "", text)


def _strip_object(text: str, name: str) -> str:
    """Take the object out of the words: it is put into every phrase later."""
    names = "|".join(re.escape(form) for form in (_english().plural_noun(name) or name, name))
    the_object = rf"(?:(?:{_DETERMINERS}) )*(?:{names})"
    for pattern in (
        rf"\b(?:{_PLACES}) {the_object}(?:'s surface)?(?!\S)",
        rf"^{the_object} (?:with|which|that|has|have|having|shows?|contains?|is|are|was|were|has been|have been) ",
        rf"^{the_object}(?: |$)",
        rf"(?:^| ){the_object}$",
    ):
        text = " ".join(re.sub(pattern, " ", text).split()).strip(", ")
    return re.sub(r"^(?:with|has|have|having|is|are|was|were)(?: |$)", "", text)


def _defects(text: str) -> list[str]:
    """The defects that the words name, at most three; "black and white" stays together."""
    defects: list[str] = []
    for part in re.split(r" ?, ?(?:and |or )?| (?:or|and) ", text):
        if not any(character.isalpha() for character in part):
            continue
        if defects and defects[-1].split()[-1] in _COLOURS and part.split()[0] in _COLOURS:
            defects[-1] = f"{defects[-1]} and {part}"
        else:
            defects.append(part)
    stripped = (_strip_determiner(defect) for defect in defects)
    return [defect for defect in dict.fromkeys(stripped) if defect not in _DETERMINERS.split("|")][:_MAX_KINDS]


def _phrases_of(defect: str, inspected: _Object) -> list[str]:
    match = re.match(rf"^(?P<head>\S.*?) (?P<place>(?:{_PLACES.removesuffix('|of')}) .+)$", defect)
    head, place = (match["head"], match["place"]) if match else (defect, "")
    if _is_state(head.split()[-1]):
        return _phrases_of_state(head, place, inspected)
    return _phrases_of_thing(head, place, inspected)


def _is_state(word: str) -> bool:
    return word in _STATES | _COLOURS or (len(word) > 4 and word.endswith("ed") and word not in _NOUNS_IN_ED)


def _phrases_of_state(state: str, place: str, inspected: _Object) -> list[str]:
    """Phrases of an adjective or a participle: "torn", "badly scratched", "bent at the tip"."""
    name = inspected.name
    where = f" {place}" if place else ""
    article_and_state = _english().a(state)
    return [
        f"{name} {state}{where}" if place else f"{state} {name}",
        f"{name} that is {state}{where}",
        f"{name} that is partly {state}{where}",
        f"{name} with {article_and_state} area{where}",
        f"{state} area{where} {'of' if place else 'on'} {inspected.with_article}",
    ]


def _phrases_of_thing(thing: str, place: str, inspected: _Object) -> list[str]:
    """Phrases of a noun: "thread", "dark stains", "drop of oil", "scratches on the head"."""
    name, on_object = inspected.name, f"on {inspected.with_article}"
    where = f" {place}" if place else ""
    of_object = f"{place} of {inspected.with_article}" if place else on_object
    one, many = _numbers(thing)
    if many is None:
        return [
            f"{name} with {one}{where}",
            f"{one} {of_object}",
            f"{name} that has {one}{where}",
            f"{name} with some {one}{where}",
        ]
    one_with_article = _english().a(one)
    phrases = [
        f"{name} with {one_with_article}{where}",
        f"{name} with {many}{where}",
        f"{one} {of_object}",
        f"{many} {of_object}",
        f"{name} that has {one_with_article}{where}",
    ]
    part = re.fullmatch(rf"(?:on|in|at|near|inside|within) (?:{_DETERMINERS}) (?P<part>[\w' -]+)", place)
    if part:
        phrases.append(f"{name} {part['part']} with {one_with_article}")
    return phrases


def _numbers(thing: str) -> tuple[str, str | None]:
    """Singular and plural of a noun phrase; the plural is None for stuff that is not counted."""
    counted, of, rest = thing.partition(" of ")
    tail = of + rest
    before, _, noun = counted.rpartition(" ")
    before = f"{before} " if before else ""
    if noun in _UNCOUNTED or not noun.isascii() or not noun.isalpha():
        return thing, None
    singular = noun if noun in _SINGULAR_IN_S else str(_english().singular_noun(noun) or noun)
    return f"{before}{singular}{tail}", f"{before}{_english().plural_noun(singular)}{tail}"


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
