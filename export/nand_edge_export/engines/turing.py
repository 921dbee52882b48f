"""Compute capability 7.5: TensorRT-RTX has no float32 matrix products for it, so those of a graph are put otherwise.

A product with constant weights on its right becomes a convolution, which there is in float32: so PatchCore's distances
stay exact. The others, of the resize, of the tokens with the words and of the upsampling, become products in fp16.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nand_edge_export.precision.protocol import Lowered

if TYPE_CHECKING:
    import onnx

COMPUTE_CAPABILITY = "7.5"
LOWERED_BY: dict[str, str | int | float] = {"products_left_in_fp32": "convolutions, or fp16, for 7.5"}
"""For the engine's record."""

_MATRIX = 2


@contextmanager
def without_fp32_products(graph: Path) -> Iterator[Path]:
    """The graph with its float32 products replaced, there until the block ends.

    Args:
        graph: An ONNX file in a precision other than fp32.
    """
    import onnx

    model = onnx.load(str(graph))
    replace_fp32_products(model)
    with tempfile.TemporaryDirectory(prefix="nand-edge-") as folder:
        path = Path(folder) / graph.name
        Lowered(model, {}).save(path)
        del model
        yield path


def replace_fp32_products(model: onnx.ModelProto) -> None:
    """Replace every float32 `MatMul` and `Gemm` of the graph and its bodies, in place."""
    from nand_edge_export.precision.element_types import element_types
    from nand_edge_export.precision.nested import constants

    _Products(model, element_types(model.graph), constants(model.graph)).replace_in(model.graph)


@dataclass(frozen=True)
class _Products:
    """The replacement in one model.

    Attributes:
        model: The model, whose own graph takes new constants; bodies see them there.
        types: Element type of every value, by name.
        known: Constants by name.
    """

    model: onnx.ModelProto
    types: Mapping[str, int]
    known: Mapping[str, onnx.TensorProto]

    def replace_in(self, graph: onnx.GraphProto) -> None:
        from onnx import NodeProto

        from nand_edge_export.precision.nested import bodies

        nodes: list[NodeProto] = []
        for node in graph.node:
            for body in bodies(node):
                self.replace_in(body)
            nodes.extend(self._replaced(node))
        copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)

    def _replaced(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        from onnx import TensorProto, numpy_helper

        if node.op_type not in ("MatMul", "Gemm") or self.types.get(node.input[0]) != TensorProto.FLOAT:
            return [node]
        weights = self.known.get(node.input[1])
        plain = node.op_type == "MatMul" or _is_plain(node)
        if weights is None or len(weights.dims) != _MATRIX or not plain:
            return self._in_half(node)
        return self._as_convolution(node, numpy_helper.to_array(weights))

    def _as_convolution(self, node: onnx.NodeProto, weights: Any) -> list[onnx.NodeProto]:
        """Rows become images of one pixel with as many channels as the matrix has rows."""
        from onnx import helper

        name, output = node.name or node.output[0], node.output[0]
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        matrix = weights if attributes.get("transB", 0) else weights.T  # [N, K]
        kernel = self._constant(f"{name}/kernel", np.ascontiguousarray(matrix)[:, :, None, None])
        images = self._constant(f"{name}/images", np.array([-1, matrix.shape[1], 1, 1], np.int64))
        width = self._constant(f"{name}/width", np.array([matrix.shape[0]], np.int64))
        inputs = [f"{name}/pixels", kernel, *node.input[2:]]
        return [
            helper.make_node("Reshape", [node.input[0], images], [inputs[0]]),
            helper.make_node("Conv", inputs, [f"{name}/convolved"], kernel_shape=[1, 1]),
            helper.make_node("Shape", [node.input[0]], [f"{name}/rows"], end=-1),
            helper.make_node("Concat", [f"{name}/rows", width], [f"{name}/shape"], axis=0),
            helper.make_node("Reshape", [f"{name}/convolved", f"{name}/shape"], [output], name=name),
        ]

    def _in_half(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        from onnx import NodeProto, TensorProto, helper

        name = node.name or node.output[0]
        halves = [f"{name}/half_{place}" for place in range(len(node.input))]
        casts = [
            helper.make_node("Cast", [value], [half], to=TensorProto.FLOAT16)
            for value, half in zip(node.input, halves, strict=True)
        ]
        product = NodeProto.FromString(node.SerializeToString())
        product.ClearField("input")
        product.ClearField("output")
        product.input.extend(halves)
        product.output.append(f"{name}/half")
        back = helper.make_node("Cast", [f"{name}/half"], [node.output[0]], to=TensorProto.FLOAT)
        return [*casts, product, back]

    def _constant(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        self.model.graph.initializer.append(numpy_helper.from_array(values, name))
        return name


def _is_plain(gemm: onnx.NodeProto) -> bool:
    """Whether it is a product and at most a bias: not scaled, its left side not transposed."""
    return all(attribute.name == "transB" or attribute.f == 1.0 for attribute in gemm.attribute)
