"""The protocol: a group's cells count as normal from now on, so how well do scores part normal from anomalous cells?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from nand_edge.inspection import Verdict, decide
from solar_cells.cells import GOOD, Cell, Group

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class GroupResult:
    """What one normality did to all labelled cells.

    Attributes:
        group: The normality's words, and the group that counts as normal.
        cells: All labelled cells.
        before: Their scores without the words, float64 [n].
        after: Their scores with the words, whatever the gate says, float64 [n].
        threshold: The bundle's.
        verdicts_after: Their verdicts with the words, at that threshold and with the gate at work.
    """

    group: Group
    cells: tuple[Cell, ...]
    before: Scores
    after: Scores
    threshold: float
    verdicts_after: tuple[Verdict, ...]

    @property
    def normal(self) -> NDArray[np.bool_]:
        """Which cells count as normal: good ones, and those that the words speak of, bool [n]."""
        return np.array([cell.group in (GOOD, self.group.name) for cell in self.cells])

    @property
    def auroc_before(self) -> float:
        """Area under the ROC curve without the words, 0 to 1."""
        return auroc(self.normal, self.before)

    @property
    def auroc_after(self) -> float:
        """Area under the ROC curve with the words, 0 to 1."""
        return auroc(self.normal, self.after)

    @property
    def verdicts_before(self) -> tuple[Verdict, ...]:
        """The verdicts without the words."""
        return tuple(decide(float(score), self.threshold) for score in self.before)

    @property
    def released(self) -> tuple[Cell, ...]:
        """Cells that count as normal and turned from reject to pass, as they should."""
        return self._turned(normal=True)

    @property
    def missed(self) -> tuple[Cell, ...]:
        """Anomalous cells that turned from reject to pass, as they should not."""
        return self._turned(normal=False)

    def right_verdicts(self, verdicts: Sequence[Verdict]) -> int:
        """How many of `verdicts` pass what counts as normal and reject the rest."""
        pairs = zip(verdicts, self.normal, strict=True)
        return sum((verdict is Verdict.PASS) == bool(normal) for verdict, normal in pairs)

    def _turned(self, *, normal: bool) -> tuple[Cell, ...]:
        rows = zip(self.cells, self.normal, self.verdicts_before, self.verdicts_after, strict=True)
        return tuple(
            cell
            for cell, is_normal, before, after in rows
            if is_normal == normal and before is Verdict.REJECT and after is Verdict.PASS
        )


def auroc(normal: NDArray[np.bool_], scores: Scores) -> float:
    """Image AUROC: the chance that an anomalous cell scores higher than a normal one."""
    return float(roc_auc_score(~normal, scores))


def mean_auroc(results: Sequence[GroupResult]) -> tuple[float, float]:
    """Mean over the groups, before and after."""
    before = np.mean([result.auroc_before for result in results])
    after = np.mean([result.auroc_after for result in results])
    return float(before), float(after)


def change_interval(results: Sequence[GroupResult], *, draws: int = 300, seed: int = 0) -> tuple[float, float]:
    """Where 95 % of the changes of the mean AUROC lie when the cells of each group are drawn again (bootstrap)."""
    generator = np.random.default_rng(seed)
    groups = np.array([cell.group for cell in results[0].cells])
    members = [np.flatnonzero(groups == name) for name in dict.fromkeys(groups)]
    changes = []
    for _ in range(draws):
        drawn = np.concatenate([generator.choice(places, len(places)) for places in members])
        changes.append(
            np.mean(
                [
                    auroc(result.normal[drawn], result.after[drawn]) - auroc(result.normal[drawn], result.before[drawn])
                    for result in results
                ]
            )
        )
    low, high = np.percentile(changes, (2.5, 97.5))
    return float(low), float(high)
