"""Samples: a few frames in a bundle with the reference's results, so that any device can check its engines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nand_edge.bundle import GRAPH, GRAPH_FOR_OPENVINO, GRAPH_FOR_TENSORRT, SAMPLES, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge.inspection import Verdict, decide
from nand_edge.manifest import Target
from nand_edge.signature import ANOMALY_MAP, BASE_MAP, BASE_SCORE, CLIP_RAN, SCORE, SUPPRESSION_MAP

REFERENCES = {
    GRAPH: f"{SAMPLES}/reference.safetensors",
    GRAPH_FOR_TENSORRT: f"{SAMPLES}/reference.tensorrt.safetensors",
    GRAPH_FOR_OPENVINO: f"{SAMPLES}/reference.openvino.safetensors",
}
"""The results that belong to each graph: its resize may miss Pillow by a grey level, and the reference follows it."""

MAPS = (BASE_MAP, SUPPRESSION_MAP, ANOMALY_MAP)
SCORES = (BASE_SCORE, SCORE)

GATE_OPEN = float("nan")
"""A threshold that opens the gate for every frame and that no score is certainly below or above: so all taps run."""

MAX_MAP_ERROR = {
    Target.ONNX: 1e-4,
    Target.OPENVINO: 1e-2,
    Target.TENSORRT: 1e-2,
    Target.TENSORRT_RTX: 1e-2,
}
"""What the maps of an fp32 engine may be off by. Only ONNX Runtime resizes exactly as at export; elsewhere the engine's
own arithmetic rounds a resized pixel in some 10,000 to the next grey level (OpenVINO's own kernel one in some 500),
which alone moves a map by 1e-3 and more, and GPUs may multiply in TF32. With equal pixels engines agree to 1e-5."""

MAX_MAP_SHARE = {"fp16": 0.02, "bf16": 0.1, "int8": 0.15, "fp8": 0.25}
"""What the worst pixel of an engine of lower precision may be off by, as a share of the reference's largest value."""

_SCORE_TO_PIXEL = 1 / 3
"""A score is off by less than the worst pixel: a verdict may only change within this share of what a map may."""

Results = dict[str, NDArray[Any]]
"""By the signature's names, the outputs for one frame, each with a first dimension of 1."""

Run = Callable[[NDArray[np.uint8], float], Results]
"""A frame uint8 [H, W, 3] and the gate's threshold to the results."""


class Agreement(NamedTuple):
    """How an engine compares with the reference.

    Attributes:
        max_map_error: Largest difference over all maps of all samples, the gate open; infinite where a map is NaN or
            the CLIP branch did not run.
        verdicts_equal: Samples with the expected verdict at the threshold.
    """

    max_map_error: float
    verdicts_equal: int


@dataclass(frozen=True)
class Samples:
    """Sample frames and what the torch reference computed for them.

    Attributes:
        names: File names of the frames.
        frames: For each, uint8 [H, W, 3].
        reference: By the signature's names, maps float32 [n, M, M] and scores float32 [n], for the normalities that
            are active in the bundle, with the CLIP branch run for every frame.
    """

    names: tuple[str, ...]
    frames: tuple[NDArray[np.uint8], ...]
    reference: Results

    def of_frame(self, place: int) -> Results:
        """The reference's results of one frame, each with a first dimension of 1."""
        return {name: values[place : place + 1] for name, values in self.reference.items()}


def largest_difference(results: Results, reference: Results) -> float:
    """Largest difference over all maps and scores that are there; infinite where one is NaN: no tolerance allows it."""
    names = [name for name in (*MAPS, *SCORES) if name in results]
    return max(float(np.nan_to_num(np.abs(results[name] - reference[name]).max(), nan=np.inf)) for name in names)


def allowed_map_error(target: Target, precision: str, samples: Samples) -> float:
    """What the maps of a target's engine of this precision may be off by, in a map's own unit.

    In fp32 that is `MAX_MAP_ERROR`. Lower precisions round by shares: of the largest value of a sample's map, and of 1
    where all are smaller, since suppression reaches to 1.
    """
    if precision not in MAX_MAP_SHARE:
        return MAX_MAP_ERROR[target]
    values = (samples.reference[name] for name in (*MAPS, *SCORES) if name in samples.reference)
    largest = max(float(np.nanmax(np.abs(each))) for each in values)
    return max(MAX_MAP_ERROR[target], MAX_MAP_SHARE[precision] * max(largest, 1.0))


def allowed_score_error(target: Target, precision: str, samples: Samples) -> float:
    """How near to the threshold a reference score has to be for its verdict to change; 0 in fp32: none may."""
    return allowed_map_error(target, precision, samples) * _SCORE_TO_PIXEL if precision in MAX_MAP_SHARE else 0.0


def compare(
    samples: Samples,
    run: Run,
    *,
    threshold: float,
    expected: Sequence[Verdict] | None = None,
    margin: float = 0.0,
) -> Agreement:
    """Run an engine on the samples, on the open side of the gate and at the threshold, and compare.

    Args:
        samples: Frames and the reference's results.
        run: The engine.
        threshold: The bundle's.
        expected: The verdict of each sample; None takes those of `samples`.
        margin: A verdict that changed counts as equal where the reference's score is this near to the threshold.
    """
    largest, equal = 0.0, 0
    for place, frame in enumerate(samples.frames):
        reference = samples.of_frame(place)
        opened = run(frame, GATE_OPEN)
        largest = max(largest, largest_difference(opened, reference) if opened[CLIP_RAN][0] else float("inf"))
        score = float(reference[SCORE][0])
        wanted = expected[place] if expected is not None else decide(score, threshold)
        close = margin > 0 and abs(score - threshold) <= margin
        equal += close or decide(float(run(frame, threshold)[SCORE][0]), threshold) is wanted
    return Agreement(largest, equal)


def graph_of(target: Target) -> str:
    """The graph that a target's engine is made from."""
    own = {Target.ONNX: GRAPH, Target.OPENVINO: GRAPH_FOR_OPENVINO}
    return own.get(target, GRAPH_FOR_TENSORRT)


def write_samples(folder: Path, samples: Samples, graph: str) -> None:
    """Write the samples of one graph into a bundle's folder; all graphs share the frames."""
    (folder / SAMPLES).mkdir(exist_ok=True)
    for name, frame in zip(samples.names, samples.frames, strict=True):
        written = cv2.imwrite(str(folder / SAMPLES / name), frame)
        if not written:
            raise OSError(f"cannot write {folder / SAMPLES / name}")
    reference = {name: np.ascontiguousarray(values) for name, values in samples.reference.items()}
    save_file(reference, folder / REFERENCES[graph], metadata={"frames": json.dumps(samples.names)})


def read_samples(bundle: Bundle, graph: str) -> Samples:
    """Read the samples of one of a bundle's graphs.

    Raises:
        NandEdgeError: There are none, or they are damaged.
    """
    path = bundle.path(REFERENCES[graph])
    if not path.is_file():
        raise _unusable(bundle, f"no {REFERENCES[graph]}")
    try:
        with safe_open(str(path), framework="numpy") as stream:
            names: Sequence[str] = json.loads((stream.metadata() or {})["frames"])
            reference = {name: np.asarray(stream.get_tensor(name)) for name in (*MAPS, *SCORES)}
    except (SafetensorError, KeyError, ValueError) as error:
        raise _unusable(bundle, f"a {REFERENCES[graph]} that cannot be read ({error})") from None
    if not names or {len(values) for values in reference.values()} != {len(names)}:
        raise _unusable(bundle, f"{len(names)} frames, and results of another number")
    frames = tuple(read_frame(bundle.path(f"{SAMPLES}/{name}")) for name in names)
    return Samples(tuple(names), frames, reference)


def _unusable(bundle: Bundle, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"samples of bundle {bundle.name!r}",
        found=found,
        needed="sample frames with the reference's results",
        do="export the bundle again with this version of nand-edge",
    )
