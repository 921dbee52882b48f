"""Table 3 of NAND: the mean image AUROC over all pairs of MVTec AD that the paper reports, to stand beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class PaperFigures(NamedTuple):
    """A row of the table, AUROC from 0 to 1."""

    detector: str
    before: float
    after: float


_TABLE_3 = {
    ("april-gan", 0): PaperFigures("APRIL-GAN", 0.706, 0.751),
    ("winclip", 0): PaperFigures("WinCLIP, 0 shots", 0.659, 0.699),
    ("winclip", 1): PaperFigures("WinCLIP, 1 shot", 0.674, 0.710),
    ("winclip", 5): PaperFigures("WinCLIP, 5 shots", 0.704, 0.742),
    ("patchcore", 0): PaperFigures("PatchCore", 0.723, 0.755),
}


def paper_figures(kind: str, settings: Mapping[str, Any]) -> PaperFigures | None:
    """The paper's row for a base detector; None where it has none.

    Args:
        kind: The method's name.
        settings: The detector's; `shots` is how many reference frames a few-shot detector has.
    """
    return _TABLE_3.get((kind, int(settings.get("shots", 0))))
