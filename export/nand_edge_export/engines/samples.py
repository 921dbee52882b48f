"""Comparing an engine that runs on this machine with the reference's results that the export left in the bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from nand_edge.bundle import SAMPLES, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge.inspection import decide
from nand_edge.signature import ANOMALY_MAP, BASE_MAP, BASE_SCORE, SCORE, SUPPRESSION_MAP

REFERENCE = f"{SAMPLES}/reference.safetensors"
MAX_MAP_ERROR = 5e-3
"""What maps may be off by: kernels sum in another order, and a resized pixel in 10,000 may be off by a grey level."""

_MAPS = (BASE_MAP, SUPPRESSION_MAP, ANOMALY_MAP)
_GATE_OPEN = -1e30

RunEngine = Callable[[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]], dict[str, NDArray[Any]]]
"""(frames, threshold, text_features) -> outputs, by the names of the graph's signature."""


@dataclass(frozen=True)
class Samples:
    """The samples of a bundle.

    Attributes:
        frames: For each sample, uint8 [H, W, 3].
        reference: For each of the graph's maps and scores, float32 [n, ...], on the open side of the gate.
        text_features: float32 [K, 2, D] of the active normalities.
        threshold: The bundle's.
    """

    frames: tuple[NDArray[np.uint8], ...]
    reference: dict[str, NDArray[np.float32]]
    text_features: NDArray[np.float32]
    threshold: float


def read_samples(bundle: Bundle) -> Samples | None:
    """The samples, or None when the bundle has none or no normality is active.

    Raises:
        NandEdgeError: They are damaged.
    """
    path = bundle.path(REFERENCE)
    active = [record.name for record in bundle.manifest.normalities if record.active]
    if not path.is_file() or not active:
        return None
    try:
        with safe_open(str(path), framework="numpy") as stream:
            names = json.loads((stream.metadata() or {})["frames"])
            reference = {name: np.asarray(stream.get_tensor(name)) for name in (*_MAPS, SCORE, BASE_SCORE)}
    except (SafetensorError, KeyError, ValueError) as error:
        raise NandEdgeError(
            f"samples of bundle {bundle.name!r}",
            found=f"a {REFERENCE} that cannot be read ({error})",
            needed="the reference's results for every sample frame",
            do="export the bundle again",
        ) from None
    return Samples(
        frames=tuple(read_frame(bundle.path(f"{SAMPLES}/{name}")) for name in names),
        reference=reference,
        text_features=np.stack([bundle.normality(name).text_features for name in active]),
        threshold=bundle.manifest.threshold.value,
    )


def largest_difference(samples: Samples, run: RunEngine) -> float:
    """Largest difference of an engine's maps from the reference's, over all samples.

    Raises:
        NandEdgeError: It is over `MAX_MAP_ERROR`, or a verdict at the bundle's threshold is another one.
    """
    errors, wrong = [], 0
    for index, frame in enumerate(samples.frames):
        opened = run(frame[None], np.float32(_GATE_OPEN)[None].reshape(()), samples.text_features)
        errors += [np.abs(opened[name][0] - samples.reference[name][index]).max() for name in _MAPS]
        gated = run(frame[None], np.asarray(samples.threshold, dtype=np.float32), samples.text_features)
        expected = decide(float(samples.reference[SCORE][index]), samples.threshold)
        wrong += decide(float(gated[SCORE][0]), samples.threshold) is not expected
    # A NaN of the engine is larger than any difference that is allowed.
    largest = float(np.nan_to_num(np.max(errors), nan=np.inf))
    if largest > MAX_MAP_ERROR or wrong:
        raise NandEdgeError(
            "the engine that was built",
            found=f"maps off by {largest:.2g} and {wrong} of {len(samples.frames)} verdicts different",
            needed=f"maps within {MAX_MAP_ERROR:g} of the reference and equal verdicts",
            do="update the target's package, or use another target",
        )
    return largest
