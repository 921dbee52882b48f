"""OpenVINO's own Pillow kernel in the place of the graph's resize by matrix products."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from nand_edge_export.graph.names import Sides, resized_sides

_OPERATORS = "openvino.opset13"


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
    """Operators that resize frames, uint8 [N, H, W, 3] BGR.

    The kernel is fast where the axis that it resizes comes first and all else lies beside each other behind it. So a
    pass over rows takes the frame as it is, and one over columns takes it transposed. Pillow's order depends on the
    frame's size; as an `If` within the gate is computed wrongly, both orders are, and the one that is not wanted gets
    a single pixel of the frame. The first frame of each size takes longer, since OpenVINO prepares the kernel for it:
    0.3 s more at 640 x 480.
    """

    def __init__(self, frames: Any, sides: Sides) -> None:
        self._op = importlib.import_module(_OPERATORS)
        self._frames, self._sides = frames, sides

    def rgb_planes(self) -> Any:
        """Grey levels, float32 [N, 3, height, width] RGB."""
        op, (height, width) = self._op, self._sides
        rows_first = self._rows_first()
        rows = self._frame_or_pixel(rows_first)
        by_rows = self._transposed(self._pass(self._transposed(self._pass(rows, height)), width))
        columns = self._transposed(self._frame_or_pixel(op.subtract(self._whole([1]), rows_first)))
        by_columns = self._pass(self._transposed(self._pass(columns, width)), height)
        wanted = op.convert(rows_first, "boolean")
        levels = op.select(wanted, by_rows, by_columns)
        return self._reversed(op.transpose(op.convert(levels, "f32"), self._whole([0, 3, 1, 2])))

    def _reversed(self, planes: Any) -> Any:
        """RGB of BGR, float32 [N, 3, height, width].

        Not by a gathering: OpenVINO 2026.4 puts the next convolution's weights in reverse instead, and in the body of
        an `If` gets that wrong.
        """
        op, one, axis = self._op, self._whole([1]), self._whole([1])
        return op.concat(
            [op.slice(planes, self._whole([at]), self._whole([at + 1]), one, axis) for at in (2, 1, 0)], axis=1
        )

    def _pass(self, levels: Any, side: int) -> Any:
        """Resize the second axis of uint8 [N, S, T, 3] to `side`."""
        op = self._op
        merged = op.reshape(op.unsqueeze(levels, self._whole([2])), self._whole([0, 0, 0, -1]), special_zero=True)
        resized = op.interpolate(
            merged,
            self._whole([side, 1]),
            "bicubic_pillow",
            "sizes",
            pads_begin=[0, 0, 0, 0],
            pads_end=[0, 0, 0, 0],
            cube_coeff=-0.5,
            axes=self._whole([1, 2]),
        )
        return op.reshape(resized, self._whole([0, side, -1, 3]), special_zero=True)

    def _transposed(self, levels: Any) -> Any:
        return self._op.transpose(levels, self._whole([0, 2, 1, 3]))

    def _rows_first(self) -> Any:
        """1 where Pillow resizes rows first, else 0, int64 [1].

        It does where the height shrinks, and by more than twice as many pixels as the width.
        """
        op = self._op
        shrinks_by = op.subtract(self._frame_sides(), self._whole(self._sides))
        height, width = (op.gather(shrinks_by, self._whole([place]), self._whole(0)) for place in (0, 1))
        limit = op.maximum(op.multiply(width, self._whole([2])), self._whole([0]))
        return op.convert(op.greater(height, limit), "i64")

    def _frame_or_pixel(self, wanted: Any) -> Any:
        """The whole frames where `wanted`, int64 [1], is 1, and their first pixel where it is 0."""
        op, one = self._op, self._whole([1])
        ends = op.add(one, op.multiply(wanted, op.subtract(self._frame_sides(), one)))
        return op.slice(self._frames, self._whole([0, 0]), ends, self._whole([1, 1]), self._whole([1, 2]))

    def _frame_sides(self) -> Any:
        op = self._op
        return op.gather(op.shape_of(self._frames, "i64"), self._whole([1, 2]), self._whole(0))

    def _whole(self, values: Any) -> Any:
        return self._op.constant(np.asarray(values, np.int64))
