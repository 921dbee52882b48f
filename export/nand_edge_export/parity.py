"""Parity: both graphs of a bundle against the torch reference, on both sides of the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from nand_edge.errors import NandEdgeError
from nand_edge.inspection import decide
from nand_edge.samples import Samples, largest_difference
from nand_edge.signature import (
    ANOMALY_MAP,
    BASE_MAP,
    CLIP_RAN,
    FRAMES,
    SCORE,
    SUPPRESSION_MAP,
    TEXT_FEATURES,
    THRESHOLD,
)
from numpy.typing import NDArray

_GATE_OPEN = np.array(-np.inf, np.float32)
_GATE_SHUT = np.array(np.inf, np.float32)
_ERRORS_ONLY = 3

_Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class GraphParity:
    """One graph against the reference.

    Attributes:
        graph: File name.
        runtime: What ran it.
        frames: Number of sample frames.
        max_map_error_gate_open: Largest difference over all maps, the CLIP branch run.
        max_map_error_gate_shut: The same with the gate shut, when the final map has to be the base map.
        verdicts_equal: Frames whose verdict at the threshold is the reference's.
        allowed: What maps may be off by.
    """

    graph: str
    runtime: str
    frames: int
    max_map_error_gate_open: float
    max_map_error_gate_shut: float
    verdicts_equal: int
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether maps and verdicts agree."""
        largest = max(self.max_map_error_gate_open, self.max_map_error_gate_shut)
        return largest <= self.allowed and self.verdicts_equal == self.frames

    def to_json(self) -> dict[str, Any]:
        """The result as one JSON object."""
        return {**asdict(self), "holds": self.holds}


def check_graph(
    path: Path, samples: Samples, text_features: NDArray[np.float32], *, threshold: float, allowed: float
) -> GraphParity:
    """Run a graph in ONNX Runtime on the sample frames and compare.

    Args:
        path: The graph.
        samples: Frames and the reference's results.
        text_features: Those that the results belong to, float32 [K, 2, D].
        threshold: The bundle's.
        allowed: What maps may be off by.

    Raises:
        NandEdgeError: Maps or verdicts differ.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(frame: NDArray[np.uint8], gate: NDArray[np.float32]) -> _Outputs:
        inputs = {FRAMES: frame[None], THRESHOLD: gate, TEXT_FEATURES: text_features}
        return dict(zip(names, session.run(names, inputs), strict=True))

    open_error, shut_error, equal = 0.0, 0.0, 0
    for place, frame in enumerate(samples.frames):
        reference = samples.of_frame(place)
        opened, shut = run(frame, _GATE_OPEN), run(frame, _GATE_SHUT)
        open_error = max(open_error, largest_difference(dict(opened), reference) if opened[CLIP_RAN][0] else np.inf)
        shut_error = max(shut_error, _shut_difference(shut, reference[BASE_MAP]))
        found = run(frame, np.array(threshold, np.float32))
        expected = decide(float(reference[SCORE][0]), threshold)
        equal += decide(float(found[SCORE][0]), threshold) is expected
    parity = GraphParity(
        graph=path.name,
        runtime=f"onnxruntime {onnxruntime.__version__}",
        frames=len(samples.frames),
        max_map_error_gate_open=float(open_error),
        max_map_error_gate_shut=float(shut_error),
        verdicts_equal=equal,
        allowed=allowed,
    )
    if not parity.holds:
        raise _differs(parity)
    return parity


def _shut_difference(outputs: _Outputs, base_map: NDArray[np.float32]) -> float:
    """With the gate shut, the final map is the base map and nothing is suppressed."""
    if outputs[CLIP_RAN][0] or outputs[SUPPRESSION_MAP].any() or (outputs[ANOMALY_MAP] != outputs[BASE_MAP]).any():
        return float("inf")
    return float(np.nan_to_num(np.abs(outputs[BASE_MAP] - base_map).max(), nan=np.inf))


def _differs(parity: GraphParity) -> NandEdgeError:
    largest = max(parity.max_map_error_gate_open, parity.max_map_error_gate_shut)
    return NandEdgeError(
        f"parity of {parity.graph}",
        found=f"maps off by {largest:.2g} and {parity.verdicts_equal} of {parity.frames} verdicts equal",
        needed=f"maps within {parity.allowed:.0e} of the torch reference, and all verdicts",
        do="report it with the detector and the CLIP; nothing was written",
    )
