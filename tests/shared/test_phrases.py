"""Phrases: from the words that a user types to descriptions of a defect in an object."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge.phrases import MAX_CHARACTERS, MAX_PHRASES, phrases_for

THREAD = phrases_for("thread", "carpet")


def test_a_defect_is_described_in_singular_and_plural() -> None:
    assert phrases_for("dark stain", "solar cell") == (
        "solar cell with a dark stain",
        "solar cell with dark stains",
        "dark stain on a solar cell",
        "dark stains on a solar cell",
        "solar cell that has a dark stain",
    )


@pytest.mark.parametrize(
    "text",
    [
        "threads",
        "  A   Thread!  ",
        "THREAD",
        "thread\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}",
        "thre\N{SOFT HYPHEN}ad",
        "\N{FULLWIDTH LATIN SMALL LETTER T}hread",
        "carpet with a thread",
        "thread on the carpet",
        "threads in carpets",
        "carpet thread",
        "the carpet has a thread",
        "thread on the carpet is fine from Monday",
        "From Monday, thread on the carpet is fine.",
        "Starting tomorrow threads are OK",
        "please ignore any thread",
        "We accept threads on the carpet from now on",
        "Thread should no longer be a defect",
        "thread is not a defect anymore",
        "treat thread as normal",
        "It's okay if there is a thread on the carpet",
        "There are threads",
        "threads will be tolerated since last week",
    ],
)
def test_only_the_defect_matters_in_the_words_around_it(text: str) -> None:
    assert phrases_for(text, "carpet") == THREAD


@pytest.mark.parametrize(
    ("text", "object_name", "phrase"),
    [
        ("broken finger lines", "solar cell", "solar cell with a broken finger line"),
        ("crack", "hazelnut", "cracks on a hazelnut"),
        ("scratches on the head", "screw", "scratch on the head of a screw"),
        ("scratches on the head", "screw", "screw head with a scratch"),
        ("broken teeth", "zipper", "zipper with a broken tooth"),
        ("small drops of oil", "tile", "tile with a small drop of oil"),
        ("oil", "tile", "oil on a tile"),
        ("oil stains", "tile", "tile with an oil stain"),
        ("scratched lens", "camera", "camera with a scratched lens"),
        ("torn", "carpet", "torn carpet"),
        ("cracked carpet", "carpet", "carpet that is cracked"),
        ("the carpet is badly torn", "carpet", "badly torn carpet"),
        ("bent at the tip", "screw", "screw bent at the tip"),
        ("red", "tile", "red tile"),
        ("red thread", "carpet", "carpet with a red thread"),
        ("black and white print", "capsule", "capsule with a black and white print"),
        ("missing wire", "cable", "cable with missing wires"),
        ("hole", "a carpet", "carpet with a hole"),
        ("焊点", "电池片", "电池片 with 焊点"),
    ],
)
def test_a_phrase_of(text: str, object_name: str, phrase: str) -> None:
    assert phrase in phrases_for(text, object_name)


def test_two_defects_share_the_phrases() -> None:
    phrases = phrases_for("scratches and dents on the case", "pump")

    assert phrases[:2] == ("pump with a scratch", "pump with a dent on the case")
    assert len(phrases) == MAX_PHRASES


@pytest.mark.parametrize(
    ("text", "object_name", "found"),
    [
        ("", "carpet", "found nothing"),
        (" \n ", "carpet", "found nothing"),
        ("thread", "", "object's name"),
        ("123 !?", "carpet", "no letters"),
        ("thread\x00", "carpet", "control characters"),
        ("thread", "car\x1bpet", "control characters"),
        ("a" * (MAX_CHARACTERS + 1), "carpet", "201 characters"),
        ("is fine", "carpet", "no defect in these words"),
        ("the carpet is fine from Monday", "carpet", "no defect in these words"),
        ("carpet", "carpet", "no defect in these words"),
    ],
)
def test_words_without_a_defect_are_refused(text: str, object_name: str, found: str) -> None:
    with pytest.raises(NandEdgeError, match=found):
        phrases_for(text, object_name)


WORDS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            "dark stain and , or cracks on of the a torn is fine from monday oil solar cell with not in".split()
        ),
        max_size=10,
    ).map(" ".join),
)


@settings(deadline=None)
@given(text=WORDS, object_name=st.sampled_from(["carpet", "solar cell", "metal nut", "glass"]))
@example(text="and", object_name="carpet")
@example(text="a of the", object_name="carpet")
def test_phrases_are_few_distinct_and_name_the_object_or_the_text_is_refused(text: str, object_name: str) -> None:
    try:
        phrases = phrases_for(text, object_name)
    except NandEdgeError:
        return
    assert 4 <= len(phrases) <= MAX_PHRASES
    assert len(set(phrases)) == len(phrases)
    assert all(object_name in phrase and phrase == " ".join(phrase.lower().split()) for phrase in phrases)
    assert phrases == phrases_for(text, object_name)
