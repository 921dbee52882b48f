"""Normalities: what is to count as normal from now on, in words, and the vectors that stand for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.manifest import ClipRecord
from nand_edge.suppression import NormalityTensors

FORMAT = "nand-edge normality 2"
PAPER = "paper"
"""The form with one text feature a side, `f_nor` and `f_add`, and the softmax over the two."""

PADDING_BIAS = -1e4
"""Bias of a vector that only fills a side up to the longest one's length: its share of any sum is 0."""

_MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class EncoderRecord:
    """The image encoder that a normality was fitted to, beyond the CLIP's text tower.

    Attributes:
        projection_sha256: Hash of the taps' linear projections.
        taps: Blocks or stages, counted from 1.
        logit_scale: Factor of the cosine.
    """

    projection_sha256: str
    taps: tuple[int, ...]
    logit_scale: float


@dataclass(frozen=True)
class Normality:
    """One normality, ready for a graph.

    Attributes:
        name: Short name, unique in a bundle (the file's stem).
        text: The words as they were typed ("dark stain").
        object_name: The object that is inspected ("solar cell").
        phrases: State-level phrases made of the words; each went into every template.
        phrases_from: Where they come from: "rules", "typed" or "language model NAME".
        prompts: The prompts that were embedded for the added state.
        clip_sha256: Hash of the CLIP whose text tower made the features.
        clip_model: That CLIP's name.
        features: float32 [T, 2, V, D], side 0 for all else and side 1 for what is added, V vectors a side; T is 1 when
            they hold for all taps, else the number of taps. A side with fewer vectors is padded with zeros.
        bias: float32 [T, 2, V], `PADDING_BIAS` for padding.
        form: How features and bias were made.
        encoder: The image encoder that they were fitted to; None when they come from the text tower alone.
    """

    name: str
    text: str
    object_name: str
    phrases: tuple[str, ...]
    prompts: tuple[str, ...]
    clip_sha256: str
    clip_model: str
    features: NDArray[np.float32]
    bias: NDArray[np.float32]
    form: str = PAPER
    encoder: EncoderRecord | None = None
    phrases_from: str = "rules"

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

    def to_json(self) -> dict[str, Any]:
        """What it says, without its vectors, as one JSON object."""
        return {
            "name": self.name,
            "text": self.text,
            "object": self.object_name,
            "form": self.form,
            "phrases": self.phrases,
            "phrases_from": self.phrases_from,
            "prompts": len(self.prompts),
            "clip": self.clip_model,
            "clip_sha256": self.clip_sha256,
        }

    def require_encoder(self, clip: ClipRecord) -> None:
        """Refuse to be used with another CLIP, or with other taps, projections or logit scale than it was fitted to.

        Raises:
            NandEdgeError: They differ.
        """
        self.require_clip(clip.sha256, clip.model)
        here = EncoderRecord(clip.projection.sha256, clip.taps, clip.logit_scale)
        if self.encoder is not None and self.encoder != here:
            raise NandEdgeError(
                f"normality {self.name!r} of the form {self.form!r}",
                found=f"vectors fitted to {_words(self.encoder)}",
                needed=_words(here),
                do="make it again for this encoder, or in the paper's form, which fits any",
            )


def stack(normalities: Sequence[Normality], taps: int) -> NormalityTensors:
    """Normalities of different forms as one input of the graph.

    Those that hold for all taps are repeated, and sides with fewer vectors are padded.

    Args:
        normalities: At least one.
        taps: Number L of taps.

    Raises:
        NandEdgeError: There is none, or one has vectors for another number of taps.
    """
    if not normalities:
        raise NandEdgeError("normalities", found="none", needed="at least one", do="name one")
    longest = max(normality.features.shape[2] for normality in normalities)
    pairs = [_for_taps(normality, taps, longest) for normality in normalities]
    return NormalityTensors(np.stack([features for features, _ in pairs]), np.stack([bias for _, bias in pairs]))


def _for_taps(normality: Normality, taps: int, vectors: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features [L, 2, V, D] and bias [L, 2, V]."""
    own_taps, _, own_vectors, _ = normality.features.shape
    if own_taps not in (1, taps):
        raise NandEdgeError(
            f"normality {normality.name!r}",
            found=f"vectors for {own_taps} taps",
            needed=f"vectors for {taps} taps, or the same for all",
            do="make it again for this encoder",
        )
    missing = vectors - own_vectors
    features = np.pad(normality.features, ((0, 0), (0, 0), (0, missing), (0, 0)))
    bias = np.pad(normality.bias, ((0, 0), (0, 0), (0, missing)), constant_values=PADDING_BIAS)
    return np.repeat(features, taps // own_taps, axis=0), np.repeat(bias, taps // own_taps, axis=0)


def write_normality(normality: Normality, path: Path) -> None:
    """Write a normality as safetensors with its words in the metadata; whole or not at all."""
    words = {
        "name": normality.name,
        "text": normality.text,
        "object_name": normality.object_name,
        "phrases": normality.phrases,
        "phrases_from": normality.phrases_from,
        "prompts": normality.prompts,
        "clip_sha256": normality.clip_sha256,
        "clip_model": normality.clip_model,
        "form": normality.form,
        "encoder": None if normality.encoder is None else asdict(normality.encoder),
    }
    tensors = {"features": normality.features, "bias": normality.bias}
    with whole_file(path) as temporary:
        save_file(
            {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in tensors.items()},
            str(temporary),
            metadata={"format": FORMAT, "normality": json.dumps(words)},
        )


def read_normality(path: Path | str) -> Normality:
    """Read a normality file.

    Raises:
        NandEdgeError: The file is missing, damaged, no normality or of an older format; its vectors are not finite, or
            they were fitted to an encoder that the file does not name.
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
            if metadata.get("format") != FORMAT:
                raise _damaged(path, f"format {metadata.get('format', 'unknown')!r}")
            features, bias = (np.asarray(stream.get_tensor(name)) for name in ("features", "bias"))
        words = json.loads(metadata["normality"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise _damaged(path, f"a file that cannot be read ({type(error).__name__})") from None
    _check_vectors(path, features, bias)
    try:
        normality = Normality(
            name=str(words["name"]),
            text=str(words["text"]),
            object_name=str(words["object_name"]),
            phrases=tuple(words["phrases"]),
            phrases_from=str(words["phrases_from"]),
            prompts=tuple(words["prompts"]),
            clip_sha256=str(words["clip_sha256"]),
            clip_model=str(words["clip_model"]),
            features=features,
            bias=bias,
            form=str(words["form"]),
            encoder=_encoder(words["encoder"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"words that are not whole ({type(error).__name__}: {error})") from None
    _check_encoder(path, normality)
    return normality


def _encoder(record: dict[str, Any] | None) -> EncoderRecord | None:
    if record is None:
        return None
    taps = tuple(int(tap) for tap in record["taps"])
    return EncoderRecord(str(record["projection_sha256"]), taps, float(record["logit_scale"]))


def _check_vectors(path: Path, features: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    fits = features.ndim == 4 and features.shape[1] == 2 and features.size > 0 and bias.shape == features.shape[:3]
    if features.dtype != np.float32 or bias.dtype != np.float32 or not fits:
        shapes = f"features {features.dtype} {list(features.shape)} and bias {bias.dtype} {list(bias.shape)}"
        raise _damaged(path, shapes)
    if not np.all(np.isfinite(features)) or not np.all(np.isfinite(bias)):
        raise _damaged(path, "features or a bias that are not finite")
    if np.any(np.all(bias <= PADDING_BIAS, axis=-1)):
        raise _damaged(path, "features with a side that has no vector")


def _check_encoder(path: Path, normality: Normality) -> None:
    """Vectors that differ from tap to tap, or whose scale or bias was fitted, mean nothing without their encoder."""
    taps = len(normality.features)
    if normality.encoder is not None:
        if taps not in (1, len(normality.encoder.taps)):
            raise _damaged(path, f"features for {taps} taps, fitted to an encoder with {len(normality.encoder.taps)}")
        return
    vectors = normality.bias > PADDING_BIAS
    lengths = np.linalg.norm(normality.features, axis=-1)[vectors]
    if taps > 1 or np.any(normality.bias[vectors] != 0) or not np.allclose(lengths, 1.0, atol=1e-3):
        raise _damaged(path, "features fitted to an image encoder that it does not name")


def _words(encoder: EncoderRecord) -> str:
    taps = ", ".join(map(str, encoder.taps))
    return f"projections {encoder.projection_sha256[:12]}… at taps {taps} with logit scale {encoder.logit_scale:g}"


def _damaged(path: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"normality {str(path)!r}",
        found=found,
        needed=f"format {FORMAT!r} with finite float32 features [T, 2, V, D] and bias [T, 2, V]",
        do="make it again with `nand-edge normality`",
    )
