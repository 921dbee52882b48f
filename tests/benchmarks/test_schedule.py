from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_benchmarks.schedule import Mixture, kinds_of_batches


def test_one_suspicious_frame_in_a_hundred_falls_into_four_of_25_batches_of_16() -> None:
    assert kinds_of_batches(1, 16) == pytest.approx({0: 21 / 25, 1: 4 / 25})


def test_all_suspicious_or_none_makes_one_kind_of_batch() -> None:
    assert kinds_of_batches(100, 16) == {16: 1.0}
    assert kinds_of_batches(0, 16) == {0: 1.0}


@given(st.integers(0, 100), st.integers(1, 64))
def test_the_share_of_suspicious_frames_is_kept(percent: int, batch: int) -> None:
    kinds = kinds_of_batches(percent, batch)
    assert sum(kinds.values()) == pytest.approx(1)
    assert sum(kind * share for kind, share in kinds.items()) == pytest.approx(percent * batch / 100)
    assert max(kinds) - min(kinds) <= 1, "spread evenly"


def test_percentiles_of_a_mixture_weigh_kinds_by_how_often_they_occur() -> None:
    times = {0: [10.0] * 50, 1: [30.0] * 3}
    mixture = Mixture(times, {0: 0.98, 1: 0.02})
    assert mixture.percentile(50) == 10
    assert mixture.percentile(98) == 10
    assert mixture.percentile(99) == 30
    assert mixture.mean == pytest.approx(10.4)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30), st.floats(1, 100))
def test_a_mixture_of_one_kind_has_the_percentiles_of_its_times(times: list[float], percent: float) -> None:
    expected = np.percentile(times, percent, method="inverted_cdf")
    assert Mixture({3: times}, {3: 1.0}).percentile(percent) == pytest.approx(expected)
