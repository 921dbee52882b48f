"""What words did to the cells: the scores of the protocol, and the verdicts that the device gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.protocol import Pair
from nand_edge.inspection import Verdict, decide


@dataclass(frozen=True)
class GroupResult:
    """What one normality did to all labelled cells.

    Attributes:
        pair: The group that counts as normal, and all scores without and with its words, whatever the gate says.
        verdicts_after: The verdicts with the words, at the bundle's threshold and with the gate at work.
    """

    pair: Pair
    verdicts_after: tuple[Verdict, ...]

    @property
    def verdicts_before(self) -> tuple[Verdict, ...]:
        """The verdicts without the words."""
        return tuple(decide(float(score), self.pair.threshold) for score in self.pair.before)

    @property
    def released(self) -> tuple[LabelledFrame, ...]:
        """Cells that count as normal and turned from reject to pass, as they should."""
        return self._turned(anomalous=False)

    @property
    def missed(self) -> tuple[LabelledFrame, ...]:
        """Anomalous cells that turned from reject to pass, as they should not."""
        return self._turned(anomalous=True)

    def right_verdicts(self, verdicts: Sequence[Verdict]) -> int:
        """How many of `verdicts` pass what counts as normal and reject the rest."""
        pairs = zip(verdicts, self.pair.anomalous, strict=True)
        return sum((verdict is Verdict.REJECT) == bool(anomalous) for verdict, anomalous in pairs)

    def _turned(self, *, anomalous: bool) -> tuple[LabelledFrame, ...]:
        rows = zip(self.pair.frames, self.pair.anomalous, self.verdicts_before, self.verdicts_after, strict=True)
        return tuple(
            cell
            for cell, is_anomalous, before, after in rows
            if is_anomalous == anomalous and before is Verdict.REJECT and after is Verdict.PASS
        )
