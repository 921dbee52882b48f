"""Which output of an ONNX model is its anomaly map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError

_NAMES = ("anomaly_map", "heatmap", "heat_map", "score_map", "map")
_SMALLEST_SIDE = 4


def choose_map(outputs: Mapping[str, NDArray[Any]], wish: str | None, name: str) -> tuple[str, str]:
    """The output that is the anomaly map, and why.

    Args:
        outputs: What the model gave for one frame.
        wish: The name that the user gave.
        name: What errors call the model.

    Raises:
        NandEdgeError: None or several can be the map, or the wished one cannot.
    """
    listed = ", ".join(f"{key} {array.dtype} {list(array.shape)}" for key, array in outputs.items())
    candidates = [key for key, array in outputs.items() if _is_map(array)]
    if wish is not None:
        if wish not in candidates:
            raise NandEdgeError(
                f"--map-output {wish!r} of {name}",
                found=listed
                if wish not in outputs
                else f"an output {list(outputs[wish].shape)} of {outputs[wish].dtype}",
                needed="an output of floats [N, H, W] or [N, 1, H, W]",
                do="name one of the model's outputs",
            )
        return wish, "given"
    if not candidates:
        raise NandEdgeError(
            name,
            found=f"no output that can be an anomaly map (it gives {listed})",
            needed="an output of floats [N, H, W] or [N, 1, H, W]",
            do="export the model with its anomaly map",
        )
    named = [key for wanted in _NAMES for key in candidates if wanted in key.lower()]
    if named and (named[0].lower() in _NAMES or len(set(named)) == 1):
        return named[0], "by its name and shape"
    if len(candidates) > 1:
        raise NandEdgeError(
            name,
            found=f"several outputs that can be an anomaly map: {', '.join(candidates)}",
            needed="one of them",
            do=f"say which with --map-output {candidates[0]}",
        )
    return candidates[0], "the only output with the shape of a map"


def _is_map(array: NDArray[Any]) -> bool:
    shape = array.shape
    sides = [side for side in shape[1:] if side != 1]
    return (
        array.dtype.kind == "f"
        and len(shape) in (3, 4)
        and shape[0] == 1
        and len(sides) == 2
        and min(sides) >= _SMALLEST_SIDE
    )
