"""The threshold from scores: by a rate of false rejects, by a rate of misses, or where good and bad part best.

A frame is rejected when its score is at least the threshold. The threshold lies midway between two scores that were
seen, so that an engine's rounding does not turn the verdict of either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.binomial import frames_for, quantile_ranks, rate_interval
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import RateRecord, ThresholdRecord

FEWEST_GOOD_FRAMES = 10
USUAL_FALSE_REJECT_RATE = 0.01

_LEAST_RATE = 1e-6
_MARGIN = 0.01
"""Share of a score by which the threshold is put off it, where no other score lies on that side."""

Scores = NDArray[np.float64]
Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Calibration:
    """A threshold and what the frames say of it.

    Attributes:
        threshold: What scores are to be compared with.
        goal: What it was chosen for, in words.
        false_reject: Good frames that are rejected.
        miss: Bad frames that pass; None without any.
        interval: Between which scores the threshold for this goal lies with 95 %, whatever the scores' distribution;
            None at an end that so few frames cannot give, and as a whole where the goal is no rate.
        warning: What the frames are too few for; empty when they are enough.
    """

    threshold: float
    goal: str
    false_reject: RateRecord
    miss: RateRecord | None = None
    interval: Interval | None = None
    warning: str = ""

    def record(self, setting: str) -> ThresholdRecord:
        """The manifest's entry; `setting` says what was in force, in words."""
        told = [f"{self.goal}: {rejected_words(self.false_reject)}"]
        told += [missed_words(self.miss)] if self.miss else []
        return ThresholdRecord(
            value=self.threshold,
            chosen_by="; ".join([*told, *([self.warning] if self.warning else []), setting]),
            interval_95=self.interval,
            false_reject=self.false_reject,
            miss=self.miss,
        )

    def to_json(self) -> dict[str, Any]:
        """The calibration as one JSON object."""
        return {
            "threshold": self.threshold,
            "goal": self.goal,
            "threshold_interval_95": None if self.interval is None else list(self.interval),
            "false_reject": _rate_json(self.false_reject),
            "miss": None if self.miss is None else _rate_json(self.miss),
            "warning": self.warning or None,
        }


def by_false_rejects(good: Iterable[float], rate: float, bad: Iterable[float] = ()) -> Calibration:
    """The lowest threshold that rejects at most this share of the good frames.

    Args:
        good: Scores of good frames.
        rate: The share: 0, or from 1e-6 to below 1.
        bad: Scores of bad frames, which only tell what is missed.

    Raises:
        NandEdgeError: Fewer than 10 good frames, a rate out of its range, or scores that part nothing.
    """
    good_scores, bad_scores = _sorted(good), _sorted(bad)
    _require(good_scores, rate, "false-reject rate")
    count = len(good_scores)
    # The share of a whole number of frames, such as 0.07 of 100, may be a rounding error below it.
    highest_passing = float(good_scores[count - 1 - int(rate * count + 1e-9)])
    threshold = _just_above(highest_passing, np.concatenate([good_scores, bad_scores]))
    interval = _interval(good_scores, 1 - rate)
    goal = f"at most {rate:.3g} of {count} good frames to be rejected"
    warning = _too_few(count, rate, "good")
    return _told(threshold, goal, good_scores, bad_scores, interval=interval, warning=warning)


def by_misses(good: Iterable[float], bad: Iterable[float], rate: float) -> Calibration:
    """The highest threshold that lets at most this share of the bad frames pass.

    Raises:
        NandEdgeError: Fewer than 10 good frames, no bad frame, or a share out of its range.
    """
    good_scores, bad_scores = _sorted(good), _sorted(bad)
    _require(good_scores, rate, "miss rate")
    _require_bad(bad_scores)
    count = len(bad_scores)
    lowest_rejected = float(bad_scores[int(rate * count + 1e-9)])
    threshold = _just_below(lowest_rejected, np.concatenate([good_scores, bad_scores]))
    goal = f"at most {rate:.3g} of {count} bad frames to pass"
    interval = _interval(bad_scores, rate)
    warning = _too_few(count, rate, "bad")
    return _told(threshold, goal, good_scores, bad_scores, interval=interval, warning=warning)


def balanced(good: Iterable[float], bad: Iterable[float]) -> Calibration:
    """The threshold with the lowest sum of false-reject rate and miss rate (Youden 1950), in the widest such gap.

    Raises:
        NandEdgeError: Fewer than 10 good frames, no bad frame, or scores that are all the same.
    """
    good_scores, bad_scores = _sorted(good), _sorted(bad)
    _require(good_scores, 0.0, "")
    _require_bad(bad_scores)
    levels = np.unique(np.concatenate([good_scores, bad_scores]))
    levels = levels[np.isfinite(levels)]
    if len(levels) < 2:
        raise _nothing_to_part()
    middles, gaps = (levels[1:] + levels[:-1]) / 2, np.diff(levels)
    rejected = 1 - np.searchsorted(good_scores, middles) / len(good_scores)
    missed = np.searchsorted(bad_scores, middles) / len(bad_scores)
    loss = rejected + missed
    best = np.flatnonzero(loss <= loss.min() + 1e-12)
    threshold = float(middles[best[np.argmax(gaps[best])]])
    goal = f"the lowest sum of both rates on {len(good_scores)} good and {len(bad_scores)} bad frames"
    return _told(threshold, goal, good_scores, bad_scores)


def rejected_words(rate: RateRecord) -> str:
    """The false-reject rate as one phrase."""
    return f"{rate.hits} of {rate.frames} good frames rejected ({_percents(rate)})"


def missed_words(rate: RateRecord) -> str:
    """The miss rate as one phrase."""
    return f"{rate.hits} of {rate.frames} bad frames pass ({_percents(rate)})"


def _percents(rate: RateRecord) -> str:
    low, high = rate.interval_95
    return f"{rate.hits / rate.frames:.1%}, 95 % interval {low:.1%} to {high:.1%}"


def _told(
    threshold: float, goal: str, good: Scores, bad: Scores, *, interval: Interval | None = None, warning: str = ""
) -> Calibration:
    missed = int(np.searchsorted(bad, threshold)) if len(bad) else 0
    return Calibration(
        threshold=threshold,
        goal=goal,
        false_reject=_rate(len(good) - int(np.searchsorted(good, threshold)), len(good)),
        miss=_rate(missed, len(bad)) if len(bad) else None,
        interval=interval,
        warning=warning,
    )


def _sorted(scores: Iterable[float]) -> Scores:
    """Ascending; a score that is no number is rejected whatever the threshold, as an infinite one is."""
    return np.sort(np.nan_to_num(np.fromiter(scores, dtype=np.float64), nan=np.inf, posinf=np.inf))


def _just_above(score: float, scores: Scores) -> float:
    higher = scores[(scores > score) & np.isfinite(scores)]
    return _apart(score, float(higher.min()) if len(higher) else score * (1 + 2 * _MARGIN))


def _just_below(score: float, scores: Scores) -> float:
    lower = scores[scores < score]
    return _apart(score, float(lower.max()) if len(lower) else score * (1 - 2 * _MARGIN))


def _apart(score: float, other: float) -> float:
    """Midway between two scores that differ."""
    if not np.isfinite(score) or score == other:
        raise _nothing_to_part()
    return (score + other) / 2


def _interval(scores: Scores, share: float) -> Interval:
    low, high = (None if rank is None else float(scores[rank]) for rank in quantile_ranks(len(scores), share))
    return low, None if high is None or not np.isfinite(high) else high


def _too_few(count: int, rate: float, kind: str) -> str:
    """A rate below one frame in all that there are cannot be seen, only hoped for."""
    if not rate or rate * count >= 1:
        return ""
    return (
        f"{count} {kind} frames are too few for {rate:.3g}: with none of them the true rate may still be "
        f"{rate_interval(0, count)[1]:.1%}; {frames_for(rate)} would show it"
    )


def _rate(hits: int, frames: int) -> RateRecord:
    return RateRecord(hits=hits, frames=frames, interval_95=rate_interval(hits, frames))


def _rate_json(rate: RateRecord) -> dict[str, Any]:
    return {"rate": rate.hits / rate.frames, **rate.model_dump(mode="json")}


def _require(good: Scores, rate: float, name: str) -> None:
    if len(good) < FEWEST_GOOD_FRAMES:
        raise NandEdgeError(
            "calibration",
            found=f"{len(good)} good frames",
            needed=f"at least {FEWEST_GOOD_FRAMES}",
            do="photograph more good parts: fewer say next to nothing of a rate",
        )
    if rate != 0 and not _LEAST_RATE <= rate < 1:
        needed = f"0, or a share from {_LEAST_RATE:g} to below 1"
        raise NandEdgeError(name, found=str(rate), needed=needed, do="give 0.01 for 1 %, say")


def _require_bad(bad: Scores) -> None:
    if not len(bad):
        raise NandEdgeError(
            "calibration", found="no bad frame", needed="at least one", do="name a folder of them with --bad"
        )


def _nothing_to_part() -> NandEdgeError:
    return NandEdgeError(
        "calibration",
        found="scores that are 0, no numbers, or all the same where the threshold would be",
        needed="scores that differ from frame to frame",
        do="check the detector and the frames with `nand-edge inspect`",
    )
