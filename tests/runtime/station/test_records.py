"""A frame is a pass only when it was inspected, and every number of its inspection is one."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.inspection import Inspection, Verdict, decide
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.records import FrameRecord, Reason, inspected, not_inspected

FRAME = CameraFrame(
    FrameKey("run", "top", 7), np.zeros((4, 4, 3), np.uint8), "top#7", 1.0, 1000.0,
    device_timestamp_ns=5, position=12.5, dropped_before=2,
)  # fmt: skip


def inspection(score: float = 0.2, base_score: float = 0.7, threshold: float = 0.5) -> Inspection:
    return Inspection(
        frame="top#7",
        index=7,
        timestamp=1000.0,
        score=score,
        base_score=base_score,
        threshold=threshold,
        verdict=decide(score, threshold),
        clip_ran=True,
        normalities=("stain",),
        latency_ms={"engine": 3.0, "total": 4.0},
        bundle="b" * 64,
        anomaly_map=np.zeros((8, 8), np.float32),
        base_map=np.zeros((8, 8), np.float32),
        suppression_map=np.zeros((8, 8), np.float32),
    )


def record_of(seen: Inspection) -> FrameRecord:
    return inspected(FRAME, seen, normalities_sha256="a" * 64, latency_ms={"total": 9.0})


def test_an_inspected_frame_has_all_on_record_that_its_verdict_came_from() -> None:
    record = record_of(inspection())
    assert (record.verdict, record.reason, record.detail) == (Verdict.PASS, Reason.INSPECTED, "")
    assert (record.score, record.base_score, record.threshold, record.suppressed) == (0.2, 0.7, 0.5, True)
    assert (record.position, record.device_timestamp_ns, record.dropped_before) == (12.5, 5, 2)
    assert (record.normalities, record.normalities_sha256, record.bundle) == (("stain",), "a" * 64, "b" * 64)
    assert record.latency_ms == {"engine": 3.0, "total": 9.0}


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(numbers, numbers, st.floats(allow_nan=False, allow_infinity=False))
def test_no_score_that_is_not_a_number_is_a_pass(score: float, base_score: float, threshold: float) -> None:
    record = record_of(inspection(score, base_score, threshold))
    finite = bool(np.isfinite(score) and np.isfinite(base_score))
    assert (record.reason is Reason.INSPECTED) is finite
    assert (record.verdict is Verdict.PASS) is (finite and score < threshold)
    assert (record.score, record.base_score) == (
        score if np.isfinite(score) else None, base_score if np.isfinite(base_score) else None
    )  # fmt: skip


@pytest.mark.parametrize("name", ["anomaly_map", "base_map", "suppression_map"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_nor_is_a_map_whose_fault_the_score_has_lost(name: str, wrong: float) -> None:
    drawn = np.zeros((8, 8), np.float32)
    drawn[3, 5] = wrong
    changed: dict[str, Any] = {name: drawn}
    record = record_of(dataclasses.replace(inspection(), **changed))
    assert (record.verdict, record.reason) == (Verdict.REJECT, Reason.NOT_A_NUMBER)
    assert record.detail == f"{name.replace('_', ' ')} with values that are not finite"


def test_a_bundle_without_maps_is_judged_by_its_scores() -> None:
    none = np.empty((0, 0), np.float32)
    seen = dataclasses.replace(inspection(), anomaly_map=none, base_map=none, suppression_map=none)
    assert record_of(seen).verdict is Verdict.PASS


words = st.text(max_size=10)


@given(
    st.builds(
        FrameRecord,
        key=st.builds(FrameKey, words, words, st.integers(0, 2**53)),
        name=words,
        timestamp=st.floats(0, 1e10),
        verdict=st.just(Verdict.REJECT),
        reason=st.sampled_from(Reason),
        detail=words,
        position=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        device_timestamp_ns=st.none() | st.integers(0, 2**63),
        dropped_before=st.integers(0, 100),
        score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        suppressed=st.booleans(),
        normalities=st.lists(words, max_size=3).map(tuple),
        latency_ms=st.dictionaries(
            words, st.integers(0, 10**6).map(lambda thousandths: thousandths / 1000), max_size=3
        ),
    )
)
def test_a_record_comes_back_from_json_as_it_was(record: FrameRecord) -> None:
    assert FrameRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize("change", [{"reason": "bored"}, {"verdict": "maybe"}, {"verdict": "pass"}, {"number": "x"}])
def test_what_is_no_record_is_refused(change: dict[str, str]) -> None:
    document = not_inspected(FRAME, Reason.PAUSED, "", latency_ms={}).to_json()
    with pytest.raises(ValueError, match=r"is not a valid|cannot pass|invalid literal"):
        FrameRecord.from_json({**document, **change})
    with pytest.raises(KeyError):
        FrameRecord.from_json({name: value for name, value in document.items() if name != "camera"})
