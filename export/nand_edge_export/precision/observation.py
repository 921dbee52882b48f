"""What values a graph's tensors take on real frames, and the range that stands for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from nand_edge_export.precision.frames import Inputs, session_of
from nand_edge_export.precision.nested import expose

_BINS = 2048
_LEVELS = 255


@dataclass
class Histogram:
    """The values of one tensor over all frames.

    Attributes:
        low: Smallest value seen, at most 0.
        high: Largest value seen, at least 0.
        counts: int64 [2048], how many values fell into each of as many equal parts of low..high.
        size: The most values that the tensor had in one run.
    """

    low: float = 0.0
    high: float = 0.0
    counts: NDArray[np.int64] | None = None
    size: int = 0

    def widen(self, values: NDArray[np.float32]) -> None:
        """Let the range hold these values; counts start again."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self.size = max(self.size, values.size)

    def count(self, values: NDArray[np.float32]) -> None:
        """Count these values, all within the range."""
        counts, _ = np.histogram(values, bins=_BINS, range=(self.low, self.high))
        self.counts = counts if self.counts is None else self.counts + counts

    @property
    def middles(self) -> NDArray[np.float64]:
        """The middle of each part."""
        width = (self.high - self.low) / _BINS
        return np.asarray(self.low + width * (np.arange(_BINS) + 0.5), np.float64)


@dataclass(frozen=True)
class Range:
    """The values that eight bits are spread over: low <= 0 <= high, not both 0."""

    low: float
    high: float


ChooseRange = Callable[[Histogram], Range]


def by_extremes(histogram: Histogram) -> Range:
    """The smallest and the largest value: nothing is cut."""
    return Range(histogram.low, histogram.high)


def by_percentile(histogram: Histogram, share: float = 0.9999) -> Range:
    """The range that holds this share of all values, as much cut at either end."""
    counts = _counts(histogram)
    cumulated = np.cumsum(counts) / counts.sum()
    outside = (1 - share) / 2
    first = int(np.searchsorted(cumulated, outside))
    last = int(np.searchsorted(cumulated, 1 - outside))
    width = (histogram.high - histogram.low) / _BINS
    return _holding_zero(histogram.low + first * width, histogram.low + (min(last, _BINS - 1) + 1) * width)


def by_error(histogram: Histogram) -> Range:
    """The range with the least mean squared error of the rounded and cut values, among 60 shrunk ones."""
    counts, middles = _counts(histogram), histogram.middles
    best, least = by_extremes(histogram), np.inf
    for kept in np.linspace(0.2, 1.0, 60):
        candidate = _holding_zero(histogram.low * kept, histogram.high * kept)
        scale = (candidate.high - candidate.low) / _LEVELS
        rounded = np.clip(np.round(middles / scale) * scale, candidate.low, candidate.high)
        # Within a part the values' own spread is rounded away too, but that is the same for every candidate.
        error = float((counts * ((rounded - middles) ** 2 + (scale**2 / 12) * (np.abs(middles) > 0))).sum())
        if error < least:
            best, least = candidate, error
    return best


def by_entropy(histogram: Histogram) -> Range:
    """The range whose 128 levels keep the distribution best, by Kullback-Leibler divergence (Migacz 2017)."""
    counts, middles = _counts(histogram).astype(np.float64), histogram.middles
    best, least = by_extremes(histogram), np.inf
    for kept in np.linspace(0.3, 1.0, 36):
        candidate = _holding_zero(histogram.low * kept, histogram.high * kept)
        inside = (middles >= candidate.low) & (middles <= candidate.high)
        reference = counts[inside].copy()
        if reference.size < 128:
            continue
        reference[0] += counts[middles < candidate.low].sum()
        reference[-1] += counts[middles > candidate.high].sum()
        divergence = _divergence(reference, counts[inside])
        if divergence < least:
            best, least = candidate, divergence
    return best


RANGES: dict[str, ChooseRange] = {
    "extremes": by_extremes,
    "percentile": by_percentile,
    "error": by_error,
    "entropy": by_entropy,
}


def observe(
    model: onnx.ModelProto,
    names: Iterable[str],
    inputs: Sequence[Inputs],
    *,
    only_ranges: bool = False,
    on_frame: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, Histogram]:
    """Run the model on the frames and give a histogram of each named float value that was computed.

    Args:
        model: The fp32 model, with its weights; left as it is.
        names: Values anywhere in it, bodies of an `If` included.
        inputs: The runs.
        only_ranges: Whether the smallest and largest values are enough; then nothing is counted.
        on_frame: Told how many runs are done, of how many: to be counted, every frame runs twice.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    shown = expose(watched, names)
    session = session_of(watched)
    del watched
    found: dict[str, Histogram] = {}
    steps = (Histogram.widen,) if only_ranges else (Histogram.widen, Histogram.count)
    for step, collect in enumerate(steps):
        for place, each in enumerate(inputs):
            on_frame(step * len(inputs) + place, len(steps) * len(inputs))
            for name, values in zip(shown, session.run(list(shown.values()), each), strict=True):
                if values.size:
                    collect(found.setdefault(name, Histogram()), values)
    return {name: histogram for name, histogram in found.items() if histogram.high > histogram.low}


def _counts(histogram: Histogram) -> NDArray[np.int64]:
    if histogram.counts is None:
        raise ValueError("nothing was counted")
    return histogram.counts


def _holding_zero(low: float, high: float) -> Range:
    low, high = min(low, 0.0), max(high, 0.0)
    return Range(low, high if high > low else low + 1e-6)


def _divergence(reference: NDArray[np.float64], counts: NDArray[np.float64], levels: int = 128) -> float:
    """Kullback-Leibler divergence of the counts gathered in `levels` and spread again, from the reference."""
    edges = np.linspace(0, reference.size, levels + 1).astype(int)
    taken = counts > 0
    sums = np.add.reduceat(counts, edges[:-1])
    shares = np.maximum(np.add.reduceat(taken.astype(np.float64), edges[:-1]), 1)
    spread = np.where(taken, np.repeat(sums / shares, np.diff(edges)), 0.0)
    p, q = reference / max(reference.sum(), 1), spread / max(spread.sum(), 1)
    both = (p > 0) & (q > 0)
    # What the reference has where the levels have nothing is as bad as a very small share there.
    missing = p[(p > 0) & (q == 0)].sum()
    return float((p[both] * np.log(p[both] / q[both])).sum() + missing * 10.0)
