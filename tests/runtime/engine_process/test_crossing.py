"""What crosses with every frame comes as it went, whatever the numbers are."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.engine_process.crossing import Answer, Question, facts_of, inspection_of
from nand_edge_runtime.station.frames import CameraFrame, FrameKey

small, large = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
numbers = st.floats(width=64)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    frames = draw(st.integers(1, 4))
    shape = (frames, draw(small), draw(small), 3)
    places = draw(st.tuples(*[small, large] * (1 + 3 * frames)))
    changes = draw(st.dictionaries(st.text(max_size=5), st.integers(), max_size=3))
    return Question(draw(large), shape, places, changes)


@given(questions())
def test_a_question_comes_as_it_went(question: Question) -> None:
    assert Question.unpacked(question.packed()) == question


def inspection(*, clip_ran: bool, score: float = 0.25, verdict: Verdict = Verdict.PASS) -> Inspection:
    base, final, suppression = (np.full((4, 4), value, np.float32) for value in (0.5, 0.25, 0.75))
    stages = {"prepare": 0.1, "engine": 9.0, "verdict": 0.2, "total": 9.3}
    return Inspection(
        frame="", index=0, timestamp=0.0, score=score, base_score=0.5, threshold=0.4, verdict=verdict,
        clip_ran=clip_ran, normalities=("thread",), latency_ms=stages, bundle="b", anomaly_map=final, base_map=base,
        suppression_map=suppression, taps_run=3, score_is_bound=True,
    )  # fmt: skip


def crossed(sent: Inspection, *, waited_ms: float = 10.0) -> Inspection:
    room = np.zeros((3, 4, 4), np.float32)
    answer = Answer.unpacked(Answer(7, 2, 4, [facts_of(sent, room.__getitem__)]).packed())
    assert (answer.number, answer.judged_by, answer.side) == (7, 2, 4)
    frame = CameraFrame(FrameKey("run", "top", 12), np.zeros((1, 1, 3), np.uint8), "part 12", 0.0, 1000.0)
    return inspection_of(
        frame, answer.facts[0], room.__getitem__, normalities=("thread",), bundle="b", region=None, waited_ms=waited_ms
    )


@given(numbers, st.booleans(), st.sampled_from(Verdict))
def test_an_inspection_comes_as_it_went(score: float, clip_ran: bool, verdict: Verdict) -> None:  # noqa: FBT001
    sent = inspection(clip_ran=clip_ran, score=score, verdict=verdict)
    came = crossed(sent)
    assert came.score == score or math.isnan(came.score) == math.isnan(score)
    for name in (
        "base_score",
        "threshold",
        "verdict",
        "clip_ran",
        "normalities",
        "bundle",
        "taps_run",
        "score_is_bound",
    ):
        assert getattr(came, name) == getattr(sent, name)
    assert (came.frame, came.index, came.timestamp) == ("part 12", 12, 1000.0)
    assert came.latency_ms == {**sent.latency_ms, "transfer": 10.0 - 9.3}


def test_the_maps_of_a_frame_that_went_through_clip_are_its_own() -> None:
    came = crossed(inspection(clip_ran=True))
    assert [float(drawn[0, 0]) for drawn in (came.base_map, came.anomaly_map, came.suppression_map)] == [
        0.5,
        0.25,
        0.75,
    ]


def test_a_frame_that_did_not_has_its_base_map_and_nothing_suppressed() -> None:
    came = crossed(inspection(clip_ran=False))
    assert came.anomaly_map is came.base_map
    assert not came.suppression_map.any()
    assert not came.suppression_map.flags.writeable
