"""Suppression and maximum as operators of the graph (Eq. 2 and Eq. 6 of NAND)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nand_edge.signature import NORMALITY_BIAS, NORMALITY_FEATURES
from nand_edge.suppression import align_corners_weights
from nand_edge_export.graph.builder import Builder


@dataclass(frozen=True)
class Suppression:
    """The suppression of one graph, computed as `nand_edge.suppression` does it.

    Each side's logits are joined at the tokens, so that one number a token and normality is upsampled.

    Attributes:
        builder: The graph, with the inputs `normality_features` and `normality_bias`.
        grids: For each tap, its rows and columns.
        logit_scale: Factor of the cosine.
        map_size: Side M of the maps.
    """

    builder: Builder
    grids: Sequence[tuple[int, int]]
    logit_scale: float
    map_size: int

    @property
    def taps(self) -> int:
        """Number L of taps."""
        return len(self.grids)

    def tap_map(self, place: int, tokens: str) -> str:
        """Suppression map of each normality at one tap, float32 [N, K, M, M] in [0, 1], of unit tokens [N, P, D]."""
        op, constant = self.builder.op, self.builder.constant
        at_tap, grid = constant(np.array(place)), self.grids[place]
        features = op("Mul", op("Gather", NORMALITY_FEATURES, at_tap, axis=1), constant(float(self.logit_scale)))
        own = features, op("Gather", NORMALITY_BIAS, at_tap, axis=1)
        tokens = op("Unsqueeze", tokens, constant([1], "axes"))
        other, added = (_side(self.builder, tokens, own, side) for side in (0, 1))
        log_odds = op("Reshape", op("Sub", added, other), constant([0, 0, *grid], "grid"))
        vertical = constant(align_corners_weights(grid[0], self.map_size), "upsample_rows")
        horizontal = constant(align_corners_weights(grid[1], self.map_size).T, "upsample_columns")
        return op("Sigmoid", op("MatMul", op("MatMul", vertical, log_odds), horizontal))

    def kept_share(self, total: str) -> str:
        """What the normalities leave of an anomaly map, float32 [N, M, M] in [0, 1], of the sum over all taps' maps.

        It is the product over the normalities of `1 - A_sup`, where `A_sup` is the mean over the taps. Every step is
        monotone in floating point too: a lower sum never leaves less.
        """
        op, constant = self.builder.op, self.builder.constant
        left = op("Sub", constant(1.0), op("Div", total, constant(float(self.taps))))
        return op("ReduceProd", left, constant([1], "axes"), keepdims=0)


def broken_normalities(builder: Builder) -> str:
    """Whether the normalities hold a number that is not finite, bool []."""
    op = builder.op
    # A finite number less itself is 0; infinity and NaN less themselves are NaN.
    parts = [
        op("IsNaN", op("ReduceSum", op("Sub", values, values), keepdims=0))
        for values in (NORMALITY_FEATURES, NORMALITY_BIAS)
    ]
    return op("Or", *parts)


def _side(builder: Builder, tokens: str, own: tuple[str, str], side: int) -> str:
    """Logarithm of the sum of exponentials of one side's logits, [N, K, P, 1], for tokens [N, 1, P, D].

    Less their maximum, so that no exponential overflows. Spelled out, since not every target has the operator.
    """
    op, constant = builder.op, builder.constant
    features, bias = (op("Gather", values, constant(np.array(side)), axis=1) for values in own)
    logits = op("MatMul", tokens, op("Transpose", features, perm=[0, 2, 1]))
    logits = op("Add", logits, op("Unsqueeze", bias, constant([1], "axes")))
    axes = constant([3], "axes")
    highest = op("ReduceMax", logits, axes, keepdims=1)
    shares = op("ReduceSum", op("Exp", op("Sub", logits, highest)), axes, keepdims=1)
    return op("Add", highest, op("Log", shares))
