"""Scores of frames for a calibration: what the engine gives with the CLIP branch run for every one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.sources import Source


def score_frames(inspector: Inspector, source: Source, *, on_frame: Callable[[], None]) -> Sequence[float]:
    """Score every frame of a source; the inspector is set to complete inspections meanwhile.

    The score of a frame that the gate holds back is its base score, and only below some threshold: so every frame goes
    through the whole CLIP branch while a threshold is still to be chosen.

    Args:
        inspector: Judges the frames, with the normalities that will be in force.
        source: Gives them.
        on_frame: Called after each.

    Raises:
        NandEdgeError: A frame cannot be read or inspected.
    """
    complete, scores = inspector.complete, []
    inspector.complete = True
    try:
        for frame in source:
            scores.append(inspector.inspect(frame.image, name=frame.name).score)
            on_frame()
    finally:
        inspector.complete = complete
    return scores
