"""Normalities: what is to count as normal from now on, in words, and the text features that stand for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file

FORMAT = "nand-edge normality 1"
_MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class Normality:
    """One normality, ready for a graph.

    Attributes:
        name: Short name, unique in a bundle (the file's stem).
        text: The words as they were typed ("dark stain").
        object_name: The object that is inspected ("solar cell").
        phrases: State-level phrases made of the words; each went into every template.
        prompts: The prompts that were embedded for the added state.
        clip_sha256: Hash of the CLIP whose text tower made the features.
        clip_model: That CLIP's name.
        text_features: float32 [2, D], unit rows: `f_nor` and `f_add`.
    """

    name: str
    text: str
    object_name: str
    phrases: tuple[str, ...]
    prompts: tuple[str, ...]
    clip_sha256: str
    clip_model: str
    text_features: NDArray[np.float32]

    def require_clip(self, sha256: str, model: str) -> None:
        """Refuse to be used with another CLIP.

        Raises:
            NandEdgeError: The features belong to another CLIP than the one with hash `sha256`.
        """
        if self.clip_sha256 != sha256:
            raise NandEdgeError(
                f"normality {self.name!r}",
                found=f"features of the CLIP {self.clip_model!r} ({self.clip_sha256[:12]}…)",
                needed=f"features of {model!r} ({sha256[:12]}…)",
                do=f"make it again with `nand-edge normality {self.text!r} --clip {model}`",
            )


def write_normality(normality: Normality, path: Path) -> None:
    """Write a normality as safetensors with its words in the metadata; whole or not at all."""
    metadata = {
        "format": FORMAT,
        "normality": json.dumps(
            {
                "name": normality.name,
                "text": normality.text,
                "object_name": normality.object_name,
                "phrases": normality.phrases,
                "prompts": normality.prompts,
                "clip_sha256": normality.clip_sha256,
                "clip_model": normality.clip_model,
            }
        ),
    }
    features = np.ascontiguousarray(normality.text_features, dtype=np.float32)
    with whole_file(path) as temporary:
        save_file({"text_features": features}, str(temporary), metadata=metadata)


def read_normality(path: Path | str) -> Normality:
    """Read a normality file.

    Raises:
        NandEdgeError: The file is missing, damaged, no normality, or its features are not finite unit vectors.
    """
    path = Path(path)
    if not path.is_file():
        raise NandEdgeError(
            f"normality {str(path)!r}",
            found="no such file",
            needed="a file written by `nand-edge normality`",
            do="check the path",
        )
    if path.stat().st_size > _MAX_BYTES:
        raise _damaged(path, f"{path.stat().st_size} bytes, at most {_MAX_BYTES} are allowed")
    try:
        with safe_open(str(path), framework="numpy") as stream:
            metadata = stream.metadata() or {}
            features = np.asarray(stream.get_tensor("text_features"))
        words = json.loads(metadata["normality"]) if metadata.get("format") == FORMAT else None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise _damaged(path, f"a file that cannot be read ({type(error).__name__})") from None
    if not isinstance(words, dict):
        raise _damaged(path, f"format {metadata.get('format', 'unknown')!r}")
    _check_features(path, features)
    try:
        return Normality(
            name=str(words["name"]),
            text=str(words["text"]),
            object_name=str(words["object_name"]),
            phrases=tuple(words["phrases"]),
            prompts=tuple(words["prompts"]),
            clip_sha256=str(words["clip_sha256"]),
            clip_model=str(words["clip_model"]),
            text_features=features,
        )
    except KeyError as error:
        raise _damaged(path, f"no {error} in it") from None


def _check_features(path: Path, features: NDArray[np.float32]) -> None:
    if features.dtype != np.float32 or features.ndim != 2 or features.shape[0] != 2:
        raise _damaged(path, f"text features {features.dtype} {list(features.shape)}")
    norms = np.linalg.norm(features, axis=1)
    if not np.all(np.isfinite(features)) or not np.allclose(norms, 1.0, atol=1e-3):
        raise _damaged(path, "text features that are not finite vectors of length 1")


def _damaged(path: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"normality {str(path)!r}",
        found=found,
        needed=f"format {FORMAT!r} with float32 text features [2, D]",
        do="make it again with `nand-edge normality`",
    )
