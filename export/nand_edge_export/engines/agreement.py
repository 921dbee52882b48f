"""Whether an engine that runs on this machine agrees with the reference's results in the bundle's samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import GRAPH_FOR_TENSORRT, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.samples import MAX_MAP_ERROR, REFERENCES, Results, compare, read_samples

RunEngine = Callable[[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]], dict[str, NDArray[np.float32]]]
"""(frames, threshold, text_features) -> outputs, by the names of the graph's signature."""


def map_error(bundle: Bundle, target: Target, run: RunEngine) -> float | None:
    """Largest difference of an engine's maps from the reference's, over the bundle's samples.

    Args:
        bundle: The bundle that the engine belongs to.
        target: The engine's target.
        run: Runs the engine.

    Returns:
        The difference; None when the bundle has no samples or no active normality, with which they were computed.

    Raises:
        NandEdgeError: The difference is over the target's `MAX_MAP_ERROR`, a verdict at the bundle's threshold is
            another one, or the samples are damaged.
    """
    active = [record.name for record in bundle.manifest.normalities if record.active]
    if not active or not bundle.path(REFERENCES[GRAPH_FOR_TENSORRT]).is_file():
        return None
    samples = read_samples(bundle, GRAPH_FOR_TENSORRT)
    text_features = np.stack([bundle.normality(name).text_features for name in active])

    def run_frame(frame: NDArray[np.uint8], gate: float) -> Results:
        return run(frame[None], np.asarray(gate, np.float32), text_features)

    largest, equal = compare(samples, run_frame, threshold=bundle.manifest.threshold.value)
    allowed, wrong = MAX_MAP_ERROR[target], len(samples.frames) - equal
    if largest > allowed or wrong:
        raise NandEdgeError(
            "the engine that was built",
            found=f"maps off by {largest:.2g} and {wrong} of {len(samples.frames)} verdicts different",
            needed=f"maps within {allowed:g} of the reference and equal verdicts",
            do="update the target's package, or use another target",
        )
    return largest
