from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_benchmarks.fit import growth


@given(st.floats(-1, 3), st.floats(0.01, 1000))
def test_a_power_law_gives_its_exponent_with_no_doubt(exponent: float, factor: float) -> None:
    sizes = [1.0, 2.0, 5.0, 16.0, 64.0]
    found = growth(sizes, [factor * size**exponent for size in sizes])
    assert found.exponent == pytest.approx(exponent, abs=1e-9)
    assert found.high - found.low == pytest.approx(0, abs=1e-5)


def test_the_interval_holds_the_true_exponent_about_95_times_in_a_hundred() -> None:
    noise, sizes = np.random.default_rng(0), np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    held = 0
    for _ in range(400):
        found = growth(list(sizes), list(sizes**0.7 * np.exp(noise.normal(0, 0.1, len(sizes)))))
        held += found.low <= 0.7 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_a_constant_beside_the_growing_part_bends_the_exponent_down() -> None:
    sizes = [1.0, 10.0, 100.0]
    assert growth(sizes, [10 + size for size in sizes]).exponent < 0.6


@pytest.mark.parametrize(
    ("sizes", "costs"),
    [([1, 2], [1, 2]), ([2, 2, 2], [1, 2, 3]), ([1, 2, 3], [1, 2, 0]), ([0, 2, 3], [1, 2, 3]), ([1, 2, 3], [1, 2])],
)
def test_points_that_no_line_or_interval_can_be_fitted_to_are_refused(sizes: list[float], costs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"exponent|logarithms"):
        growth(sizes, costs)
