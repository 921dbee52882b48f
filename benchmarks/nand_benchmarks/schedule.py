"""Suspicious frames spread evenly over batches: which batches occur how often, and percentiles of such a mixture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np


def kinds_of_batches(percent: int, batch: int) -> dict[int, float]:
    """How many suspicious frames batches have, and the share of batches with so many.

    Args:
        percent: Suspicious frames among a hundred, spread evenly.
        batch: Frames of a batch.

    Returns:
        Shares, together 1, by the number of suspicious frames in a batch.
    """
    each = Fraction(percent * batch, 100)
    period = each.denominator
    counts = Counter(int((place + 1) * each) - int(place * each) for place in range(period))
    return {suspicious: count / period for suspicious, count in sorted(counts.items())}


class Mixture:
    """Times of several kinds of batches, each kind as likely as its share.

    Args:
        times: Measured times of each kind, in any unit; every kind of `shares` is there.
        shares: How often each kind occurs.
    """

    def __init__(self, times: Mapping[int, Sequence[float]], shares: Mapping[int, float]) -> None:
        values = np.concatenate([np.asarray(times[kind], dtype=np.float64) for kind in shares])
        weights = np.concatenate(
            [np.full(len(times[kind]), share / len(times[kind])) for kind, share in shares.items()]
        )
        order = np.argsort(values, kind="stable")
        self._values, self._weights = values[order], weights[order]

    @property
    def mean(self) -> float:
        """The mean time."""
        return float(self._values @ self._weights / self._weights.sum())

    def percentile(self, percent: float) -> float:
        """The smallest measured time that at least `percent` of the batches do not exceed."""
        reached = np.cumsum(self._weights) / self._weights.sum()
        # Rounding of the sum must not push the last time out of reach.
        return float(self._values[min(int(np.searchsorted(reached, percent / 100 - 1e-9)), len(self._values) - 1)])
