"""What a number of frames can say of a rate: exact binomial intervals, without scipy, which a device has not."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""How often an interval holds the true value."""

_TAIL = (1 - LEVEL) / 2
_HALVINGS = 60


def at_most(hits: int, frames: int, rate: float) -> float:
    """Chance of at most `hits` hits among `frames`, each a hit with probability `rate`."""
    return 0.0 if hits < 0 else float(_cumulative(frames, rate)[min(hits, frames)])


def rate_interval(hits: int, frames: int) -> tuple[float, float]:
    """Exact 95 % interval of a rate of which `hits` of `frames` were seen (Clopper and Pearson 1934)."""
    low = 0.0 if hits == 0 else _rate_where(hits - 1, frames, 1 - _TAIL)
    high = 1.0 if hits == frames else _rate_where(hits, frames, _TAIL)
    return low, high


def quantile_ranks(frames: int, share: float) -> tuple[int | None, int | None]:
    """Ranks, from 0, of the sorted values between which a quantile lies with 95 %, whatever their distribution.

    The number of values below the quantile is binomial; an end that so few values cannot give is None.

    Args:
        frames: Number of values.
        share: The quantile's, in [0, 1].
    """
    chances = _cumulative(frames, share)[:frames]
    below, above = np.flatnonzero(chances <= _TAIL), np.flatnonzero(1 - chances <= _TAIL)
    return int(below[-1]) if len(below) else None, int(above[0]) if len(above) else None


def frames_for(rate: float) -> int:
    """How many frames without a single hit show, with 95 %, that the rate is not above `rate`, in (0, 1)."""
    return math.ceil(math.log(_TAIL) / math.log1p(-rate))


def _rate_where(hits: int, frames: int, chance: float) -> float:
    """The rate at which at most `hits` hits have this chance; the chance falls as the rate grows."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if at_most(hits, frames, middle) > chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _cumulative(frames: int, rate: float) -> NDArray[np.float64]:
    """Chance of at most 0, 1, ... `frames` hits, float64 [frames + 1]."""
    if not 0 < rate < 1:
        return np.ones(frames + 1) if rate <= 0 else np.append(np.zeros(frames), 1.0)
    counts = np.arange(frames + 1)
    logarithms = _log_ways(frames) + counts * math.log(rate) + (frames - counts) * math.log1p(-rate)
    return np.asarray(np.minimum(np.cumsum(np.exp(logarithms)), 1.0))


@lru_cache(maxsize=4)
def _log_ways(frames: int) -> NDArray[np.float64]:
    """Logarithm of the number of ways to choose 0, 1, ... of `frames`."""
    factorials = np.array([math.lgamma(count + 1) for count in range(frames + 1)])
    return np.asarray(factorials[-1] - factorials - factorials[::-1])
