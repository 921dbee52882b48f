"""Forms of suppression beyond the paper's: contrast, few shots, calibration; each turns one normality into another.

They may be joined, in this order: contrast first (it changes the text), then few shots, then calibration, which must
see what it calibrates. All of them end as the same two tensors of a normality, so no form needs another graph.
"""

from __future__ import annotations

from nand_edge.normality import PAPER

JOINT = "+"


def joined(form: str, further: str) -> str:
    """The name of a form with a further step: `paper` with `contrast` is `contrast`, and that `contrast+calibrated`."""
    return further if form == PAPER else f"{form}{JOINT}{further}"
