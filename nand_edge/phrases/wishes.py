"""Wishes and other talk around a defect: "please ignore ...", "... is fine from Monday", "we no longer reject ..."."""

from __future__ import annotations

import re
from typing import NoReturn

from nand_edge.errors import NandEdgeError
from nand_edge.phrases.vocabulary import PLACES


def _one_of(words: str) -> str:
    # Each word stands once: two ways to read the same words would make matching slow without bound.
    return "(?:" + "|".join(dict.fromkeys(words.split())) + ")"


_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_TIMES = rf"(?:next |this |last )?(?:{_DAYS}|week|month|year|shift|batch)|today|tomorrow|tonight|now|now on|then on"
_MONTHS = "(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_DAY = r"\d\d?(?:st|nd|rd|th)?"
_DATES = rf"(?:the )?(?:{_DAY} (?:of )?{_MONTHS}|{_MONTHS}(?: {_DAY})?)(?: \d{{4}})?|\d[\d.-]+"
_SINCE = "(?:starting |effective |as )?(?:from|since|of|on|until|by|starting|effective)"
_TALK = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_SINCE} (?:{_TIMES}|{_DATES})(?: on| onwards?)?\b",
        rf"^(?:{_TIMES})\b(?= )",
        r"\bin (?:general|future|the future|principle|all cases|every case|any case|this case)\b",
        r"\b(?:please|kindly|thanks|thank you|from now on|anymore|any more|any longer|onwards?)\b",
        r"^(?:there (?:is|are|may be|can be)|(?:it|they) (?:has|have)|(?:the )?(?:parts|pieces|frames|images) with) ",
        r"^(?:and|or|also|so|then|that) ",
        r"\ba (?:bit|little)\b(?= \w)",
    )
)

_BE = "be is are was were counts count can may must shall should will would has have need needs do does not never"
_BEING = _one_of(f"{_BE} to as a an any no longer more now also always still perfectly completely quite just really "
                 "totally only considered treated regarded seen counted rated classified")  # fmt: skip
_ASKING = _one_of("we you they i it can may should must shall will would want like to just now also always still keep "
                  "let us do not never stop no longer")  # fmt: skip
_ACCEPTED = (
    "fine|ok|okay|acceptable|accepted|normal|allowed|permitted|tolerated|tolerable|ignored|harmless|good|alright|"
    "all right|unproblematic|cosmetic|let through|pass|passed|stay|remain|false (?:alarms?|rejects?|positives?)"
)
_REJECTED = (
    "defects?|faults?|faulty|anomal(?:y|ies|ous)|errors?|rejects?|rejected|flagged|reported|refused|scrapped|"
    "sorted out|forbidden|unacceptable|disallowed|prohibited|problems?|issues?|critical"
)
_ACCEPT = "ignore|accept|allow|permit|tolerate|overlook|disregard|skip|pass|let through|ignoring|accepting|allowing"
_REJECT = "reject|flag|report|refuse|scrap|sort out|forbid|rejecting|flagging|reporting|refusing"
_TREAT = "(?:treat|consider|regard|count|see)"
_IF_THERE_IS = "(?:if|when|that|to have) (?:there (?:is|are) )?"

_NEGATION = re.compile(r"\b(?:not|never|no|stop)\b")
# In each, `said` may hold the negation that turns `good` and `bad` round; `rest` comes after the wish.
_VERDICT = rf"(?:(?P<good>{_ACCEPTED})|(?P<bad>{_REJECTED}))(?!\S)"
_WISHES = tuple(
    re.compile(rf"^{pattern}$")
    for pattern in (
        # "do not treat threads as a defect"
        rf"(?P<said>(?:{_ASKING} )*){_TREAT} (?P<defect>.+?) (?:(?:as|to be) )?(?:an? )?{_VERDICT}(?P<rest>.*)",
        # "we no longer reject threads"
        rf"(?P<said>(?:{_ASKING} )*)(?:(?P<good>{_ACCEPT})|(?P<bad>{_REJECT}))(?!\S)(?P<defect>.*)(?P<rest>)",
        # "it is fine if there is a thread"
        rf"(?P<said>(?:(?:it|that) )?(?:{_BEING} )*){_VERDICT} {_IF_THERE_IS}(?P<defect>.*)(?P<rest>)",
        # "threads are no longer a defect", "threads can be accepted"
        rf"(?P<defect>.*?)(?P<said>(?:^| ){_one_of(_BE)}(?: {_BEING})*) {_VERDICT}(?P<rest>.*)",
        # such as "threads: ok"
        r"(?P<defect>.*)(?P<said> )(?P<good>ok|okay|fine|allowed|permitted|accepted|tolerated)(?P<rest>)",
        # such as "tolerated: threads"
        r"(?P<said>)(?P<good>ok|okay|allowed|permitted|accepted|acceptable|tolerated) (?P<defect>.*)(?P<rest>)",
    )
)
_EXCEPTION = re.compile(
    r"\b(?:but|except|excepting|excluding|unless|however|although|though|apart from|other than|only if|only when|"
    r"as long as|provided|if not)\b.*"
)
_CONDITION = re.compile(r"^ ?(?:if|when|while|where|whenever|only|up to)\b")


def without_wishes(words: str, *, rejected: bool) -> str:
    """Take the talk and the wish out of clean words: "small threads are fine from monday" -> "small threads".

    Args:
        words: In lower case, without contractions and punctuation other than commas.
        rejected: Whether a wish must say that the defect is rejected; else, that it is fine.

    Raises:
        NandEdgeError: The wish is the opposite one, or has an exception or a condition.
    """
    exception = _EXCEPTION.search(words)
    if exception:
        _refuse_limit(words, exception[0])
    asked, before = words, ""
    while words != before:
        before = words
        for pattern in _TALK:
            words = " ".join(pattern.sub(" ", words).split()).strip(", ")
        wish = next(filter(None, (pattern.match(words) for pattern in _WISHES)), None)
        if wish is not None:
            accepts = bool(wish["good"]) != bool(_NEGATION.search(wish["said"]))
            if accepts == rejected:
                _refuse_opposite(asked, rejected=rejected)
            words = f"{wish['defect']}{_kept(wish['rest'], asked)}".strip(", ")
    return words


def _kept(rest: str, asked: str) -> str:
    """What follows a wish and belongs to the defect: a place, or more defects."""
    if _CONDITION.match(rest):
        _refuse_limit(asked, rest.strip())
    return rest if re.match(rf" (?:,|and|or|{PLACES})(?!\S)", rest) else ""


def _refuse_opposite(asked: str, *, rejected: bool) -> NoReturn:
    wanted, found = ("rejected", "fine") if rejected else ("fine", "rejected")
    raise NandEdgeError(
        f"words {asked!r}",
        found=f"a wish that something is {found}",
        needed=f"what is to be {wanted}",
        do=f"name only the defect, if it is to be {wanted}",
    )


def _refuse_limit(asked: str, limit: str) -> NoReturn:
    raise NandEdgeError(
        f"words {asked!r}",
        found=f"an exception or a condition ({limit!r})",
        needed="a defect, with its look and its place at most",
        do="leave the exception out",
    )
