"""What frames are judged by crosses to another process without losing a bit."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.normality import EncoderRecord, Normality
from nand_edge_runtime.engine_process.judged_by import JudgedBy

words = st.lists(st.text(max_size=8), max_size=3).map(tuple)
encoders = st.none() | st.builds(
    EncoderRecord, st.text(max_size=8), st.lists(st.integers(1, 24), max_size=4).map(tuple), st.floats(1, 100)
)


@st.composite
def normalities(draw: st.DrawFn) -> Normality:
    taps, vectors, width = draw(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    return Normality(
        name=draw(st.text(max_size=8)),
        text=draw(st.text(max_size=8)),
        object_name=draw(st.text(max_size=8)),
        phrases=draw(words),
        prompts=draw(words),
        clip_sha256="c" * 64,
        clip_model="clip",
        features=random.standard_normal((taps, 2, vectors, width)).astype(np.float32),
        bias=random.standard_normal((taps, 2, vectors)).astype(np.float32),
        encoder=draw(encoders),
    )


@given(st.lists(normalities(), max_size=4), st.floats(allow_nan=False, allow_infinity=False))
def test_it_comes_back_as_it_was(chosen: list[Normality], threshold: float) -> None:
    judged_by = JudgedBy(3, tuple(chosen), threshold)
    message, vectors = judged_by.to_message()
    back = JudgedBy.from_message(json.loads(json.dumps(message)), vectors)
    assert (back.serial, back.threshold) == (3, threshold)
    assert len(back.normalities) == len(chosen)
    for one, other in zip(back.normalities, chosen, strict=True):
        for field in dataclasses.fields(Normality):
            np.testing.assert_equal(getattr(one, field.name), getattr(other, field.name))


def test_every_change_has_a_number_of_its_own() -> None:
    first = JudgedBy(0, (), 0.5)
    second = first.changed([], 0.5)
    assert (second.serial, second.changed([], 0.7).serial) == (1, 2)
