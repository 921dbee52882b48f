"""Suppression and maximum as operators of the graph (Eq. 2 and Eq. 6 of NAND)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nand_edge.suppression import align_corners_weights
from nand_edge_export.graph.builder import Builder


def kept_share(
    builder: Builder,
    tokens: Sequence[str],
    grids: Sequence[tuple[int, int]],
    text_features: str,
    *,
    logit_scale: float,
    map_size: int,
) -> str:
    """What the active normalities leave of an anomaly map, float32 [N, M, M] in [0, 1].

    It is the product over the normalities of `1 - A_sup`. The softmax over two classes is computed as the sigmoid of
    the logits' difference, which is the same number and half the work.

    Args:
        builder: The graph.
        tokens: For each tap, unit tokens [N, P, D].
        grids: For each tap, its rows and columns.
        text_features: [K, 2, D].
        logit_scale: Factor of the cosine.
        map_size: Side M of the maps.
    """
    op, constant = builder.op, builder.constant
    normal = op("Gather", text_features, constant(np.array(0)), axis=1)
    added = op("Gather", text_features, constant(np.array(1)), axis=1)
    direction = op("Mul", op("Transpose", op("Sub", added, normal), perm=[1, 0]), constant(float(logit_scale)))
    maps = [_tap_map(builder, tap, grid, direction, map_size) for tap, grid in zip(tokens, grids, strict=True)]
    total = maps[0]
    for tap_map in maps[1:]:
        total = op("Add", total, tap_map)
    left = op("Sub", constant(1.0), op("Mul", total, constant(1.0 / len(maps))))
    return op("ReduceProd", left, constant([1], "axes"), keepdims=0)


def _tap_map(builder: Builder, tokens: str, grid: tuple[int, int], direction: str, map_size: int) -> str:
    """Probability of the added class at one tap, [N, K, M, M]."""
    op, constant = builder.op, builder.constant
    logits = op("Transpose", op("MatMul", tokens, direction), perm=[0, 2, 1])
    logits = op("Reshape", logits, constant([0, 0, *grid], "grid"))
    vertical = constant(align_corners_weights(grid[0], map_size), "upsample_rows")
    horizontal = constant(align_corners_weights(grid[1], map_size).T, "upsample_columns")
    return op("Sigmoid", op("MatMul", op("MatMul", vertical, logits), horizontal))


def maximum(builder: Builder, anomaly_map: str) -> str:
    """Maximum of each map [N, M, M], float32 [N]; NaN when the map has one.

    `ReduceMax` may lose a NaN, a sum cannot: so a broken map can never pass.
    """
    op, constant = builder.op, builder.constant
    axes = constant([1, 2], "axes")
    broken = op("IsNaN", op("ReduceSum", anomaly_map, axes, keepdims=0))
    return op("Where", broken, constant(float("nan")), op("ReduceMax", anomaly_map, axes, keepdims=0))
