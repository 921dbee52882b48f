"""Phrases: from the words that a user types to descriptions of a defect in an object."""

import contextlib
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge.phrases import MAX_CHARACTERS, MAX_PHRASES, phrases_for

# The anomaly groups of MVTec AD, and the stem of the word that names each.
MVTEC_AD = {
    "bottle": {"broken": "broken", "contamination": "contaminat"},
    "cable": {
        "missing_wire": "wire",
        "cut_insulation": "insulation",
        "missing_cable": "missing",
        "cable_swap": "swap",
        "bent_wire": "wire",
    },
    "capsule": {"scratch": "scratch", "squeeze": "squeeze", "crack": "crack", "faulty_imprint": "imprint"},
    "carpet": {"thread": "thread", "metal": "metal", "color": "color", "cut": "cut"},
    "grid": {"thread": "thread", "bent": "bent", "glue": "glue", "metal": "metal", "broken": "broken"},
    "hazelnut": {"print": "print", "cut": "cut", "hole": "hole"},
    "leather": {"poke": "poke", "glue": "glue", "color": "color", "fold": "fold", "cut": "cut"},
    "metal_nut": {"bent": "bent", "scratch": "scratch", "color": "color", "flip": "flip"},
    "pill": {
        "pill_type": "type",
        "color": "color",
        "crack": "crack",
        "faulty_imprint": "imprint",
        "contamination": "contaminat",
    },
    "screw": {"scratch_head": "head", "scratch_neck": "neck", "manipulated_front": "front", "thread": "thread"},
    "tile": {"oil": "oil", "gray_stroke": "stroke", "rough": "rough", "crack": "crack", "glue_strip": "strip"},
    "transistor": {"misplaced": "place", "damaged_case": "case", "cut_lead": "lead", "bent_lead": "lead"},
    "wood": {"scratch": "scratch", "liquid": "liquid", "color": "color", "hole": "hole"},
    "zipper": {"fabric": "fabric", "teeth": "t[eo][eo]th"},
}
GROUPS = [(kind, group, stem) for kind, groups in MVTEC_AD.items() for group, stem in groups.items()]
# Words that hold sentences together, and those that the rules may add to what the user said.
GRAMMAR = set(
    "a an the with on in of from for that is are has looks whose some partly where another one over out".split()
)
ADDED = set(
    "area spot spots piece pieces mark marks damaged different wrong place its empty side lying parts upside down "
    "tooth".split()
)

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
        "We no longer reject threads, thanks!",
        "Don't reject thread",
        "threads should not be rejected anymore",
        "stop flagging thread",
        "thread isn't a problem",
        "Do not treat thread as a defect!",
        "thread: OK",
        "(thread)",
        "From 1 March thread is accepted",
        "thread is fine because the customer accepts it",
    ],
)
def test_only_the_defect_matters_in_the_words_around_it(text: str) -> None:
    assert phrases_for(text, "carpet") == THREAD


@pytest.mark.parametrize(
    ("text", "object_name", "phrase"),
    [
        ("broken finger lines", "solar cell", "solar cell with a broken finger line"),
        ("crack", "hazelnut", "cracks in a hazelnut"),
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
        ("hole", "carpets", "carpet with a hole"),
        (
            "please ignore small dark stains near the edge",
            "solar cell",
            "small dark stain near the edge of a solar cell",
        ),
        ("threads are fine on the back", "carpet", "thread on the back of a carpet"),
        ("the carpet has no label", "carpet", "label missing from a carpet"),
        ("without an imprint", "capsule", "capsule with a missing imprint"),
        ("the label is missing", "bottle", "bottle that is missing a label"),
        ("leads bent", "transistor", "transistor with a bent lead"),
        ("scratch on the nut", "metal nut", "scratch on a metal nut"),
        ("scratch on the screw's head", "screw", "scratch on the head of a screw"),
        ("cracks that are very thin", "tile", "tile with a very thin crack"),
        ("the thread is a bit loose", "carpet", "carpet with a loose thread"),
        ("scratches shorter than 2 mm", "screw", "scratch shorter than 2 mm on a screw"),
        ("scratch", "wood", "scratch on wood"),
        ("metal_contamination", "carpet", "carpet contaminated with metal"),
        ("rotated", "pcb", "pcb that is rotated"),
        ("yellowish", "tile", "tile with a yellowish area"),
        ("label not straight", "bottle", "bottle with a label not straight"),
        ("Fäden", "Teppich", "teppich with fäden"),
        ("焊点", "电池片", "电池片 with 焊点"),
    ],
)
def test_a_phrase_of(text: str, object_name: str, phrase: str) -> None:
    assert phrase in phrases_for(text, object_name)


@pytest.mark.parametrize(("kind", "group", "stem"), GROUPS)
def test_every_group_of_mvtec_ad_is_said_well(kind: str, group: str, stem: str) -> None:
    phrases = phrases_for(group, kind)
    name = kind.replace("_", " ")

    assert 4 <= len(phrases) <= MAX_PHRASES
    assert len(set(phrases)) == len(phrases)
    assert all(name in phrase for phrase in phrases)
    # Synonyms ("in the wrong place") are welcome beside the word itself, which most phrases have.
    assert sum(bool(re.search(stem, phrase)) for phrase in phrases) > len(phrases) / 2
    for phrase in phrases:
        assert not re.search(r"\b(an?|the) (an?|the)\b", phrase)
        assert not re.search(
            r"\ban? (threads|teeth|cracks|scratches|wires|leads|wood|leather|glue|oil|metal)($| (on|in|of|that)\b)",
            phrase,
        )
        assert not re.search(r"\ba [aeio]|\ban [^aeio]", phrase)


@pytest.mark.parametrize(("kind", "group", "stem"), GROUPS)
def test_no_defect_is_invented(kind: str, group: str, stem: str) -> None:
    said = f"{kind} {group} {stem}".replace("_", " ").split()
    for word in {word for phrase in phrases_for(group, kind) for word in phrase.split()} - GRAMMAR - ADDED:
        # Forms of a word have their beginning in common: "scratched" and "scratch", "oily" and "oil".
        assert any(word.removeprefix("dis")[:3] in told for told in said), word


@pytest.mark.parametrize(
    ("kind", "group", "phrases"),
    [
        (
            "cable",
            "missing_wire",
            (
                "cable with a missing wire",
                "cable with missing wires",
                "cable that is missing a wire",
                "wire missing from a cable",
                "cable with a wire missing",
            ),
        ),
        (
            "cable",
            "cut_inner_insulation",
            (
                "cable with cut inner insulation",
                "cut inner insulation of a cable",
                "cable that has cut inner insulation",
                "cable whose inner insulation is cut",
            ),
        ),
        (
            "transistor",
            "bent_lead",
            (
                "transistor with a bent lead",
                "transistor with bent leads",
                "bent lead of a transistor",
                "bent leads of a transistor",
                "transistor whose lead is bent",
            ),
        ),
        (
            "screw",
            "scratch_head",
            (
                "screw with a scratched head",
                "scratched head of a screw",
                "screw that has a scratched head",
                "screw whose head is scratched",
                "scratch on the head of a screw",
            ),
        ),
        # A screw has a thread of its own, a carpet has not.
        (
            "screw",
            "thread_top",
            (
                "screw with a damaged thread at the top",
                "damaged thread at the top of a screw",
                "screw that has a damaged thread at the top",
                "screw whose thread is damaged at the top",
            ),
        ),
        (
            "leather",
            "fold",
            ("leather with a fold", "leather with folds", "fold in leather", "folds in leather", "folded leather"),
        ),
        (
            "tile",
            "oil",
            (
                "tile with oil",
                "oil on a tile",
                "tile with a spot of oil",
                "spots of oil on a tile",
                "oily tile",
                "tile with an oily area",
            ),
        ),
        (
            "metal_nut",
            "flip",
            (
                "flipped metal nut",
                "metal nut that is flipped",
                "metal nut flipped over",
                "metal nut flipped upside down",
                "metal nut lying on the wrong side",
            ),
        ),
        (
            "pill",
            "pill_type",
            (
                "pill of a different type",
                "pill of the wrong type",
                "pill of another type",
                "wrong type of pill",
                "different type of pill",
            ),
        ),
        (
            "zipper",
            "broken_teeth",
            (
                "zipper with a broken tooth",
                "zipper with broken teeth",
                "broken tooth of a zipper",
                "broken teeth of a zipper",
                "zipper whose teeth are broken",
            ),
        ),
    ],
)
def test_all_phrases_of(kind: str, group: str, phrases: tuple[str, ...]) -> None:
    assert phrases_for(group, kind) == phrases


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("loose or broken threads", ("carpet with a loose thread", "carpet with a broken thread")),
        ("worn edges and corners", ("carpet with a worn edge", "carpet with a worn corner")),
        ("small and dark stains", ("carpet with a small and dark stain", "carpet with small and dark stains")),
        ("threads are fine and lint is fine", ("carpet with a thread", "carpet with lint")),
        ("cut/hole", ("carpet with a cut", "carpet with a hole")),
        ("cracks, 2 mm long", ("carpet with a crack 2 mm long", "carpet with cracks 2 mm long")),
    ],
)
def test_words_that_stand_for_several_defects(text: str, first: tuple[str, str]) -> None:
    assert phrases_for(text, "carpet")[:2] == first


def test_two_defects_share_the_phrases() -> None:
    phrases = phrases_for("scratches and dents on the case", "pump")

    assert phrases[:2] == ("pump with a scratch on the case", "pump with a dent on the case")
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
        ("everything is fine", "carpet", "no defect in these words"),
        ("no threads", "carpet", "'no' before the defect"),
        ("the color is off", "carpet", "a sentence around 'is'"),
        ("threads are not allowed", "carpet", "a wish that something is rejected"),
        ("do not ignore threads", "carpet", "a wish that something is rejected"),
        ("never accept threads", "carpet", "a wish that something is rejected"),
        ("threads must be rejected", "carpet", "a wish that something is rejected"),
        ("Cracks are no longer OK!", "carpet", "a wish that something is rejected"),
        ("consider threads a defect", "carpet", "a wish that something is rejected"),
        ("threads are fine, cracks are not ok", "carpet", "a wish that something is rejected"),
        ("threads are fine but cracks are not", "carpet", r"an exception or a condition \('but cracks are not'\)"),
        ("stains except on the edge", "carpet", r"an exception or a condition \('except on the edge'\)"),
        ("threads are fine if short", "carpet", r"an exception or a condition \('if short'\)"),
    ],
)
def test_words_without_a_defect_are_refused(text: str, object_name: str, found: str) -> None:
    with pytest.raises(NandEdgeError, match=found):
        phrases_for(text, object_name)


@pytest.mark.parametrize("text", ["crack", "cracks must be rejected", "never accept cracks", "cracks are not ok"])
def test_what_must_be_rejected_is_said_with_the_same_phrases(text: str) -> None:
    assert phrases_for(text, "tile", rejected=True) == phrases_for("crack", "tile")


def test_what_is_fine_is_not_taken_for_what_must_be_rejected() -> None:
    with pytest.raises(NandEdgeError, match="a wish that something is fine"):
        phrases_for("cracks are fine", "tile", rejected=True)


@pytest.mark.parametrize("word", ["be ", "not ", "and ", "fine ", "as a ", "is not ", "on the ", "a , ", "missing "])
def test_words_repeated_without_end_take_no_time(word: str) -> None:
    took = []
    for _ in range(3):  # an expression that looks back and back takes minutes each time; a busy machine, seconds once
        begun = time.thread_time()
        with contextlib.suppress(NandEdgeError):
            phrases_for((word * MAX_CHARACTERS)[: MAX_CHARACTERS - 6] + " stain", "tile")
        took.append(time.thread_time() - begun)
    assert min(took) < 1.0, "seconds of this thread's own"


WORDS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            "dark stain and , or cracks on of the a torn is fine from monday oil solar cell with not in missing head "
            "reject bent wires that no long 2 mm".split()
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
