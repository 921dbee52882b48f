"""How a defect is said of an object: one rule each for states, parts, missing parts, stuff, and things on or in it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from nand_edge.phrases import vocabulary
from nand_edge.phrases.english import (
    head_noun,
    is_degree,
    is_description,
    is_plural,
    is_state,
    is_uncounted,
    plural,
    singular,
    with_article,
    without_determiner,
)

_AFTER_THE_NOUN = re.compile(
    rf"^(?P<head>\S.*?) (?P<where>(?:{vocabulary.PLACES}|{vocabulary.RELATIVES}|"
    rf"(?:{vocabulary.COMPARISONS}) (?:than|to)|\d[\d.]* ?(?:mm|cm|px|pixels?)) .+)$"
)
_SAYS_HOW = re.compile(r" (?:that|which|not|with|without)\b")


@dataclass(frozen=True)
class Inspected:
    """What is inspected: its name in the singular, and that with its article ("a carpet", "leather")."""

    name: str
    one: str


def wordings(defect: str, inspected: Inspected) -> list[str]:
    """Phrases for one defect, best first.

    Args:
        defect: "thread", "badly torn", "scratches on the head", "missing wire", as `defects_in` gives it.
        inspected: What is inspected.
    """
    defect = vocabulary.SAME_AS.get(defect, defect)
    whole = defect if defect in vocabulary.OF_THE_WHOLE else singular(defect)
    if whole in vocabulary.OF_THE_WHOLE:
        return [said.format(name=inspected.name, one=inspected.one) for said in vocabulary.OF_THE_WHOLE[whole]]
    if defect.startswith("missing "):
        return _missing(*_head_and_where(defect.removeprefix("missing ")), inspected)
    head, where = _head_and_where(defect)
    if is_description(head) or is_state(head.split()[-1]):
        return _state(head, where, inspected)
    part = _part_with_state(head, where, inspected)
    if part:
        return part
    noun = head_noun(head)
    if singular(noun) in vocabulary.NOUN_FOR and head.endswith(noun):
        head = f"{head.removesuffix(noun)}{vocabulary.NOUN_FOR[singular(noun)]}"
    return _stuff(head, where, inspected) if is_uncounted(head_noun(head)) else _thing(head, where, inspected)


def _head_and_where(defect: str) -> tuple[str, str]:
    """A noun phrase or state, and with a blank before it what is said after it (" on the head")."""
    match = _AFTER_THE_NOUN.match(defect)
    return (match["head"], f" {match['where']}") if match else (defect, "")


def _state(state: str, where: str, inspected: Inspected) -> list[str]:
    """Phrases of an adjective or a participle: "torn", "badly scratched", "bent at the tip"."""
    words, name = state.split(), inspected.name
    phrases = [f"{name} {state}{where}" if where else f"{state} {name}", f"{name} that is {state}{where}"]
    if words[-1] in vocabulary.POSITIONS:
        return [*phrases, f"{name} in {with_article(f'{state} position')}{where}", f"{name} lying {state}{where}"]
    if words[-1] in vocabulary.SIZES:
        return [*phrases, f"{name} that looks {state}{where}", f"{name} looking {state}{where}"]
    in_part = "looks" if is_degree(words[0]) or words[0] in vocabulary.LOOKS else "is partly"
    return [
        *phrases,
        f"{name} that {in_part} {state}{where}",
        f"{name} with {with_article(f'{state} area')}{where}",
        f"{state} area{where} of {inspected.one}",
    ]


def _missing(part: str, where: str, inspected: Inspected) -> list[str]:
    """Phrases of a part that is not there: "wire", "black wire"."""
    name = inspected.name
    one = singular(without_determiner(part))
    phrases = [
        f"{name} with {with_article(f'missing {one}')}{where}",
        f"{name} that is missing {with_article(one)}{where}",
        f"{one} missing{where} of {inspected.one}" if where else f"{one} missing from {inspected.one}",
        f"{name} with {with_article(one)} missing{where}",
    ]
    if _is_several(one):
        phrases.insert(1, f"{name} with missing {plural(one)}{where}")
    return phrases


def _part_with_state(head: str, where: str, inspected: Inspected) -> list[str]:
    """Phrases of a part that is not as it should be: "bent wire", "scratch head", "teeth"; none if it is no part."""
    words = head.split()
    own = vocabulary.parts_of(inspected.name)
    if len(words) > 1 and words[-1] in vocabulary.SIDES and singular(words[-2]) in own:
        words, where = words[:-1], f" {vocabulary.SIDES[words[-1]]}{where}"
    if singular(words[-1]) not in own | vocabulary.MARKINGS:
        return []
    states = list(itertools.takewhile(_is_state_of_part, words[:-1]))
    part = words[len(states) :]
    mark = singular(part[0]) if len(part) > 1 else ""
    if mark in vocabulary.PARTICIPLE_OF:
        states.append(vocabulary.PARTICIPLE_OF[mark])
        part = part[1:]
    else:
        mark = ""
    if (
        not states
        and not _SAYS_HOW.match(where)
        and all(singular(word) in own | vocabulary.ATTRIBUTES for word in part)
    ):
        states = ["damaged"]
    return _of_part(states, " ".join(part), mark, where, inspected) if states else []


def _is_state_of_part(word: str) -> bool:
    return is_state(word) or is_degree(word) or word in vocabulary.STATES_OF_PARTS


def _of_part(states: list[str], part: str, mark: str, where: str, inspected: Inspected) -> list[str]:
    name, state, noun = inspected.name, " ".join(states), singular(head_noun(part))
    one, several = f"{state} {singular(part)}", f"{state} {plural(part)}"
    of_object = f"{where} {'on' if noun in vocabulary.MARKINGS else 'of'} {inspected.one}"
    its_part, be = (part, "are") if is_plural(head_noun(part)) else (singular(part), "is")
    phrases = [f"{name} with {with_article(one)}{where}"]
    if _is_several(noun):
        phrases += [f"{name} with {several}{where}", f"{one}{of_object}", f"{several}{of_object}"]
    else:
        phrases += [f"{one}{of_object}", f"{name} that has {with_article(one)}{where}"]
    if len(states) == 1 or is_degree(states[0]):
        phrases.append(f"{name} whose {its_part} {be} {state}{where}")
    if mark:
        marks = vocabulary.NOUN_FOR.get(mark, mark)
        phrases.append(f"{marks} {_in_or_on(marks)} the {singular(part)}{where} of {inspected.one}")
    return phrases


def _stuff(stuff: str, where: str, inspected: Inspected) -> list[str]:
    """Phrases of what is not counted: "oil", "metal contamination", "焊点"."""
    name = inspected.name
    on_object = _at_object(stuff, where, inspected)
    phrases = [f"{name} with {stuff}{where}", f"{stuff}{on_object}"]
    of_what, _, noun = stuff.rpartition(" ")
    portion = vocabulary.PORTIONS.get(noun)
    if portion:
        phrases += [f"{name} with a {portion} of {stuff}{where}", f"{portion}s of {stuff}{on_object}"]
    state = vocabulary.STATE_OF.get(stuff)
    if state and not where:
        phrases += [f"{state} {name}", f"{name} with {with_article(f'{state} area')}"]
    if of_what and noun == "contamination" and not is_state(of_what.split()[-1]):
        phrases.append(f"{name} contaminated with {of_what}{where}")
    return [*phrases, f"{name} that has {stuff}{where}", f"{name} with some {stuff}{where}"][:6]


def _thing(thing: str, where: str, inspected: Inspected) -> list[str]:
    """Phrases of a noun: "thread", "dark stains", "drop of oil", "scratches on the head"."""
    name = inspected.name
    one, several = singular(thing), plural(thing)
    at_object = _at_object(thing, where, inspected)
    phrases = [
        f"{name} with {with_article(one)}{where}",
        f"{name} with {several}{where}",
        f"{one}{at_object}",
        f"{several}{at_object}",
    ]
    state = vocabulary.STATE_OF.get(one)
    part = re.fullmatch(rf" (?:on|in|at|inside|within) (?:{vocabulary.DETERMINERS}) (?P<part>\w+)", where)
    phrases.append(f"{state} {name}" if state and not where else f"{name} that has {with_article(one)}{where}")
    if part and singular(part["part"]) in vocabulary.parts_of(name):
        phrases.append(f"{name} {part['part']} with {with_article(one)}")
    return phrases


def _at_object(defect: str, where: str, inspected: Inspected) -> str:
    """What follows a defect to say that it is the object's: " on a carpet", " near the edge of a carpet"."""
    placed = re.search(rf" (?:{vocabulary.PLACES}) ", where)
    return f"{where} {'of' if placed else _in_or_on(defect)} {inspected.one}"


def _in_or_on(defect: str) -> str:
    return "in" if singular(head_noun(defect)) in vocabulary.IN_THE_OBJECT else "on"


def _is_several(noun: str) -> bool:
    """Whether an object usually has several of a part."""
    return not is_uncounted(head_noun(noun)) and head_noun(noun) not in vocabulary.SINGLE
