"""Pillow's antialiased bicubic resize inside the graph, in lowerings of one meaning, one for each kind of target.

Pillow resizes 8-bit images in two passes, one an axis, with weights in fixed point and whole grey levels after each
pass. All lowerings do the same, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np
from onnx import TensorProto, helper

from nand_edge_export.graph.builder import Builder
from nand_edge_export.graph.names import resized_name

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

    def of(self, sides: tuple[int, int]) -> int:
        """That of height and width which lies along this axis."""
        return sides[self.value - _Axis.ROWS.value]


def portable_resize(builder: Builder, frames: str, sides: tuple[int, int]) -> str:
    """Resize with ONNX `Resize`, for ONNX Runtime, which computes nearly as Pillow does when given uint8 in planes.

    Its single-precision weights break one tie in a thousand otherwise than Pillow. Where a side is enlarged, that
    could grow to two levels; there matrix products in Pillow's own precision take its place.

    Args:
        builder: The graph that the operators go into; opset 18 or later.
        frames: uint8 [N, H, W, 3], BGR.
        sides: Height and width that frames are resized to, pixels.

    Returns:
        float32 [N, 3, height, width], RGB, whole numbers in 0..255.
    """
    planes = builder.op("Transpose", frames, perm=[0, 3, 1, 2])

    def enlarge() -> str:
        levels = _cast(builder, planes, TensorProto.FLOAT)
        return _two_passes(
            builder, levels, sides, lambda values, axis: _matrix_pass(builder, values, axis, axis.of(sides), np.float64)
        )

    def shrink() -> str:
        rows_first = builder.op("Greater", _rows_first(builder, planes, sides), builder.constant([0]))
        resized = _either(
            builder,
            rows_first,
            lambda: _antialiased(builder, _antialiased(builder, planes, sides, _Axis.ROWS), sides, _Axis.COLUMNS),
            # One operator for both axes takes a fifth less time than two, and it takes the columns first.
            lambda: _antialiased(builder, planes, sides, *_Axis),
            TensorProto.UINT8,
        )
        return _cast(builder, resized, TensorProto.FLOAT)

    enlarged = builder.op("Or", *(_is_enlarged(builder, planes, axis, axis.of(sides)) for axis in _Axis))
    return _rgb(builder, _either(builder, enlarged, enlarge, shrink, TensorProto.FLOAT))


def matrix_resize(builder: Builder, frames: str, sides: tuple[int, int]) -> str:
    """Resize with matrix products whose weights the graph computes from the frame's size.

    For TensorRT, which has no antialiased resize.

    Args:
        builder: The graph that the operators go into; opset 15 or later.
        frames: float32 [N, H, W, 3], BGR, whole numbers in 0..255 (TensorRT reads uint8 only in a `Cast`); H and W at
            most `MAX_SIDE`.
        sides: Height and width that frames are resized to, pixels.

    Returns:
        float32 [N, 3, height, width], RGB, whole numbers in 0..255.
    """
    op, constant = builder.op, builder.constant
    planes = _rgb(builder, op("Transpose", frames, perm=[0, 3, 1, 2]))
    # No If chooses the order here: TensorRT-RTX fails on one within the gate, and OpenVINO computes what follows it
    # wrongly. Instead both orders are computed, and the one that is not wanted gets a single pixel of the frame.
    rows_first = op("Min", _rows_first(builder, planes, sides), constant([1]))
    columns_first = op("Sub", constant([1]), rows_first)
    chosen = []
    for wanted, order in ((columns_first, (_Axis.COLUMNS, _Axis.ROWS)), (rows_first, (_Axis.ROWS, _Axis.COLUMNS))):
        values = _frame_or_pixel(builder, planes, wanted)
        for axis in order:
            values = _matrix_pass(builder, values, axis, axis.of(sides), np.float32)
        chosen.append(op("Mul", values, _cast(builder, wanted, TensorProto.FLOAT)))
    return op("Add", *chosen)


def replaceable_resize(builder: Builder, frames: str, sides: tuple[int, int]) -> str:
    """Resize with matrix products under a name by which an engine's builder finds them.

    For OpenVINO: the products say in ONNX's operators what is meant, as any reader of the graph can compute it, and its
    builder puts its own kernel in their place. The frames are cast beside them, so that nothing is left of the cast.

    Args:
        builder: The graph that the operators go into; opset 15 or later.
        frames: uint8 [N, H, W, 3], BGR; H and W at most `MAX_SIDE`.
        sides: Height and width that frames are resized to, pixels.

    Returns:
        float32 [N, 3, height, width], RGB, whole numbers in 0..255.
    """
    resized = matrix_resize(builder, _cast(builder, frames, TensorProto.FLOAT), sides)
    number = int(builder.name("resized").rpartition("_")[2])
    return builder.alias(resized, resized_name(sides, number))


def _frame_or_pixel(builder: Builder, planes: str, wanted: str) -> str:
    """The whole planes where `wanted`, int64 [1], is 1, and their first pixel where it is 0."""
    op, one = builder.op, builder.constant([1])
    sides = op("Shape", planes, start=2, end=4)
    ends = op("Add", one, op("Mul", wanted, op("Sub", sides, one)))
    return op("Slice", planes, builder.constant([0, 0]), ends, builder.constant([2, 3]))


def _is_enlarged(builder: Builder, planes: str, axis: _Axis, side: int) -> str:
    return builder.op("Less", _side(builder, planes, axis), builder.constant(np.array(side)))


def _rows_first(builder: Builder, planes: str, sides: tuple[int, int]) -> str:
    """Over 0 where Pillow resizes rows first, else 0, int64 [1].

    It does where the height shrinks, and by more than twice as many pixels as the width.
    """
    op = builder.op
    shrinks_by = op("Sub", op("Shape", planes, start=2, end=4), builder.constant(sides))
    height, width = (op("Slice", shrinks_by, builder.constant([at]), builder.constant([at + 1])) for at in (0, 1))
    limit = op("Max", op("Mul", width, builder.constant([2])), builder.constant([0]))
    return op("Max", op("Sub", height, limit), builder.constant([0]))


def _two_passes(
    builder: Builder,
    planes: str,
    sides: tuple[int, int],
    resize_axis: Callable[[str, _Axis], str],
    *,
    dtype: TensorProto.DataType = TensorProto.FLOAT,
) -> str:
    """Resize both axes in Pillow's order."""
    rows_first = builder.op("Greater", _rows_first(builder, planes, sides), builder.constant([0]))
    return _either(
        builder,
        rows_first,
        lambda: resize_axis(resize_axis(planes, _Axis.ROWS), _Axis.COLUMNS),
        lambda: resize_axis(resize_axis(planes, _Axis.COLUMNS), _Axis.ROWS),
        dtype,
    )


def _antialiased(builder: Builder, planes: str, sides: tuple[int, int], *axes: _Axis) -> str:
    """Resize axes of uint8 planes with whole grey levels after each."""
    return builder.op(
        "Resize",
        planes,
        "",
        "",
        builder.constant([axis.of(sides) for axis in axes], "sides"),
        axes=[axis.value for axis in axes],
        mode="cubic",
        antialias=1,
        cubic_coeff_a=-0.5,
        exclude_outside=1,
        coordinate_transformation_mode="half_pixel",
    )


def _matrix_pass(builder: Builder, planes: str, axis: _Axis, size: int, dtype: type[np.floating]) -> str:
    """Resize one axis of whole grey levels, float32 to float32; weights are computed in `dtype`."""
    op, constant = builder.op, builder.constant
    high, low = _limbs(builder, _weights(builder, _side(builder, planes, axis), size, dtype), dtype)
    if axis is _Axis.ROWS:
        sums = [op("MatMul", limb, planes) for limb in (high, low)]
    else:
        sums = [op("MatMul", planes, op("Transpose", limb, perm=[1, 0])) for limb in (high, low)]
    # Half a level is added and the fraction dropped, limb by limb: every number on the way is whole and below 2 ** 24.
    carry = op("Floor", op("Mul", sums[1], constant(2.0**-_LIMB_BITS)))
    level = 2.0 ** (_WEIGHT_BITS - _LIMB_BITS)
    total = op("Add", op("Add", sums[0], carry), constant(level / 2))
    return op("Clip", op("Floor", op("Mul", total, constant(1 / level))), constant(0.0), constant(255.0))


def _limbs(builder: Builder, weights: str, dtype: type[np.floating]) -> tuple[str, str]:
    """Whole weights as `high * 2 ** 12 + low`, both float32 and short enough for exact products, even in TF32."""
    op = builder.op
    base, inverse, half = (
        builder.constant(np.asarray(value, dtype)) for value in (2.0**_LIMB_BITS, 2.0**-_LIMB_BITS, 0.5)
    )
    high = op("Floor", op("Add", op("Mul", weights, inverse), half))
    low = op("Sub", weights, op("Mul", high, base))
    return _cast(builder, high, TensorProto.FLOAT), _cast(builder, low, TensorProto.FLOAT)


def _weights(builder: Builder, side: str, size: int, dtype: type[np.floating]) -> str:
    """Pillow's weights of one axis times 2 ** 22, whole numbers [S, side]; `side` is an int64 scalar of the graph.

    In double precision they are Pillow's own. Single precision comes within one of them, because distances between
    target and source pixels are counted in whole numbers and the kernel is a product of such differences; so it breaks
    few ties of half a level otherwise than Pillow.
    """
    op = builder.op

    def number(value: float) -> str:
        return builder.constant(np.asarray(value, dtype))

    def to_dtype(value: str) -> str:
        return _cast(builder, value, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    # A distance is `difference / unit`. The kernel widens with the scale where the frame shrinks: the antialiasing.
    unit = op("Mul", to_dtype(op("Max", side, builder.constant(np.array(size)))), number(2))
    pixels = to_dtype(op("Range", builder.constant(np.array(0)), side, builder.constant(np.array(1))))
    sources = op("Add", op("Mul", pixels, number(2 * size)), number(size))
    targets = builder.constant(2 * np.arange(size, dtype=dtype)[:, None] + 1, "targets")
    difference = op("Abs", op("Sub", sources, op("Mul", targets, to_dtype(side))))
    kernel = _cubic(builder, difference, unit, number)
    # Pixels outside the frame are left out, and the others take their share.
    shares = op("Div", kernel, op("ReduceSum", kernel, builder.constant([1], "axes"), keepdims=1))
    return op("Floor", op("Add", op("Mul", shares, number(2.0**_WEIGHT_BITS)), number(0.5)))


def _cubic(builder: Builder, difference: str, unit: str, number: Callable[[float], str]) -> str:
    """Keys' cubic kernel with a = -1/2 of x = difference / unit.

    It is (1 - x) (1 + x - 3/2 x^2) up to x = 1, (1 - x) (2 - x)^2 / 2 up to x = 2, and 0 beyond.
    """
    op = builder.op
    to_one = op("Div", op("Sub", unit, difference), unit)
    to_two = op("Div", op("Max", op("Sub", op("Mul", unit, number(2)), difference), number(0)), unit)
    distance = op("Div", difference, unit)
    bracket = op("Add", op("Mul", op("Mul", distance, distance), number(-1.5)), op("Add", distance, number(1)))
    near = op("Mul", to_one, bracket)
    far = op("Mul", op("Mul", to_one, number(0.5)), op("Mul", to_two, to_two))
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
