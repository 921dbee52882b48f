"""How cost grows: the exponent of a power law through measured points, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Growth:
    """Cost is about proportional to size to the power of an exponent.

    Attributes:
        exponent: Slope of the least-squares line through the logarithms.
        low: Lower end of its 95 % interval (Student's t; residuals taken as independent and equally spread).
        high: Upper end.
    """

    exponent: float
    low: float
    high: float

    def __str__(self) -> str:
        """The exponent and its interval: "0.98 (0.91 to 1.05)"."""
        return f"{self.exponent:.2f} ({self.low:.2f} to {self.high:.2f})"


def growth(sizes: Sequence[float], costs: Sequence[float]) -> Growth:
    """Fit the exponent.

    Args:
        sizes: At least three positive sizes that are not all equal.
        costs: One positive cost a size.

    Raises:
        ValueError: There are too few points for an interval, or one has no logarithm.
    """
    if len(sizes) != len(costs) or len(sizes) < 3 or len(set(sizes)) < 2:
        raise ValueError("an exponent with its interval needs at least three points at different sizes")
    if min(*sizes, *costs) <= 0:
        raise ValueError("only positive sizes and costs have logarithms")
    across, up = np.log(sizes) - np.mean(np.log(sizes)), np.log(costs) - np.mean(np.log(costs))
    spread = float(across @ across)
    slope = float(across @ up) / spread
    residuals = up - slope * across
    freedom = len(sizes) - 2
    reach = float(stats.t.ppf(0.975, freedom)) * float(np.sqrt(residuals @ residuals / freedom / spread))
    return Growth(slope, slope - reach, slope + reach)
