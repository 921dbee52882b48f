"""Thresholds from scores: what they keep, and what so many frames can say of it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.calibration import balanced, by_false_rejects, by_misses
from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict, decide

SCORES = st.lists(st.floats(0.5, 100, width=32), min_size=10, max_size=60, unique=True)
RATES = st.just(0.0) | st.floats(1e-6, 0.99)


def rejected(scores: list[float], threshold: float) -> int:
    return sum(decide(score, threshold) is Verdict.REJECT for score in scores)


@given(SCORES, RATES)
def test_a_false_reject_rate_is_kept_and_a_lower_threshold_would_not_keep_it(good: list[float], rate: float) -> None:
    chosen = by_false_rejects(good, rate)
    assert rejected(good, chosen.threshold) == chosen.false_reject.hits <= rate * len(good) + 1e-6
    lower = max(score for score in good if score < chosen.threshold)
    assert rejected(good, lower) > rate * len(good) - 1e-6


@given(SCORES, SCORES, RATES)
def test_a_miss_rate_is_kept_and_a_higher_threshold_would_not_keep_it(
    good: list[float], bad: list[float], rate: float
) -> None:
    chosen = by_misses(good, bad, rate)
    assert chosen.miss is not None
    assert len(bad) - rejected(bad, chosen.threshold) == chosen.miss.hits <= rate * len(bad) + 1e-6
    higher = float(np.nextafter(min(score for score in bad if score >= chosen.threshold), np.inf))
    assert len(bad) - rejected(bad, higher) > rate * len(bad) - 1e-6


@given(SCORES, SCORES)
def test_the_balanced_threshold_has_the_lowest_sum_of_both_rates(good: list[float], bad: list[float]) -> None:
    def loss(threshold: float) -> float:
        return rejected(good, threshold) / len(good) + 1 - rejected(bad, threshold) / len(bad)

    chosen = balanced(good, bad)
    levels = sorted({*good, *bad})
    between = [(low + high) / 2 for low, high in pairwise(levels)]
    assert loss(chosen.threshold) == pytest.approx(min(map(loss, between)))


def test_good_and_bad_that_lie_apart_are_parted_in_the_middle() -> None:
    good, bad = list(np.linspace(1, 2, 20)), [5.0, 6.0]
    chosen = balanced(good, bad)
    assert chosen.threshold == 3.5
    assert (chosen.false_reject.hits, chosen.miss.hits if chosen.miss else None) == (0, 0)
    assert by_false_rejects(good, 0, bad).threshold == 3.5
    assert by_misses(good, bad, 0).threshold == 3.5


def test_what_was_chosen_is_told_with_numbers_and_intervals() -> None:
    good = list(np.arange(1, 301, dtype=float))
    chosen = by_false_rejects(good, 0.01, [100.0, 1000.0])
    assert chosen.threshold == 297.5
    assert chosen.interval == (293.0, None)
    assert chosen.warning == ""
    record = chosen.record("normalities: stain")
    assert record.chosen_by == (
        "at most 0.01 of 300 good frames to be rejected: 3 of 300 good frames rejected "
        "(1.0%, 95 % interval 0.2% to 2.9%); 1 of 2 bad frames pass (50.0%, 95 % interval 1.3% to 98.7%); "
        "normalities: stain"
    )
    assert record.false_reject is not None
    assert record.false_reject.interval_95 == pytest.approx((0.002067, 0.028945), abs=1e-6)


def test_too_few_frames_for_a_rate_are_told() -> None:
    chosen = by_false_rejects(list(np.arange(1, 21, dtype=float)), 0.01)
    assert chosen.threshold == pytest.approx(20.2)
    assert chosen.warning == (
        "20 good frames are too few for 0.01: with none of them the true rate may still be 16.8%; 368 would show it"
    )
    assert chosen.warning in chosen.record("").chosen_by
    assert by_false_rejects(list(np.arange(1, 21, dtype=float)), 0.05).warning == ""


def test_equal_scores_are_never_parted() -> None:
    good = [1.0] * 15 + [2.0] * 5
    assert by_false_rejects(good, 0.1).threshold == pytest.approx(2.02)
    assert by_false_rejects(good, 0.25).threshold == 1.5


def test_a_score_that_is_no_number_is_a_reject() -> None:
    good = [*np.arange(1, 20, dtype=float), np.nan]
    assert by_false_rejects(good, 0.05).false_reject.hits == 1
    assert by_false_rejects(good, 0.05).threshold == pytest.approx(19 * 1.01)
    with pytest.raises(NandEdgeError, match="no numbers"):
        by_false_rejects(good, 0)


@pytest.mark.parametrize(
    ("good", "rate", "message"),
    [
        ([1.0] * 9, 0.01, "found 9 good frames, needed at least 10"),
        ([0.0] * 20, 0.01, "scores that are 0"),
        ([1.0, 2.0] * 10, 1.0, "false-reject rate: found 1.0"),
        ([1.0, 2.0] * 10, -0.1, "false-reject rate"),
        ([1.0, 2.0] * 10, float("nan"), "false-reject rate: found nan"),
    ],
)
def test_what_gives_no_threshold_is_refused(good: list[float], rate: float, message: str) -> None:
    with pytest.raises(NandEdgeError, match=message):
        by_false_rejects(good, rate)


def test_without_bad_frames_there_is_nothing_to_balance() -> None:
    for choose in (lambda: balanced([1.0, 2.0] * 5, []), lambda: by_misses([1.0, 2.0] * 5, [], 0.1)):
        with pytest.raises(NandEdgeError, match="found no bad frame"):
            choose()
    with pytest.raises(NandEdgeError, match="all the same"):
        balanced([1.0] * 10, [1.0])
