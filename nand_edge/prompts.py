"""Prompts: states of an object put into the caption templates that APRIL-GAN and WinCLIP average over."""

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


class _WinClip(TypedDict):
    normal_states: list[str]
    anomalous_states: list[str]
    templates: list[str]


class _Prompts(TypedDict):
    april_gan: _AprilGan
    winclip: _WinClip


def april_gan_normal(object_name: str) -> list[str]:
    """Prompts of the object without a defect: 7 states in 35 templates (APRIL-GAN, `f_nor` of NAND).

    Raises:
        NandEdgeError: The object's name is blank.
    """
    april_gan = _prompts()["april_gan"]
    return _ensemble(april_gan["normal_states"], april_gan["templates"], object_name)


def april_gan_abnormal(object_name: str) -> list[str]:
    """Prompts of the object with a defect of any kind: 5 states in 35 templates (APRIL-GAN).

    Raises:
        NandEdgeError: The object's name is blank.
    """
    april_gan = _prompts()["april_gan"]
    return _ensemble(april_gan["abnormal_states"], april_gan["templates"], object_name)


def winclip_normal(object_name: str) -> list[str]:
    """Prompts of the object without a defect: 7 states in 21 templates (WinCLIP).

    Raises:
        NandEdgeError: The object's name is blank.
    """
    winclip = _prompts()["winclip"]
    return _ensemble(winclip["normal_states"], winclip["templates"], object_name)


def winclip_anomalous(object_name: str) -> list[str]:
    """Prompts of the object with a defect of any kind: 4 states in 21 templates (WinCLIP).

    Raises:
        NandEdgeError: The object's name is blank.
    """
    winclip = _prompts()["winclip"]
    return _ensemble(winclip["anomalous_states"], winclip["templates"], object_name)


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
    return _in_templates(phrases, _prompts()["april_gan"]["templates"])


def _ensemble(states: Sequence[str], templates: Sequence[str], object_name: str) -> list[str]:
    if not object_name.strip():
        raise NandEdgeError(
            "object's name",
            found=f"{object_name!r}",
            needed="the name of what is inspected",
            do="name it, as in --object 'solar cell'",
        )
    return _in_templates([state.replace("{}", object_name.strip()) for state in states], templates)


def _in_templates(states: Sequence[str], templates: Sequence[str]) -> list[str]:
    return [template.replace("{}", state) for state in states for template in templates]


@cache
def _prompts() -> _Prompts:
    return cast(_Prompts, json.loads(files("nand_edge").joinpath("prompts.json").read_text(encoding="utf-8")))
