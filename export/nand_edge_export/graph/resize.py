"""Pillow's antialiased bicubic resize inside the graph, in two lowerings of one meaning: a target takes the one it can run."""

from __future__ import annotations

import numpy as np

from nand_edge_export.graph.builder import Builder

_BICUBIC = -0.5
"""Pillow's coefficient of the cubic kernel."""

_SUPPORT = 2.0
"""Half the width of the cubic kernel, in source pixels where the frame is enlarged, in target pixels where it shrinks."""


def portable_resize(builder: Builder, frames: str, size: int) -> str:
    """Resize with ONNX `Resize`, for ONNX Runtime and OpenVINO.

    `Resize` is given uint8 in planes because that path of ONNX Runtime is the one that computes as Pillow does.

    Args:
        builder: The graph that the operators go into; opset 18 or later.
        frames: uint8 [N, H, W, 3], BGR.
        size: Side S of the square that frames are resized to, pixels.

    Returns:
        float32 [N, 3, S, S], RGB, whole numbers in 0..255.
    """
    planes = builder.op("Transpose", frames, perm=[0, 3, 1, 2])
    resized = builder.op(
        "Resize",
        planes,
        "",
        "",
        builder.constant([size, size], "side"),
        axes=[2, 3],
        mode="cubic",
        antialias=1,
        cubic_coeff_a=_BICUBIC,
        exclude_outside=1,
        coordinate_transformation_mode="half_pixel",
    )
    return _rgb(builder, builder.op("Cast", resized, to=1))


def matrix_resize(builder: Builder, frames: str, size: int) -> str:
    """Resize with two matrix products whose weights the graph computes from the frame's size, for TensorRT.

    TensorRT has no antialiased resize. As in Pillow, rows are resized first, and each pass ends in whole grey levels;
    what remains is single-precision rounding, at most one level.

    Args:
        builder: The graph that the operators go into; opset 13 or later.
        frames: float32 [N, H, W, 3], BGR, whole numbers in 0..255 (TensorRT reads uint8 only in a `Cast`).
        size: Side S of the square that frames are resized to, pixels.

    Returns:
        float32 [N, 3, S, S], RGB, whole numbers in 0..255.
    """
    planes = _rgb(builder, builder.op("Transpose", frames, perm=[0, 3, 1, 2]))
    shape = builder.op("Shape", frames)
    height, width = (builder.op("Gather", shape, builder.constant(np.array(axis), "axis"), axis=0) for axis in (1, 2))
    columns = builder.op("Transpose", _weights(builder, width, size), perm=[1, 0])
    resized_rows = _grey_levels(builder, builder.op("MatMul", planes, columns))
    return _grey_levels(builder, builder.op("MatMul", _weights(builder, height, size), resized_rows))


def _weights(builder: Builder, side: str, size: int) -> str:
    """Pillow's weights for one axis, float32 [S, side]; rows sum to 1. `side` is an int64 scalar of the graph."""
    op, constant = builder.op, builder.constant
    pixels = op("Range", constant(np.array(0), "zero"), side, constant(np.array(1), "one"))
    scale = op("Div", op("Cast", side, to=1), constant(float(size)))
    targets = constant(np.arange(size, dtype=np.float32)[:, None] + np.float32(0.5), "targets")
    # The kernel widens with the scale where the frame shrinks: that is the antialiasing.
    widening = op("Max", scale, constant(1.0))
    offsets = op("Sub", op("Add", op("Cast", pixels, to=1), constant(0.5)), op("Mul", targets, scale))
    kernel = _cubic(builder, op("Abs", op("Div", offsets, widening)))
    # Pixels outside the frame are left out, and the others take their share.
    return op("Div", kernel, op("ReduceSum", kernel, constant([1], "axes"), keepdims=1))


def _cubic(builder: Builder, distance: str) -> str:
    """Keys' cubic kernel of a distance that is not negative."""
    op, constant = builder.op, builder.constant
    a = _BICUBIC
    square = op("Mul", distance, distance)
    near = op("Sub", op("Mul", distance, constant(a + 2.0)), constant(a + 3.0))
    near = op("Add", op("Mul", near, square), constant(1.0))
    far = op("Add", op("Mul", op("Sub", distance, constant(5.0)), distance), constant(8.0))
    far = op("Mul", op("Sub", op("Mul", far, distance), constant(4.0)), constant(a))
    far = op("Where", op("Less", distance, constant(_SUPPORT)), far, constant(0.0))
    return op("Where", op("Less", distance, constant(1.0)), near, far)


def _grey_levels(builder: Builder, values: str) -> str:
    """Round half up, as Pillow does, and clip to 0..255."""
    rounded = builder.op("Floor", builder.op("Add", values, builder.constant(0.5)))
    return builder.op("Clip", rounded, builder.constant(0.0), builder.constant(255.0))


def _rgb(builder: Builder, planes: str) -> str:
    return builder.op("Gather", planes, builder.constant([2, 1, 0], "rgb"), axis=1)
