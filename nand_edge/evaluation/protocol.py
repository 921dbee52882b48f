"""The protocol of NAND: a group's frames count as normal, so how well do scores part normal from anomalous frames?

Tables 1 to 3 of NAND give the image AUROC before and after. Beside it stand the rates at a threshold that was fixed
beforehand, which the paper does not give: how many frames of the added group are still rejected, and how many of all
other defects pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from nand_edge.evaluation.bootstrap import LEVEL, Draws, auroc_of_draws, draw_frames, interval, rate_of_draws
from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.groups import Group
from nand_edge.inspection import Verdict, decide

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rate:
    """A share of frames.

    Attributes:
        hits: How many.
        frames: Of how many.
        draws: The share in each bootstrap draw.
    """

    hits: int
    frames: int
    draws: Draws

    @property
    def value(self) -> float:
        """The share, 0 to 1."""
        return self.hits / self.frames

    def to_json(self) -> dict[str, Any]:
        """The share with two intervals.

        A share of 0 or 1 is the same in every bootstrap draw; how little a few frames say of it is in the exact
        interval of the binomial distribution (Clopper and Pearson 1934).
        """
        exact = binomtest(self.hits, self.frames).proportion_ci(LEVEL, method="exact")
        return {
            "rate": self.value,
            "hits": self.hits,
            "frames": self.frames,
            "interval_95": list(interval(self.draws)),
            "interval_95_binomial": [float(exact.low), float(exact.high)],
        }


@dataclass(frozen=True)
class Pair:
    """A class and a group of it: what one normality did to all test frames of the class.

    Attributes:
        class_name: The class.
        group: What is declared normal.
        frames: The test frames, n of them.
        before: Their scores without the normality, float64 [n].
        after: Their scores with it, whatever the gate says, float64 [n].
        threshold: What scores are compared with, fixed before any test frame was seen.
    """

    class_name: str
    group: Group
    frames: tuple[LabelledFrame, ...]
    before: Scores
    after: Scores
    threshold: float

    @cached_property
    def added(self) -> Flags:
        """Frames with defects of the group and no other, bool [n]."""
        folders = set(self.group.folders)
        return np.array([bool(frame.kinds) and set(frame.kinds) <= folders for frame in self.frames])

    @cached_property
    def anomalous(self) -> Flags:
        """Frames that must still be rejected: with a defect that is not in the group, bool [n]."""
        return np.array([bool(frame.kinds) for frame in self.frames]) & ~self.added

    @property
    def auroc_before(self) -> float:
        """Image AUROC without the normality, 0 to 1."""
        return auroc(self.anomalous, self.before)

    @property
    def auroc_after(self) -> float:
        """Image AUROC with it, 0 to 1."""
        return auroc(self.anomalous, self.after)

    @cached_property
    def draws_before(self) -> Draws:
        """`auroc_before` in each bootstrap draw."""
        return auroc_of_draws(self._drawn, self.anomalous, self.before)

    @cached_property
    def draws_after(self) -> Draws:
        """`auroc_after` in the same draws."""
        return auroc_of_draws(self._drawn, self.anomalous, self.after)

    def false_reject_rate(self, scores: Scores) -> Rate:
        """Share of the added group that is rejected with these scores."""
        return self._rate(self.added, self.rejected(scores))

    def miss_rate(self, scores: Scores) -> Rate:
        """Share of all other defects that pass with these scores."""
        return self._rate(self.anomalous, ~self.rejected(scores))

    def rejected(self, scores: Scores) -> Flags:
        """The verdicts at the threshold, bool [n]."""
        return np.array([decide(float(score), self.threshold) is Verdict.REJECT for score in scores])

    def to_json(self) -> dict[str, Any]:
        """All figures of the pair."""
        return {
            "class": self.class_name,
            "group": self.group.name,
            "folders": list(self.group.folders),
            "words": self.group.words,
            "object": self.group.object_name,
            "frames": len(self.frames),
            "frames_added": int(self.added.sum()),
            "frames_anomalous": int(self.anomalous.sum()),
            **_before_and_after(self.auroc_before, self.auroc_after, self.draws_before, self.draws_after),
            "threshold": self.threshold,
            "false_reject_rate_added": _rates(self.false_reject_rate(self.before), self.false_reject_rate(self.after)),
            "miss_rate_others": _rates(self.miss_rate(self.before), self.miss_rate(self.after)),
        }

    @cached_property
    def _drawn(self) -> Draws:
        return draw_frames([frame.label for frame in self.frames], seed=self.class_name)

    def _rate(self, members: Flags, hits: Flags) -> Rate:
        return Rate(int(hits[members].sum()), int(members.sum()), rate_of_draws(self._drawn, members, hits))


def auroc(anomalous: Flags, scores: Scores) -> float:
    """Image AUROC: the chance that an anomalous frame scores higher than a normal one, 0 to 1."""
    return float(roc_auc_score(anomalous, scores))


def means(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The mean AUROC over pairs, before and after, with intervals (Table 3 of NAND has the means)."""
    fields = _before_and_after(
        float(np.mean([pair.auroc_before for pair in pairs])),
        float(np.mean([pair.auroc_after for pair in pairs])),
        np.mean([pair.draws_before for pair in pairs], axis=0),
        np.mean([pair.draws_after for pair in pairs], axis=0),
    )
    return {
        **{f"mean_{name}": value for name, value in fields.items()},
        "mean_false_reject_rate_added": _mean_rates(
            [(p.false_reject_rate(p.before), p.false_reject_rate(p.after)) for p in pairs]
        ),
        "mean_miss_rate_others": _mean_rates([(p.miss_rate(p.before), p.miss_rate(p.after)) for p in pairs]),
    }


def _before_and_after(before: float, after: float, draws_before: Draws, draws_after: Draws) -> dict[str, Any]:
    return {
        "auroc_before": before,
        "auroc_after": after,
        "auroc_change": after - before,
        "auroc_before_interval_95": list(interval(draws_before)),
        "auroc_after_interval_95": list(interval(draws_after)),
        "auroc_change_interval_95": list(interval(draws_after - draws_before)),
    }


def _rates(before: Rate, after: Rate) -> dict[str, Any]:
    return {"before": before.to_json(), "after": after.to_json()}


def _mean_rates(rates: Sequence[tuple[Rate, Rate]]) -> dict[str, Any]:
    return {
        side: {
            "rate": float(np.mean([rate.value for rate in of_pairs])),
            "interval_95": list(interval(np.mean([rate.draws for rate in of_pairs], axis=0))),
        }
        for side, of_pairs in zip(("before", "after"), zip(*rates, strict=True), strict=True)
    }
