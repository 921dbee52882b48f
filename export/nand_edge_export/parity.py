"""Parity: both graphs of a bundle against the torch reference, on both sides of the gate.

The resize and the rest are compared apart. A resize may miss Pillow by one grey level in a pixel among thousands,
which moves a map by more than arithmetic ever does; so resized frames are compared with Pillow's in grey levels, and
maps with those that torch computes from the very same resized frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge.samples import Results, Samples, compare
from nand_edge.signature import (
    ANOMALY_MAP,
    BASE_MAP,
    BASE_SCORE,
    CLIP_RAN,
    FRAMES,
    SCORE,
    SUPPRESSION_MAP,
    TAPS_RUN,
    THRESHOLD,
)
from nand_edge_export.graph.assembly import resize_model
from nand_edge_export.graph.lowering import Lowering
from nand_edge_export.preprocessing import Preprocessing
from nand_edge_export.reference import Resize

_GATE_SHUT = float("inf")
_ERRORS_ONLY = 3

MAX_LEVEL_ERROR = 2
"""What a resized pixel may be off by, grey levels: each of the two passes may miss by one where a tie is rounded."""


@dataclass(frozen=True)
class GraphParity:
    """One graph against the reference.

    Attributes:
        graph: File name.
        runtime: What ran it.
        frames: Number of sample frames.
        max_map_error_gate_open: Largest difference over all maps, the CLIP branch run.
        max_map_error_gate_shut: The same with the gate shut, when the final map has to be the base map.
        max_level_error: Largest difference of the resized frames from Pillow's, grey levels of 256.
        verdicts_equal: Frames whose verdict at the threshold is that of the reference with Pillow's resize.
        allowed_map_error: What maps may be off by.
        allowed_level_error: What resized frames may be off by.
    """

    graph: str
    runtime: str
    frames: int
    max_map_error_gate_open: float
    max_map_error_gate_shut: float
    max_level_error: int
    verdicts_equal: int
    allowed_map_error: float
    allowed_level_error: int = MAX_LEVEL_ERROR

    @property
    def holds(self) -> bool:
        """Whether maps, resized frames and verdicts agree."""
        return (
            self.max_map_error <= self.allowed_map_error
            and self.max_level_error <= self.allowed_level_error
            and self.verdicts_equal == self.frames
        )

    @property
    def max_map_error(self) -> float:
        """Largest difference of a map on either side of the gate."""
        return max(self.max_map_error_gate_open, self.max_map_error_gate_shut)

    def to_json(self) -> dict[str, Any]:
        """The result as one JSON object."""
        return {**asdict(self), "holds": self.holds}


def resize_by_graph(lowering: Lowering) -> Resize:
    """The resize of a lowering, run in ONNX Runtime alone; one session for each height and width."""
    session_of = cache(lambda sides: _session(resize_model(lowering, sides).SerializeToString()))

    def resize(frames: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
        levels = session_of(preprocessing.sides).run(None, {FRAMES: frames})[0]
        return np.ascontiguousarray(levels.transpose(0, 2, 3, 1)).astype(np.uint8)

    return resize


def level_error(frames: Sequence[NDArray[np.uint8]], preprocessings: Iterable[Preprocessing], resize: Resize) -> int:
    """Largest difference between a resize and Pillow's, grey levels."""
    return max(
        int(np.abs(resize(frame[None], each).astype(np.int16) - each.resize(frame[None])).max())
        for each in set(preprocessings)
        for frame in frames
    )


def check_graph(
    path: Path,
    samples: Samples,
    inputs: Mapping[str, NDArray[np.float32]],
    *,
    threshold: float,
    expected: Sequence[Verdict],
    max_level_error: int,
    allowed_map_error: float,
) -> GraphParity:
    """Run a graph in ONNX Runtime on the sample frames and compare.

    Args:
        path: The graph.
        samples: Frames, and the reference's results for frames resized as the graph does it.
        inputs: Normalities and region that the results belong to, by the signature's names.
        threshold: The bundle's.
        expected: Verdicts of the reference with Pillow's resize.
        max_level_error: What `level_error` found.
        allowed_map_error: What maps may be off by.

    Raises:
        NandEdgeError: Maps, resized frames or verdicts differ.
    """
    session = _session(str(path))
    names = [output.name for output in session.get_outputs()]

    def run(frame: NDArray[np.uint8], gate: float) -> Results:
        feed = {FRAMES: frame[None], THRESHOLD: np.array(gate, np.float32), **inputs}
        return dict(zip(names, session.run(names, feed), strict=True))

    open_error, equal = compare(samples, run, threshold=threshold, expected=expected)
    shut_error = max(
        _shut_difference(run(frame, _GATE_SHUT), samples.of_frame(place)) for place, frame in enumerate(samples.frames)
    )
    parity = GraphParity(
        graph=path.name,
        runtime=f"onnxruntime {onnxruntime.__version__}",
        frames=len(samples.frames),
        max_map_error_gate_open=open_error,
        max_map_error_gate_shut=shut_error,
        max_level_error=max_level_error,
        verdicts_equal=equal,
        allowed_map_error=allowed_map_error,
    )
    if not parity.holds:
        raise _differs(parity)
    return parity


def _session(model: str | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _shut_difference(outputs: Results, reference: Results) -> float:
    """With the gate shut, score and final map are the base detector's and nothing is suppressed."""
    pairs = [(name, base) for name, base in ((SCORE, BASE_SCORE), (ANOMALY_MAP, BASE_MAP)) if name in outputs]
    suppressed = outputs[CLIP_RAN][0] or outputs[TAPS_RUN][0] or outputs.get(SUPPRESSION_MAP, np.zeros(1)).any()
    if suppressed or any((outputs[name] != outputs[base]).any() for name, base in pairs):
        return float("inf")
    return max(float(np.nan_to_num(np.abs(outputs[base] - reference[base]).max(), nan=np.inf)) for _, base in pairs)


def _differs(parity: GraphParity) -> NandEdgeError:
    return NandEdgeError(
        f"parity of {parity.graph}",
        found=(
            f"maps off by {parity.max_map_error:.2g}, resized frames by {parity.max_level_error} grey levels, "
            f"{parity.verdicts_equal} of {parity.frames} verdicts equal"
        ),
        needed=(
            f"maps within {parity.allowed_map_error:.0e} of the torch reference, resized frames within "
            f"{parity.allowed_level_error} of Pillow's, all verdicts equal"
        ),
        do="report it with the detector and the CLIP; nothing was written",
    )
