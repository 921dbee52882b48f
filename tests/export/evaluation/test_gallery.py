"""The report's pictures and charts: which frames are shown, and that they say what they show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.groups import Group
from nand_edge.evaluation.protocol import Pair
from nand_edge.inspection import Inspection, decide
from nand_edge_export.evaluation.charts import roc_chart, score_chart
from nand_edge_export.evaluation.gallery import exhibits

KINDS = ("good", "stain", "stain", "crack", "crack", "crack")
BEFORE, AFTER = (0.1, 0.9, 0.8, 0.95, 0.7, 0.6), (0.1, 0.2, 0.6, 0.55, 0.7, 0.2)
THRESHOLD = 0.5


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    frames = tuple(
        LabelledFrame(tmp_path / f"{place}-{kind}.png", () if kind == "good" else (kind,))
        for place, kind in enumerate(KINDS)
    )
    for frame in frames:
        cv2.imwrite(str(frame.path), np.full((12, 16, 3), 120, np.uint8))
    group = Group("stain", ("stain",), "dark stain", "cell")
    return Pair("cell", group, frames, np.array(BEFORE), np.array(AFTER), THRESHOLD)


def inspection(place: int) -> Inspection:
    before, after = BEFORE[place], AFTER[place]
    levels = {"base_map": before, "anomaly_map": after, "suppression_map": 1 - after / before}
    return Inspection(
        frame="",
        index=place,
        timestamp=0.0,
        score=after,
        base_score=before,
        threshold=THRESHOLD,
        verdict=decide(after, THRESHOLD),
        clip_ran=True,
        normalities=("stain",),
        latency_ms={},
        bundle="",
        **{name: np.full((8, 8), level, np.float32) for name, level in levels.items()},
    )


def test_the_frames_helped_most_come_first(pair: Pair) -> None:
    helped = exhibits(pair, inspection).helped
    assert [(each.name, each.verdict_before, each.verdict_after) for each in helped] == [
        ("1-stain.png", "reject", "pass"),
        ("2-stain.png", "reject", "reject"),
    ]


def test_anomalous_frames_that_pass_by_mistake_are_shown_before_others(pair: Pair) -> None:
    hurt = exhibits(pair, inspection).hurt
    assert [(each.name, each.verdict_after) for each in hurt] == [("5-crack.png", "pass"), ("3-crack.png", "reject")]


def test_charts_are_repeatable_and_name_what_they_show(pair: Pair) -> None:
    assert roc_chart(pair) == roc_chart(pair)
    assert f"after  {pair.auroc_after:.3f}" in roc_chart(pair).replace("&#160;", " ")
    assert "threshold" in score_chart(pair)
