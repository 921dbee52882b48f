"""Whether an engine that runs on this machine agrees with the reference's results in the bundle's samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import GRAPH_FOR_TENSORRT, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.inspection import decide
from nand_edge.samples import REFERENCES, largest_difference, read_samples
from nand_edge.signature import SCORE

MAX_MAP_ERROR = 5e-3
"""What fp32 maps may be off by: an engine's own arithmetic rounds a resized pixel in some 10,000 to the next grey
level, which alone moves a map by 1e-3. With equal pixels engines agree to 1e-5."""

_GATE_OPEN = -1e30

RunEngine = Callable[[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]], dict[str, NDArray[np.float32]]]
"""(frames, threshold, text_features) -> outputs, by the names of the graph's signature."""


def map_error(bundle: Bundle, run: RunEngine) -> float | None:
    """Largest difference of an engine's maps from the reference's, over the bundle's samples.

    Args:
        bundle: The bundle that the engine belongs to.
        run: Runs the engine.

    Returns:
        The difference; None when the bundle has no samples or no active normality, with which they were computed.

    Raises:
        NandEdgeError: The difference is over `MAX_MAP_ERROR`, a verdict at the bundle's threshold is another one, or
            the samples are damaged.
    """
    active = [record.name for record in bundle.manifest.normalities if record.active]
    if not active or not bundle.path(REFERENCES[GRAPH_FOR_TENSORRT]).is_file():
        return None
    samples = read_samples(bundle, GRAPH_FOR_TENSORRT)
    text_features = np.stack([bundle.normality(name).text_features for name in active])
    threshold = bundle.manifest.threshold.value
    largest, wrong = 0.0, 0
    for place, frame in enumerate(samples.frames):
        reference = samples.of_frame(place)
        opened = run(frame[None], np.asarray(_GATE_OPEN, np.float32), text_features)
        largest = max(largest, largest_difference(opened, reference))
        gated = run(frame[None], np.asarray(threshold, np.float32), text_features)
        wrong += decide(float(gated[SCORE][0]), threshold) is not decide(float(reference[SCORE][0]), threshold)
    if largest > MAX_MAP_ERROR or wrong:
        raise NandEdgeError(
            "the engine that was built",
            found=f"maps off by {largest:.2g} and {wrong} of {len(samples.frames)} verdicts different",
            needed=f"maps within {MAX_MAP_ERROR:g} of the reference and equal verdicts",
            do="update the target's package, or use another target",
        )
    return largest
