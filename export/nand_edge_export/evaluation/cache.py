"""What a run has computed, kept a file a frame by the frame's content, so that a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from nand_edge.files import whole_file

_DIGITS = 24


def key_of(description: Mapping[str, Any]) -> str:
    """A short name for what a result depends on: equal descriptions, equal names."""
    canonical = json.dumps(description, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGITS]


class FrameCache:
    """Arrays by the hash of the frame that they were computed from.

    Args:
        folder: Where the files lie; made when needed. Everything in it comes from one detector, encoder or bundle.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, frame_sha256: str) -> dict[str, NDArray[Any]]:
        """What is known of a frame; nothing where its file is missing or damaged."""
        try:
            return dict(load_file(self._path(frame_sha256)))
        except (SafetensorError, OSError):
            return {}

    def write(self, frame_sha256: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep all that is known of a frame, whole or not at all."""
        path = self._path(frame_sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, str(temporary))

    def _path(self, frame_sha256: str) -> Path:
        return self._folder / f"{frame_sha256[:_DIGITS]}.safetensors"
