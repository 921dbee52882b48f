"""Pillow's antialiased bicubic resize inside the graph, in two lowerings of one meaning, one for each kind of target.

Pillow resizes 8-bit images in two passes, one an axis, with weights in fixed point and whole grey levels after each
pass. Both lowerings do the same, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np
from onnx import TensorProto, helper

from nand_edge_export.graph.builder import Builder

MAX_SIDE = 4096
"""Longest side of a frame, pixels, for which the resize is proven; distances stay exact up to 2 ** 23 / S."""

_WEIGHT_BITS = 22
"""Pillow's weights are whole multiples of 2 ** -22."""

_LIMB_BITS = 12
"""A weight is split in two limbs of at most 11 bits and a sign, so that even TF32 products of them are exact."""


class _Axis(Enum):
    """The axis of float32 [N, 3, H, W] that a pass resizes."""

    ROWS = 2
    COLUMNS = 3


def portable_resize(builder: Builder, frames: str, size: int) -> str:
    """Resize with ONNX `Resize`, for ONNX Runtime, which computes it as Pillow does when it is given uint8 in planes.

    Where an axis is enlarged, `Resize` may miss by a level in each pass and so by two in all; there the exact matrix
    is small, and takes its place.

    Args:
        builder: The graph that the operators go into; opset 18 or later.
        frames: uint8 [N, H, W, 3], BGR.
        size: Side S of the square that frames are resized to, pixels.

    Returns:
        float32 [N, 3, S, S], RGB, whole numbers in 0..255; at most one level off Pillow.
    """
    planes = builder.op("Transpose", frames, perm=[0, 3, 1, 2])

    def enlarge(values: str, axis: _Axis) -> str:
        levels = _matrix_pass(builder, _cast(builder, values, TensorProto.FLOAT), axis, size)
        return _cast(builder, levels, TensorProto.UINT8)

    def resize_axis(values: str, axis: _Axis) -> str:
        return _either(
            builder,
            builder.op("Less", _side(builder, values, axis), builder.constant(np.array(size))),
            lambda: enlarge(values, axis),
            lambda: _antialiased_pass(builder, values, axis, size),
            TensorProto.UINT8,
        )

    resized = _two_passes(builder, planes, size, resize_axis, TensorProto.UINT8)
    return _rgb(builder, _cast(builder, resized, TensorProto.FLOAT))


def matrix_resize(builder: Builder, frames: str, size: int) -> str:
    """Resize with matrix products whose weights the graph computes from the frame's size.

    For TensorRT, which has no antialiased resize, and OpenVINO, whose import of `Resize` leaves the antialiasing out.

    Args:
        builder: The graph that the operators go into; opset 13 or later.
        frames: float32 [N, H, W, 3], BGR, whole numbers in 0..255 (TensorRT reads uint8 only in a `Cast`); H and W at
            most `MAX_SIDE`.
        size: Side S of the square that frames are resized to, pixels.

    Returns:
        float32 [N, 3, S, S], RGB, whole numbers in 0..255.
    """
    planes = _rgb(builder, builder.op("Transpose", frames, perm=[0, 3, 1, 2]))
    return _two_passes(
        builder, planes, size, lambda values, axis: _matrix_pass(builder, values, axis, size), TensorProto.FLOAT
    )


def _two_passes(
    builder: Builder, planes: str, size: int, resize_axis: Callable[[str, _Axis], str], dtype: TensorProto.DataType
) -> str:
    """Resize both axes in Pillow's order: columns first, but not when the height shrinks by more than twice as much."""
    op, constant = builder.op, builder.constant
    shrinks_by = {
        axis: op("Sub", _side(builder, planes, axis), constant(np.array(size))) for axis in (_Axis.ROWS, _Axis.COLUMNS)
    }
    limit = op("Max", op("Mul", shrinks_by[_Axis.COLUMNS], constant(np.array(2))), constant(np.array(0)))
    return _either(
        builder,
        op("Greater", shrinks_by[_Axis.ROWS], limit),
        lambda: resize_axis(resize_axis(planes, _Axis.ROWS), _Axis.COLUMNS),
        lambda: resize_axis(resize_axis(planes, _Axis.COLUMNS), _Axis.ROWS),
        dtype,
    )


def _antialiased_pass(builder: Builder, planes: str, axis: _Axis, size: int) -> str:
    return builder.op(
        "Resize",
        planes,
        "",
        "",
        builder.constant([size], "side"),
        axes=[axis.value],
        mode="cubic",
        antialias=1,
        cubic_coeff_a=-0.5,
        exclude_outside=1,
        coordinate_transformation_mode="half_pixel",
    )


def _matrix_pass(builder: Builder, planes: str, axis: _Axis, size: int) -> str:
    """Resize one axis of whole grey levels."""
    op, constant = builder.op, builder.constant
    weights = _weights(builder, _side(builder, planes, axis), size)
    # Each weight becomes two whole numbers that are short enough for exact products, even in TF32.
    high = op("Floor", op("Add", op("Mul", weights, constant(2.0**-_LIMB_BITS)), constant(0.5)))
    low = op("Sub", weights, op("Mul", high, constant(2.0**_LIMB_BITS)))
    if axis is _Axis.ROWS:
        sums = [op("MatMul", limb, planes) for limb in (high, low)]
    else:
        sums = [op("MatMul", planes, op("Transpose", limb, perm=[1, 0])) for limb in (high, low)]
    # Half a level is added and the fraction dropped, limb by limb: every number on the way is whole and below 2 ** 24.
    carry = op("Floor", op("Mul", sums[1], constant(2.0**-_LIMB_BITS)))
    level = 2.0 ** (_WEIGHT_BITS - _LIMB_BITS)
    total = op("Add", op("Add", sums[0], carry), constant(level / 2))
    return op("Clip", op("Floor", op("Mul", total, constant(1 / level))), constant(0.0), constant(255.0))


def _weights(builder: Builder, side: str, size: int) -> str:
    """Pillow's weights of one axis times 2 ** 22, float32 whole numbers [S, side]; `side` is an int64 scalar.

    Single precision would break ties of half a level otherwise than Pillow, were the distance between a target and a
    source pixel not counted in whole numbers, and the kernel not evaluated as a product of such differences.
    """
    op, constant = builder.op, builder.constant
    # A distance is `difference / unit`. The kernel widens with the scale where the frame shrinks: the antialiasing.
    unit = op("Mul", op("Max", side, constant(np.array(size))), constant(np.array(2)))
    unit = _cast(builder, unit, TensorProto.FLOAT)
    pixels = _cast(builder, op("Range", constant(np.array(0)), side, constant(np.array(1))), TensorProto.FLOAT)
    sources = op("Add", op("Mul", pixels, constant(2.0 * size)), constant(float(size)))
    targets = constant(2 * np.arange(size, dtype=np.float32)[:, None] + 1, "targets")
    difference = op("Abs", op("Sub", sources, op("Mul", targets, _cast(builder, side, TensorProto.FLOAT))))
    kernel = _cubic(builder, difference, unit)
    # Pixels outside the frame are left out, and the others take their share.
    shares = op("Div", kernel, op("ReduceSum", kernel, constant([1], "axes"), keepdims=1))
    return op("Floor", op("Add", op("Mul", shares, constant(2.0**_WEIGHT_BITS)), constant(0.5)))


def _cubic(builder: Builder, difference: str, unit: str) -> str:
    """Keys' cubic kernel with a = -1/2 of x = difference / unit.

    It is (1 - x) (1 + x - 3/2 x^2) up to x = 1, (1 - x) (2 - x)^2 / 2 up to x = 2, and 0 beyond.
    """
    op, constant = builder.op, builder.constant
    to_one = op("Div", op("Sub", unit, difference), unit)
    to_two = op("Div", op("Max", op("Sub", op("Mul", unit, constant(2.0)), difference), constant(0.0)), unit)
    distance = op("Div", difference, unit)
    bracket = op("Add", op("Mul", op("Mul", distance, distance), constant(-1.5)), op("Add", distance, constant(1.0)))
    near = op("Mul", to_one, bracket)
    far = op("Mul", op("Mul", to_one, constant(0.5)), op("Mul", to_two, to_two))
    return op("Where", op("Less", difference, unit), near, far)


def _either(
    builder: Builder,
    condition: str,
    then: Callable[[], str],
    otherwise: Callable[[], str],
    dtype: TensorProto.DataType,
) -> str:
    """An ONNX `If` whose branches give planes [N, 3, height, width]."""
    bodies = []
    for hint, branch in (("then", then), ("otherwise", otherwise)):
        with builder.branch() as nodes:
            output = branch()
        value = helper.make_tensor_value_info(output, dtype, [None, 3, None, None])
        bodies.append(helper.make_graph(nodes, builder.name(hint), [], [value]))
    return builder.op("If", condition, then_branch=bodies[0], else_branch=bodies[1])


def _side(builder: Builder, planes: str, axis: _Axis) -> str:
    return builder.op("Gather", builder.op("Shape", planes), builder.constant(np.array(axis.value)), axis=0)


def _cast(builder: Builder, value: str, dtype: TensorProto.DataType) -> str:
    return builder.op("Cast", value, to=dtype)


def _rgb(builder: Builder, planes: str) -> str:
    return builder.op("Gather", planes, builder.constant([2, 1, 0], "rgb"), axis=1)
