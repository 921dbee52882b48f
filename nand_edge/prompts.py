"""Prompts: states of an object put into the caption templates that APRIL-GAN averages over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TypedDict, cast

from nand_edge.errors import NandEdgeError


class _AprilGan(TypedDict):
    normal_states: list[str]
    abnormal_states: list[str]
    templates: list[str]


def april_gan_normal(object_name: str) -> list[str]:
    """Prompts of the object without a defect: 7 states in 35 templates (APRIL-GAN, `f_nor` of NAND).

    Raises:
        NandEdgeError: The object's name is blank.
    """
    return _ensemble(_april_gan()["normal_states"], object_name)


def april_gan_abnormal(object_name: str) -> list[str]:
    """Prompts of the object with a defect of any kind: 5 states in 35 templates (APRIL-GAN).

    Raises:
        NandEdgeError: The object's name is blank.
    """
    return _ensemble(_april_gan()["abnormal_states"], object_name)


def normality_prompts(phrases: Sequence[str]) -> list[str]:
    """Prompts of a normality: each state-level phrase in 35 templates (`f_add` of NAND).

    Args:
        phrases: "carpet with a thread", "thread on a carpet", ... as `phrases_for` makes them.

    Raises:
        NandEdgeError: There is no phrase, or one is blank.
    """
    if not phrases or not all(phrase.strip() for phrase in phrases):
        raise NandEdgeError(
            "phrases of a normality",
            found=f"{list(phrases)}",
            needed="at least one phrase, none of them blank",
            do="describe the normality in words",
        )
    return [template.replace("{}", phrase) for phrase in phrases for template in _april_gan()["templates"]]


def _ensemble(states: Sequence[str], object_name: str) -> list[str]:
    if not object_name.strip():
        raise NandEdgeError(
            "object's name",
            found=f"{object_name!r}",
            needed="the name of what is inspected",
            do="name it, as in --object 'solar cell'",
        )
    return normality_prompts([state.replace("{}", object_name.strip()) for state in states])


@cache
def _april_gan() -> _AprilGan:
    document = json.loads(files("nand_edge").joinpath("prompts.json").read_text(encoding="utf-8"))
    return cast(_AprilGan, document["april_gan"])
