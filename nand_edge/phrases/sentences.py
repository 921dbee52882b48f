"""From what a user types to the defects that it names, as the user said them, without the talk around them."""

from __future__ import annotations

import re
import unicodedata

from nand_edge.errors import NandEdgeError
from nand_edge.phrases.english import (
    head_noun,
    is_degree,
    is_description,
    is_state,
    plural,
    singular,
    without_determiner,
)
from nand_edge.phrases.vocabulary import DETERMINERS, LOOKS, PARTS, PLACES, RELATIVES, VAGUE, parts_of
from nand_edge.phrases.wishes import without_wishes

MAX_CHARACTERS = 200
_MAX_DEFECTS = 3

_CONTRACTIONS = (
    (re.compile(r"\b(?:can't|cannot)\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(it|that|there)'s\b"), r"\1 is"),
    (re.compile(r"\b(it|they|we|you)'(?:re|ve)\b"), r"\1 are"),
)
_IS = "(?:is|are|was|were|has been|have been|looks?|appears?)"
_HAS = "(?:with|which|that|has|have|having|shows?|contains?|is|are|was|were|has been|have been)"
_LACKS = "(?:(?:has|have|having|with) no|without|lacks?|lacking|lack of|absence of)"
_VERB = re.compile(r"\b(?:is|are|was|were|be|has|have|had|do|does|must|should|will|would|can|shall|if|when|because)\b")
_MEASURE = re.compile(r"\d.* ?(?:mm|cm|px|pixels?)\b")


def clean_object(name: str) -> str:
    """The object's name in lower case, without an article.

    Raises:
        NandEdgeError: It is blank, too long, has control characters or no letters.
    """
    return without_determiner(" ".join(_clean(name, "object's name").replace(",", " ").split()))


def without_talk(text: str, *, rejected: bool = False) -> str:
    """The user's words in lower case, without the wish and the talk: "Thread is fine from Monday!" -> "thread".

    Args:
        text: The user's words.
        rejected: Whether the words say what must be rejected; by default what is fine.

    Raises:
        NandEdgeError: The text is blank, too long or no text, asks for the opposite, or has an exception or a
            condition.
    """
    words = _clean(text, "normality")
    for contraction, whole in _CONTRACTIONS:
        words = contraction.sub(whole, words)
    return without_wishes(words, rejected=rejected)


def defects_in(text: str, object_name: str, *, rejected: bool) -> list[str]:
    """The one to three defects that a text names ("bent lead", "scratches on the head").

    Args:
        text: The user's words.
        object_name: The object's clean name in the singular.
        rejected: Whether the words say what must be rejected; by default what is fine.

    Raises:
        NandEdgeError: The text is blank, too long or no text, names no defect, asks for the opposite, or has an
            exception or a condition, which phrases cannot hold.
    """
    words = _without_object(without_talk(text, rejected=rejected), object_name)
    if re.match(r"(?:no|not|never|neither|none)\b", words):
        raise NandEdgeError(
            f"normality {text!r}",
            found=f"{words.partition(' ')[0]!r} before the defect",
            needed="the defect itself ('stain'), or what lacks ('missing label')",
            do="name it",
        )
    defects = [_state_first(defect, object_name) for defect in _split(words)]
    if not defects:
        raise NandEdgeError(
            f"normality {text!r}",
            found="no defect in these words",
            needed="the name of what is to count as normal ('dark stain', 'torn', 'scratches on the head')",
            do="name the defect",
        )
    verb = next(filter(None, map(_VERB.search, defects)), None)
    if verb:
        raise NandEdgeError(
            f"normality {text!r}",
            found=f"a sentence around {verb[0]!r} that the rules do not understand",
            needed="the name of a defect, or a plain sentence ('dark stains are fine')",
            do="name only the defect",
        )
    return defects


def _clean(text: str, what: str) -> str:
    """Lower case, composed characters, single blanks, no punctuation but commas between words."""
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
    # Commas and slashes part several defects; all else that is not in a word or a number goes.
    plain = re.sub(r"[,/;&|+]", " , ", plain)
    plain = re.sub(r"[^\w\s,.'-]|_|(?<!\w)['-]|['-](?!\w)|(?<!\d)\.|\.(?!\d)", " ", plain)
    return " ".join(plain.split())


def _without_object(words: str, name: str) -> str:
    """Take the object out of the words: it is put into every phrase later."""
    names = "|".join(re.escape(form) for form in (plural(name), name))
    the_object = rf"(?:(?:{DETERMINERS}) )*(?:{names})"
    # "the nut" is the metal nut, too.
    or_short = rf"(?:{the_object}|(?:the|a|an) {re.escape(head_noun(name))})"
    for pattern, instead in (
        (rf"^(?:{or_short} )?{_LACKS} ", "missing "),
        (rf"(?<!\S){or_short}'s? (?=\w)", "the "),
        (rf"\b(?:{PLACES}|of) {or_short}(?!\S)", " "),
        (rf"^{or_short} {_HAS} ", " "),
        (rf"^{the_object}(?: |$)", " "),
        (rf"(?:^| ){the_object}$", " "),
    ):
        words = " ".join(re.sub(pattern, instead, words).split()).strip(", ")
    return re.sub(r"^(?:with|has|have|having|is|are|was|were)(?: |$)", "", words)


def _split(words: str) -> list[str]:
    """Part "scratches and dents on the case" into its defects; "black and white print" is one."""
    pieces = re.split(r"( ?, ?(?:and |or )?| and | or )", words)
    defects: list[str] = []
    joins: list[str] = []
    for join, piece in zip([",", *pieces[1::2]], pieces[::2], strict=True):
        if not any(character.isalpha() for character in piece):
            continue
        if defects and _MEASURE.match(piece):
            defects[-1] = f"{defects[-1]} {piece}"
        elif defects and piece in PARTS and re.search(rf" (?:{PLACES}) ", defects[-1]):
            defects[-1] = f"{defects[-1]}{join}{piece}"
        elif defects and join != " or " and _is_look(defects[-1]) and is_state(piece.split()[0]):
            defects[-1] = f"{defects[-1]} and {piece}"
        else:
            defects.append(piece)
            joins.append(join.strip())
    nothing = VAGUE | set(DETERMINERS.split("|"))
    named = dict.fromkeys(without_determiner(defect) for defect in _share(defects, joins))
    return [defect for defect in named if defect not in nothing][:_MAX_DEFECTS]


def _is_look(words: str) -> bool:
    return is_description(words) and words.rpartition(" ")[2] in LOOKS


def _share(defects: list[str], joins: list[str]) -> list[str]:
    """Give defects that "and" or "or" joins what one of them says for all.

    The place ("scratches and dents on the case"), the noun ("loose or broken threads"), and the state of parts
    ("worn edges and corners").
    """
    shared = list(defects)
    parts = PARTS | set(map(plural, PARTS))
    for number in range(len(shared) - 2, -1, -1):
        this, following = shared[number], shared[number + 1]
        if joins[number + 1] not in ("and", "or"):
            continue
        place = re.search(rf" (?:{PLACES}) .+$", following)
        bare = following[: place.start()] if place else following
        if is_description(this) and not is_description(bare) and is_state(bare.split()[0]):
            this = f"{this} {head_noun(bare)}"
        if place and not re.search(rf" (?:{PLACES}) ", this):
            this = f"{this}{place[0]}"
        if following in parts and is_state(this.split()[0]) and not is_description(this):
            shared[number + 1] = f"{this.split()[0]} {following}"
        shared[number] = this
    return shared


def _state_first(defect: str, object_name: str) -> str:
    """Put the state before its noun: "lead is bent", "cracks that are dark", "wire missing" -> "bent lead", ..."""
    said = re.match(rf"^(?P<noun>.+?) (?:(?:that|which) )?{_IS} (?P<state>.+)$", defect)
    if said and is_description(said["state"]):
        return f"{said['state']} {said['noun']}"
    *nouns, last = defect.split()
    if last == "missing" and nouns and not is_degree(nouns[-1]):
        return " ".join((last, *nouns))
    is_plain = not re.search(rf"\d|\b(?:{PLACES}|{RELATIVES}|than|and|of)\b", defect)
    if not nouns or not is_plain or is_description(" ".join(nouns)) or is_degree(nouns[-1]):
        return defect
    of_part = is_state(last) and singular(nouns[-1]) in parts_of(object_name)
    return " ".join((last, *nouns)) if of_part or last in LOOKS else defect
