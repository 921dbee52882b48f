"""Exact binomial intervals, against scipy and against their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.binomial import at_most, frames_for, quantile_ranks, rate_interval


@pytest.mark.parametrize(("hits", "frames"), [(0, 20), (3, 300), (20, 20), (1, 1), (250, 1000), (9999, 10000)])
def test_an_interval_is_scipys(hits: int, frames: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    expected = stats.binomtest(hits, frames).proportion_ci(0.95, method="exact")
    assert rate_interval(hits, frames) == pytest.approx((expected.low, expected.high), abs=1e-10)


@given(st.integers(1, 200), st.data())
def test_an_interval_holds_what_was_seen_and_its_ends_are_where_that_becomes_unlikely(
    frames: int, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, frames))
    low, high = rate_interval(hits, frames)
    assert 0 <= low <= hits / frames <= high <= 1
    if hits > 0:
        assert 1 - at_most(hits - 1, frames, low) == pytest.approx(0.025, abs=1e-6)
    if hits < frames:
        assert at_most(hits, frames, high) == pytest.approx(0.025, abs=1e-6)


def test_the_chance_of_at_most_so_many() -> None:
    assert at_most(1, 3, 0.5) == pytest.approx(0.5)
    assert [at_most(hits, 3, 0.5) for hits in (-1, 3, 7)] == [0, 1, 1]
    assert [at_most(1, 3, rate) for rate in (0.0, 1.0)] == [1, 0]


def test_the_ranks_around_a_quantile_hold_it_in_95_of_100_samples() -> None:
    low, high = quantile_ranks(200, 0.9)
    assert low is not None
    assert high is not None
    samples = np.sort(np.random.default_rng(0).uniform(size=(4000, 200)), axis=1)
    held = (samples[:, low] <= 0.9) & (samples[:, high] >= 0.9)
    assert 0.95 <= held.mean() < 0.975


def test_an_end_that_few_frames_cannot_give_is_none() -> None:
    assert quantile_ranks(20, 0.5) == (5, 14)
    assert quantile_ranks(300, 0.99) == (292, None)
    assert quantile_ranks(3, 0.5) == (None, None)


def test_so_many_frames_without_a_hit_show_a_rate() -> None:
    needed = frames_for(0.01)
    assert rate_interval(0, needed)[1] <= 0.01 < rate_interval(0, needed - 1)[1]
