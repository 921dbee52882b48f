"""OpenVINO's own Pillow kernel in the place of the graph's resize by matrix products."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from nand_edge_export.graph.names import Sides, resized_sides

_OPERATORS = "openvino.opset13"

_MOST_ROWS = 16
"""Rows of a block; three times as many numbers lie beside each other. Twice as many are no faster, and slower where a
frame is large."""

_MOST_COLUMNS = 64
"""Columns of a block."""

_VECTOR = 16
"""Numbers that a kernel of AVX-512 computes at once."""


def use_own_resize(model: Any) -> int:
    """Put OpenVINO's `bicubic_pillow` where a model resizes frames as Pillow does, in the bodies of its `If`s too.

    It reads and writes uint8, so that it rounds to whole grey levels after each pass, as Pillow does, whatever the
    precision of the rest.

    Args:
        model: An `openvino.Model` of a graph with `replaceable_resize`; changed in place.

    Returns:
        How many were replaced.
    """
    count = 0
    for body in _bodies(model):
        for node in body.get_ordered_ops():
            sides = _sides_of(node)
            if sides is None:
                continue
            resized = _Resize(_frames_of(node), sides).rgb_planes()
            resized.set_friendly_name(node.get_friendly_name())
            for reader in node.output(0).get_target_inputs():
                reader.replace_source_output(resized.output(0))
            count += 1
        body.validate_nodes_and_infer_types()
    return count


def _bodies(model: Any) -> Iterator[Any]:
    for node in model.get_ordered_ops():
        if node.get_type_name() == "If":
            yield from _bodies(node.get_then_body())
            yield from _bodies(node.get_else_body())
    yield model


def _sides_of(node: Any) -> Sides | None:
    found = (resized_sides(name) for port in node.outputs() for name in port.get_names())
    return next((sides for sides in found if sides is not None), None)


def _frames_of(node: Any) -> Any:
    """The uint8 frames that a value is computed of."""
    left, seen = [node], set()
    while left:
        current = left.pop()
        for port in current.input_values():
            if port.get_element_type().get_type_name() == "u8" and len(port.get_partial_shape()) == 4:
                return port
            source = port.get_node()
            if id(source) not in seen:
                seen.add(id(source))
                left.append(source)
    raise AssertionError(f"{node.get_friendly_name()} is not computed of frames")


class _Resize:
    """Operators that resize frames, uint8 [N, H, W, 3] BGR, N is 1.

    The kernel is fast, and runs on all threads, where it gets many small images, in which the axis that it resizes
    comes first and few numbers lie beside each other behind it: what it reads for a pixel then stays in the nearest
    cache. So a pass over columns gets the frame in blocks of rows, each transposed, and one over rows gets blocks of
    columns. Of OpenVINO's transpositions only that from channels last to channels first is vectorised, so all are
    written as that.
    """

    def __init__(self, frames: Any, sides: Sides) -> None:
        self._op = importlib.import_module(_OPERATORS)
        self._frames, self._sides = frames, sides

    def rgb_planes(self) -> Any:
        """Grey levels, float32 [N, 3, height, width] RGB.

        Pillow's order depends on the frame's size. As an `If` within the gate is computed wrongly, columns go first
        always, and rows do for as many frames as want it: one or none, and what has no elements takes no time.
        """
        op = self._op
        either = op.concat([self._rows_first(), self._columns_first()], 0)
        levels = op.slice(either, self._whole([0]), self._whole([1]), self._whole([1]), self._whole([0]))
        return op.convert(self._reshaped(levels, 1, 3, *self._sides), "f32")

    def _columns_first(self) -> Any:
        """Grey levels, uint8 [1, 3, height, width] RGB."""
        height, width = self._sides
        frame_height, frame_width = self._frame_side(1), self._frame_side(2)
        rows = self._rows_of_a_block(frame_height)
        columns = _columns_of_a_block(width)
        # [blocks, columns and colours, rows], and the frame's columns become those of the result.
        by_block = self._last_first(self._reshaped(self._frames, -1, rows, 1, self._times(frame_width, 3)))
        lanes = self._times(rows, 3)
        narrow = self._pass(self._reshaped(by_block, -1, frame_width, 1, lanes), width)
        # [blocks of rows, blocks of columns, colours and rows, columns], and blocks of rows go to the rows.
        turned = self._last_first(self._reshaped(narrow, -1, columns, 1, lanes))
        blocks = width // columns
        piece = self._reshaped(turned, -1, blocks, 3, self._times(rows, columns))
        by_columns = self._op.transpose(piece, self._whole([2, 1, 0, 3]))
        small = self._pass(self._reshaped(by_columns, 3 * blocks, -1, 1, columns), height)
        return self._reshaped(self._joined(small, columns), 1, 3, height, width)

    def _joined(self, blocks: Any, columns: int) -> Any:
        """Rows of RGB planes of blocks of columns of BGR planes: uint8 [3 * width, height] in pieces of `columns`.

        A gathering of pieces is four times as fast as a transposition; that the colours change places in it costs
        nothing.
        """
        height, width = self._sides
        places = np.arange(3 * height * width // columns).reshape(3, width // columns, height)
        order = places[::-1].transpose(0, 2, 1)
        return self._op.gather(self._reshaped(blocks, -1, columns), self._whole(order.ravel()), self._whole(0))

    def _rows_first(self) -> Any:
        """The same for frames that want it so: uint8 [0 or 1, 3, height, width] RGB."""
        op, (height, width) = self._op, self._sides
        wanted = self._wants_rows_first()
        frames = op.slice(self._frames, self._whole([0]), wanted, self._whole([1]), self._whole([0]))
        frame_height, frame_width = self._frame_side(1), self._frame_side(2)
        merged = self._reshaped(frames, wanted, frame_height, 1, self._times(frame_width, 3))
        low = self._pass(merged, height)
        small = self._pass(self._reshaped(low, self._times(wanted, height), frame_width, 1, 3), width)
        planes = self._last_first(self._reshaped(small, wanted, height, width, 3))
        return self._reversed(planes)

    def _reversed(self, planes: Any) -> Any:
        """RGB of BGR, uint8 [N, 3, height, width].

        Not by a gathering: OpenVINO 2026.4 puts the next convolution's weights in reverse instead, and in the body of
        an `If` gets that wrong.
        """
        op, one, axis = self._op, self._whole([1]), self._whole([1])
        return op.concat(
            [op.slice(planes, self._whole([at]), self._whole([at + 1]), one, axis) for at in (2, 1, 0)], axis=1
        )

    def _pass(self, levels: Any, side: int) -> Any:
        """Resize the second axis of uint8 [M, S, 1, T] to `side`."""
        return self._op.interpolate(
            levels,
            self._whole([side, 1]),
            "bicubic_pillow",
            "sizes",
            pads_begin=[0, 0, 0, 0],
            pads_end=[0, 0, 0, 0],
            cube_coeff=-0.5,
            axes=self._whole([1, 2]),
        )

    def _last_first(self, values: Any) -> Any:
        """Uint8 [M, A, B, C] as [M, C, A, B]."""
        return self._op.transpose(values, self._whole([0, 3, 1, 2]))

    def _rows_of_a_block(self, height: Any) -> Any:
        """The largest divisor of the frames' height up to `_MOST_ROWS`, int64 [1]: a frame is cut without copies."""
        op = self._op
        numbers = self._whole(np.arange(1, _MOST_ROWS + 1))
        divides = op.equal(op.mod(height, numbers), self._whole(0))
        return op.reduce_max(op.multiply(numbers, op.convert(divides, "i64")), self._whole([0]), keep_dims=True)

    def _wants_rows_first(self) -> Any:
        """1 where Pillow resizes rows first, else 0, int64 [1].

        It does where the height shrinks, and by more than twice as many pixels as the width.
        """
        op = self._op
        height, width = (op.subtract(self._frame_side(axis), self._whole([self._sides[axis - 1]])) for axis in (1, 2))
        limit = op.maximum(self._times(width, 2), self._whole([0]))
        return op.convert(op.greater(height, limit), "i64")

    def _frame_side(self, axis: int) -> Any:
        """int64 [1]."""
        op = self._op
        return op.gather(op.shape_of(self._frames, "i64"), self._whole([axis]), self._whole(0))

    def _reshaped(self, values: Any, *sides: Any) -> Any:
        """With sides that are numbers or int64 [1]."""
        op = self._op
        if all(isinstance(side, int) for side in sides):
            return op.reshape(values, self._whole(sides), special_zero=False)
        shape = op.concat([self._whole([side]) if isinstance(side, int) else side for side in sides], 0)
        return op.reshape(values, shape, special_zero=False)

    def _times(self, values: Any, factor: int) -> Any:
        return self._op.multiply(values, self._whole([factor]))

    def _whole(self, values: Any) -> Any:
        return self._op.constant(np.asarray(values, np.int64))


def _columns_of_a_block(width: int) -> int:
    """A divisor of the width up to `_MOST_COLUMNS`, as well one of whole vectors as there is."""
    divisors = [columns for columns in range(1, _MOST_COLUMNS + 1) if width % columns == 0]
    return max(divisors, key=lambda columns: (columns % _VECTOR == 0, columns))
