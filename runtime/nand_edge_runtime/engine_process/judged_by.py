"""What frames are judged by, as one thing that is changed as a whole and can cross to another process."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.normality import EncoderRecord, Normality

_VECTORS = ("features", "bias")


@dataclass(frozen=True)
class JudgedBy:
    """Normalities and a threshold that belong together.

    Attributes:
        serial: Counts the changes, from 0.
        normalities: The active normalities, in order.
        threshold: What scores are compared with.
    """

    serial: int
    normalities: tuple[Normality, ...]
    threshold: float

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The normalities' names."""
        return tuple(normality.name for normality in self.normalities)

    def changed(self, normalities: Sequence[Normality], threshold: float) -> JudgedBy:
        """What comes after this."""
        return JudgedBy(self.serial + 1, tuple(normalities), threshold)

    def to_message(self) -> tuple[dict[str, Any], NDArray[np.float32]]:
        """The words as JSON, and all vectors one after another, float32 [length]."""
        words, vectors = [], [np.empty(0, np.float32)]
        for normality in self.normalities:
            document = {
                field.name: getattr(normality, field.name)
                for field in dataclasses.fields(normality)
                if field.name not in _VECTORS
            }
            document["encoder"] = None if normality.encoder is None else dataclasses.asdict(normality.encoder)
            for name in _VECTORS:
                array: NDArray[np.float32] = getattr(normality, name)
                document[name] = list(array.shape)
                vectors.append(array.ravel())
            words.append(document)
        flat = np.concatenate(vectors).astype(np.float32, copy=False)
        message = {"serial": self.serial, "threshold": self.threshold, "normalities": words, "length": len(flat)}
        return message, flat

    @classmethod
    def from_message(cls, message: dict[str, Any], vectors: NDArray[np.float32]) -> JudgedBy:
        """What `to_message` was made of; the vectors are copied."""
        normalities, place = [], 0
        for document in message["normalities"]:
            arrays = {}
            for name in _VECTORS:
                shape = document[name]
                end = place + int(np.prod(shape, dtype=np.int64))
                arrays[name] = vectors[place:end].reshape(shape).copy()
                place = end
            lists = {name: tuple(document[name]) for name in ("phrases", "prompts")}
            encoder = _encoder(document["encoder"])
            normalities.append(Normality(**{**document, **arrays, **lists, "encoder": encoder}))
        return cls(int(message["serial"]), tuple(normalities), float(message["threshold"]))


def _encoder(record: dict[str, Any] | None) -> EncoderRecord | None:
    return None if record is None else EncoderRecord(**{**record, "taps": tuple(record["taps"])})
