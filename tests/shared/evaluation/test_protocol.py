"""The protocol's arithmetic: what counts as normal, AUROC and rates before and after, and their intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn")

from sklearn.metrics import roc_auc_score

from nand_edge.evaluation.bootstrap import auroc_of_draws, draw_frames, interval, rate_of_draws
from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.groups import Group
from nand_edge.evaluation.paper import paper_figures
from nand_edge.evaluation.protocol import Pair, means

STAIN = Group("stain", ("stain", "spot"), "dark stain", "tile")


def pair(kinds: str, before: list[float], after: list[float], threshold: float = 0.5) -> Pair:
    """A pair of frames with such defects; `good` has none, `stain+crack` two."""
    frames = tuple(
        LabelledFrame(Path(f"{place}.png"), () if kind == "good" else tuple(kind.split("+")))
        for place, kind in enumerate(kinds.split())
    )
    return Pair("tile", STAIN, frames, np.array(before), np.array(after), threshold)


def test_words_that_work_bring_stained_frames_below_cracked_ones() -> None:
    found = pair("good stain spot crack", [0.1, 0.9, 0.8, 0.7], [0.1, 0.2, 0.3, 0.7])
    assert found.added.tolist() == [False, True, True, False]
    assert found.anomalous.tolist() == [False, False, False, True]
    assert (found.auroc_before, found.auroc_after) == (pytest.approx(1 / 3), 1.0)


def test_a_frame_with_another_defect_besides_must_still_be_rejected() -> None:
    found = pair("good stain stain+crack", [0.1, 0.9, 0.7], [0.1, 0.2, 0.6])
    assert found.anomalous.tolist() == [False, False, True]


def test_rates_count_false_rejects_of_the_added_group_and_misses_of_all_others() -> None:
    found = pair("good stain spot crack hole", [0.6, 0.9, 0.8, 0.7, 0.9], [0.6, 0.2, 0.5, 0.4, 0.9])
    figures = found.to_json()
    false_rejects, misses = figures["false_reject_rate_added"], figures["miss_rate_others"]
    assert [false_rejects[side]["hits"] for side in ("before", "after")] == [2, 1]  # a score at the threshold rejects
    assert [misses[side]["rate"] for side in ("before", "after")] == [0.0, 0.5]
    assert misses["before"]["interval_95"] == [0.0, 0.0]
    assert misses["before"]["interval_95_binomial"] == [0.0, pytest.approx(1 - 0.025**0.5)]


def test_the_means_are_over_pairs() -> None:
    works = pair("good stain crack", [0.1, 0.9, 0.7], [0.1, 0.2, 0.7])
    does_not = pair("good stain crack", [0.1, 0.9, 0.7], [0.1, 0.9, 0.7])
    found = means([works, does_not])
    assert (found["mean_auroc_before"], found["mean_auroc_after"], found["mean_auroc_change"]) == (0.5, 0.75, 0.25)
    assert found["mean_auroc_change_interval_95"] == [0.25, 0.25]
    assert found["mean_false_reject_rate_added"]["after"]["rate"] == 0.5


def test_draws_keep_the_number_of_frames_of_each_kind_and_are_repeatable() -> None:
    labels = ["good"] * 5 + ["crack"] * 3
    weights = draw_frames(labels, draws=50, seed="tile")
    assert (weights[:, :5].sum(axis=1) == 5).all()
    assert (weights[:, 5:].sum(axis=1) == 3).all()
    assert (weights == draw_frames(labels, draws=50, seed="tile")).all()
    assert (weights != draw_frames(labels, draws=50, seed="wood")).any()


@given(
    normal=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    anomalous=st.lists(st.integers(0, 4), min_size=1, max_size=8),
)
def test_the_auroc_of_each_draw_is_scikit_learns_with_weights(normal: list[int], anomalous: list[int]) -> None:
    scores = np.array(normal + anomalous, dtype=np.float64)
    truth = np.array([False] * len(normal) + [True] * len(anomalous))
    weights = draw_frames(list(map(str, truth)), draws=4)
    expected = [roc_auc_score(truth, scores, sample_weight=of_draw) for of_draw in weights]
    np.testing.assert_allclose(auroc_of_draws(weights, truth, scores), expected, atol=1e-12)


def test_the_interval_of_a_rate_is_about_as_wide_as_the_binomials() -> None:
    members, hits = np.ones(100, bool), np.arange(100) < 20
    low, high = interval(rate_of_draws(draw_frames(["crack"] * 100), members, hits))
    assert low == pytest.approx(0.2 - 1.96 * 0.04, abs=0.015)
    assert high == pytest.approx(0.2 + 1.96 * 0.04, abs=0.015)


def test_the_papers_figures_stand_beside_the_same_detectors_alone() -> None:
    assert paper_figures("patchcore", {"backbone": "wide_resnet50_2"}) == ("PatchCore", 0.723, 0.755)
    assert paper_figures("winclip", {"shots": 5}) == ("WinCLIP, 5 shots", 0.704, 0.742)
    assert paper_figures("april-gan", {"shots": 4}) is None
    assert paper_figures("onnx", {}) is None
