"""Detector files: one safetensors file that holds all of a base detector, its backbone's weights included."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.manifest import ThresholdRecord, WeightsSource
from nand_edge_export.detectors import DETECTORS
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.preprocessing import Preprocessing
from nand_edge_export.tensors import require_finite

FORMAT = "nand-edge detector 1"


class _Preprocessing(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(gt=0)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    width: int | None = Field(default=None, gt=0)


class _Description(BaseModel):
    """The JSON in a detector file's metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    settings: dict[str, str | int | float | bool]
    preprocessing: _Preprocessing | None
    weights: WeightsSource
    threshold: ThresholdRecord | None


def write_detector(detector: Detector, path: Path | str) -> None:
    """Write a detector as safetensors with its description in the metadata; whole or not at all.

    Raises:
        NandEdgeError: A weight is not finite, or the folder of `path` cannot be written.
    """
    path = Path(path)
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in detector.tensors().items()}
    require_finite(tensors, f"detector {path.name!r}")
    prepared = detector.preprocessing
    description = _Description(
        kind=detector.kind,
        settings=detector.settings,
        preprocessing=_Preprocessing(**dataclasses.asdict(prepared)) if prepared else None,
        weights=detector.weights,
        threshold=detector.threshold,
    )
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata={"format": FORMAT, "detector": description.model_dump_json()})


def read_detector(path: Path | str) -> Detector:
    """Read a detector file, in evaluation mode.

    Raises:
        NandEdgeError: The file is missing, damaged, of another format, or has weights that are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise NandEdgeError(
            f"detector {str(path)!r}",
            found="no such file",
            needed="a file written by `nand-edge fit`",
            do="check the path",
        )
    try:
        with safe_open(path, framework="pt") as stream:
            metadata: dict[str, Any] = stream.metadata() or {}
            description = _describe(path, metadata)
            tensors: dict[str, torch.Tensor] = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _damaged(path, f"a file that cannot be read ({type(error).__name__})") from None
    require_finite(tensors, f"detector {str(path)!r}")
    prepared = description.preprocessing
    detector = DETECTORS[description.kind].from_tensors(
        tensors,
        description.settings,
        Preprocessing(**prepared.model_dump()) if prepared else None,
        description.weights,
    )
    detector.threshold = description.threshold
    return detector.eval()


def _describe(path: Path, metadata: dict[str, Any]) -> _Description:
    if metadata.get("format") != FORMAT:
        raise _damaged(path, f"format {metadata.get('format', 'unknown')!r}")
    try:
        description = _Description.model_validate(json.loads(metadata["detector"]))
    except (KeyError, ValueError, ValidationError):
        raise _damaged(path, "a description that cannot be read") from None
    if description.kind not in DETECTORS:
        raise _damaged(path, f"a detector of kind {description.kind!r}")
    return description


def _damaged(path: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"detector {str(path)!r}",
        found=found,
        needed=f"format {FORMAT!r} and a kind among {', '.join(DETECTORS)}",
        do="fit it again with `nand-edge fit`, or install the version that wrote it",
    )
