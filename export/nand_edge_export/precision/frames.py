"""The frames that a precision is calibrated and judged on, and running a graph on them with its gate open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images, read_frame
from nand_edge.normality import stack
from nand_edge.samples import GATE_OPEN
from nand_edge.signature import FRAMES, REGION, THRESHOLD

if TYPE_CHECKING:
    import onnx

MOST_FRAMES = 64
_ERRORS_ONLY = 3

Inputs = dict[str, NDArray[Any]]
"""By the signature's names, all inputs of a run."""


def frame_files(folder: Path | None, *, most: int = MOST_FRAMES) -> list[Path]:
    """Image files of a folder, evenly spread over it where it has more than `most`.

    Raises:
        NandEdgeError: No folder is given, or it has no image.
    """
    if folder is None:
        raise NandEdgeError(
            "frames to calibrate on",
            found="none",
            needed="a folder of frames as the line sees them, good and defective ones",
            do="give it with --frames DIR",
        )
    files = list_images(folder)
    places = np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).round().astype(int))
    return [files[place] for place in places]


def open_gate_inputs(bundle: Bundle, files: Sequence[Path]) -> list[Inputs]:
    """For each frame the inputs that make every part of the graph run: its normalities in force, the gate open.

    Raises:
        NandEdgeError: The bundle has no normality, or a frame cannot be read.
    """
    records = bundle.manifest.normalities
    names = [record.name for record in records if record.active] or [record.name for record in records]
    if not names:
        raise NandEdgeError(
            f"bundle {bundle.name!r}",
            found="no normality",
            needed="at least one, so that the CLIP branch can be calibrated as it will run",
            do="export the bundle with a normality",
        )
    taps = len(bundle.manifest.clip.taps)
    shared = {**stack([bundle.normality(name) for name in names], taps).inputs(), REGION: bundle.region().map}
    gate = np.asarray(GATE_OPEN, np.float32)
    return [{FRAMES: read_frame(file)[None], THRESHOLD: gate, **shared} for file in files]


def session_of(model: onnx.ModelProto | Path | str, *, threads: int | None = None, fused: bool = True) -> Any:
    """An ONNX Runtime session on the CPU; unless `fused`, rounding is done as the graph says, without 8-bit kernels.

    Raises:
        NandEdgeError: ONNX Runtime is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise NandEdgeError(
            "lowering a precision",
            found=f"no ONNX Runtime that can be imported ({error})",
            needed="it, to run the graph on the frames",
            do="run `pip install onnxruntime`",
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    if threads is not None:
        options.intra_op_num_threads = threads
    if not fused:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path | str) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
