"""Suppression and maximum as operators of the graph (Eq. 2 and Eq. 6 of NAND)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nand_edge.signature import NORMALITY_BIAS, NORMALITY_FEATURES
from nand_edge.suppression import align_corners_weights
from nand_edge_export.graph.builder import Builder


def kept_share(
    builder: Builder,
    tokens: Sequence[str],
    grids: Sequence[tuple[int, int]],
    *,
    logit_scale: float,
    map_size: int,
) -> str:
    """What the active normalities leave of an anomaly map, float32 [N, M, M] in [0, 1].

    It is the product over the normalities of `1 - A_sup`, computed as `nand_edge.suppression` does it: each side's
    logits are joined at the tokens, so that one number a token and normality is upsampled.

    Args:
        builder: The graph, with the inputs `normality_features` and `normality_bias`.
        tokens: For each tap, unit tokens [N, P, D].
        grids: For each tap, its rows and columns.
        logit_scale: Factor of the cosine.
        map_size: Side M of the maps.
    """
    op, constant = builder.op, builder.constant
    features = op("Mul", NORMALITY_FEATURES, constant(float(logit_scale)))
    maps = []
    for place, (tap, grid) in enumerate(zip(tokens, grids, strict=True)):
        at_tap = constant(np.array(place))
        own = op("Gather", features, at_tap, axis=1), op("Gather", NORMALITY_BIAS, at_tap, axis=1)
        maps.append(_tap_map(builder, tap, grid, own, map_size))
    total = maps[0]
    for tap_map in maps[1:]:
        total = op("Add", total, tap_map)
    left = op("Sub", constant(1.0), op("Mul", total, constant(1.0 / len(maps))))
    return op("ReduceProd", left, constant([1], "axes"), keepdims=0)


def _tap_map(builder: Builder, tokens: str, grid: tuple[int, int], own: tuple[str, str], map_size: int) -> str:
    """Suppression map of each normality at one tap, [N, K, M, M], of its features [K, 2, V, D] and bias [K, 2, V]."""
    op, constant = builder.op, builder.constant
    tokens = op("Unsqueeze", tokens, constant([1], "axes"))
    other, added = (_side(builder, tokens, own, side) for side in (0, 1))
    log_odds = op("Reshape", op("Sub", added, other), constant([0, 0, *grid], "grid"))
    vertical = constant(align_corners_weights(grid[0], map_size), "upsample_rows")
    horizontal = constant(align_corners_weights(grid[1], map_size).T, "upsample_columns")
    return op("Sigmoid", op("MatMul", op("MatMul", vertical, log_odds), horizontal))


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


def maximum(builder: Builder, anomaly_map: str) -> str:
    """Maximum of each map [N, M, M], float32 [N]; NaN when the map has one.

    `ReduceMax` may lose a NaN, a sum cannot: so a broken map can never pass.
    """
    op, constant = builder.op, builder.constant
    axes = constant([1, 2], "axes")
    broken = op("IsNaN", op("ReduceSum", anomaly_map, axes, keepdims=0))
    return op("Where", broken, constant(float("nan")), op("ReduceMax", anomaly_map, axes, keepdims=0))
