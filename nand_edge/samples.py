"""Samples: a few frames in a bundle with the reference's results, so that any device can check its engines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nand_edge.bundle import SAMPLES, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge.signature import ANOMALY_MAP, BASE_MAP, BASE_SCORE, SCORE, SUPPRESSION_MAP

REFERENCE = f"{SAMPLES}/reference.safetensors"
MAPS = (BASE_MAP, SUPPRESSION_MAP, ANOMALY_MAP)
SCORES = (BASE_SCORE, SCORE)

Results = dict[str, NDArray[np.float32]]


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
    """Largest difference over all maps; infinite where a map is NaN, which no tolerance allows."""
    return max(float(np.nan_to_num(np.abs(results[name] - reference[name]).max(), nan=np.inf)) for name in MAPS)


def write_samples(folder: Path, samples: Samples) -> None:
    """Write samples into a bundle's folder that has none."""
    (folder / SAMPLES).mkdir()
    for name, frame in zip(samples.names, samples.frames, strict=True):
        written = cv2.imwrite(str(folder / SAMPLES / name), frame)
        if not written:
            raise OSError(f"cannot write {folder / SAMPLES / name}")
    reference = {name: np.ascontiguousarray(values) for name, values in samples.reference.items()}
    save_file(reference, folder / REFERENCE, metadata={"frames": json.dumps(samples.names)})


def read_samples(bundle: Bundle) -> Samples:
    """Read the samples of a bundle.

    Raises:
        NandEdgeError: There are none, or they are damaged.
    """
    path = bundle.path(REFERENCE)
    if not path.is_file():
        raise _unusable(bundle, f"no {REFERENCE}")
    try:
        with safe_open(str(path), framework="numpy") as stream:
            names: Sequence[str] = json.loads((stream.metadata() or {})["frames"])
            reference = {name: np.asarray(stream.get_tensor(name)) for name in (*MAPS, *SCORES)}
    except (SafetensorError, KeyError, ValueError) as error:
        raise _unusable(bundle, f"a {REFERENCE} that cannot be read ({error})") from None
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
