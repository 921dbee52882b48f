"""The vectors of a normality without their padding, so that forms can add to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nand_edge.normality import PADDING_BIAS, Normality
from nand_edge.suppression import FloatArray


class Sides(NamedTuple):
    """Both sides of a normality at one tap.

    Attributes:
        other: float32 [O, D], all else.
        other_bias: float32 [O].
        added: float32 [A, D], what is added.
        added_bias: float32 [A].
    """

    other: FloatArray
    other_bias: FloatArray
    added: FloatArray
    added_bias: FloatArray


def sides_of(normality: Normality) -> list[Sides]:
    """The sides at each of the T taps that a normality has vectors for."""
    found = []
    for features, bias in zip(normality.features, normality.bias, strict=True):
        (other, other_bias), (added, added_bias) = (
            (vectors[real], biases[real])
            for vectors, biases, real in zip(features, bias, bias > PADDING_BIAS, strict=True)
        )
        found.append(Sides(other, other_bias, added, added_bias))
    return found


def with_sides(normality: Normality, sides: Sequence[Sides]) -> Normality:
    """The normality with other vectors, padded to one length."""
    longest = max(len(side) for tap in sides for side in (tap.other, tap.added))
    width = normality.features.shape[-1]
    features = np.zeros((len(sides), 2, longest, width), np.float32)
    bias = np.full((len(sides), 2, longest), PADDING_BIAS, np.float32)
    for place, tap in enumerate(sides):
        for side, vectors, biases in ((0, tap.other, tap.other_bias), (1, tap.added, tap.added_bias)):
            features[place, side, : len(vectors)] = vectors
            bias[place, side, : len(vectors)] = biases
    return replace(normality, features=features, bias=bias)
