"""Whether an engine that runs on this machine agrees with the reference's results in the bundle's samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.normality import stack
from nand_edge.samples import (
    REFERENCES,
    Results,
    allowed_map_error,
    allowed_score_error,
    compare,
    graph_of,
    read_samples,
)
from nand_edge.signature import FRAMES, REGION, THRESHOLD

RunEngine = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]
"""Inputs to outputs, by the names of the graph's signature."""


def map_error(bundle: Bundle, target: Target, run: RunEngine, *, precision: str = "fp32") -> float | None:
    """Largest difference of an engine's maps from the reference's, over the bundle's samples.

    Args:
        bundle: The bundle that the engine belongs to.
        target: The engine's target.
        run: Runs the engine.
        precision: The engine's: how much it may be off depends on it.

    Returns:
        The difference; None when the bundle has no samples or no active normality, with which they were computed.

    Raises:
        NandEdgeError: The difference is over what `allowed_map_error` says, a verdict at the bundle's threshold is
            another one though its score is not near, or the samples are damaged.
    """
    active = [record.name for record in bundle.manifest.normalities if record.active]
    if not active or not bundle.path(REFERENCES[graph_of(target)]).is_file():
        return None
    samples = read_samples(bundle, graph_of(target))
    normalities = stack([bundle.normality(name) for name in active], len(bundle.manifest.clip.taps))
    inputs = {**normalities.inputs(), REGION: bundle.region().map}

    def run_frame(frame: NDArray[np.uint8], gate: float) -> Results:
        return run({FRAMES: frame[None], THRESHOLD: np.asarray(gate, np.float32), **inputs})

    allowed, margin = (each(target, precision, samples) for each in (allowed_map_error, allowed_score_error))
    largest, equal = compare(samples, run_frame, threshold=bundle.manifest.threshold.value, margin=margin)
    wrong = len(samples.frames) - equal
    if largest > allowed or wrong:
        raise NandEdgeError(
            "the engine that was built",
            found=f"maps off by {largest:.2g} and {wrong} of {len(samples.frames)} verdicts different",
            needed=f"maps within {allowed:g} of the reference and equal verdicts",
            do="update the target's package, or use another target or precision",
        )
    return largest
