"""Prompts: what goes through CLIP's text tower."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge.prompts import (
    april_gan_abnormal,
    april_gan_normal,
    normality_prompts,
    winclip_anomalous,
    winclip_normal,
)


def test_states_and_templates_are_april_gans() -> None:
    normal, abnormal = april_gan_normal("carpet"), april_gan_abnormal("carpet")

    assert (len(normal), len(abnormal)) == (7 * 35, 5 * 35)
    assert {"a bad photo of a carpet.", "this is one flawless carpet in the scene."} <= set(normal)
    assert {"a photo of my broken carpet.", "a blurry photo of the carpet with damage."} <= set(abnormal)


def test_states_and_templates_are_winclips() -> None:
    normal, anomalous = winclip_normal("carpet"), winclip_anomalous("carpet")

    assert (len(normal), len(anomalous)) == (7 * 21, 4 * 21)
    assert {"a cropped photo of the carpet.", "a photo of a perfect carpet for visual inspection."} <= set(normal)
    assert {"a photo of a damaged carpet.", "a dark photo of the carpet with flaw."} <= set(anomalous)


def test_a_phrase_goes_into_every_template() -> None:
    prompts = normality_prompts(["carpet with a thread", "thread on a carpet"])

    assert len(prompts) == 2 * 35
    assert prompts[0] == "a bad photo of a carpet with a thread."
    assert prompts[-1] == "this is one thread on a carpet in the scene."


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_prompts_are_distinct_and_name_the_object(object_name: str) -> None:
    prompts = april_gan_normal(object_name) + april_gan_abnormal(object_name)

    assert len(set(prompts)) == len(prompts)
    assert all(object_name.strip() in prompt for prompt in prompts)


def test_a_name_with_braces_is_only_a_name() -> None:
    assert "a photo of the {} 5." in april_gan_normal("{} 5")


@pytest.mark.parametrize("object_name", ["", "  ", "\t"])
def test_a_blank_object_is_refused(object_name: str) -> None:
    with pytest.raises(NandEdgeError, match="object's name"):
        april_gan_normal(object_name)


@pytest.mark.parametrize("phrases", [[], [""], ["carpet with a thread", " "]])
def test_missing_phrases_are_refused(phrases: list[str]) -> None:
    with pytest.raises(NandEdgeError, match="at least one phrase"):
        normality_prompts(phrases)
