"""A small graph with the real gate of TensorRT's graphs: a loop over the frames, an encoder behind the gate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from nand_edge import signature
from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder
from nand_edge_export.graph.clip_branch import ClipBranch
from nand_edge_export.graph.gate import Gated, Select, add_gate
from nand_edge_export.graph.lowering import Gate
from nand_edge_export.graph.maps import output_info
from nand_edge_export.graph.resize import matrix_resize
from nand_edge_export.graph.suppression import Suppression, broken_normalities

SIZE, WIDTH, GRID, TAPS = 256, 16, 8, 3
TYPES = {"fp32": (TensorProto.FLOAT, np.float32), "fp16": (TensorProto.FLOAT16, np.float16)}


class Encoder:
    """Convolutions and attention in one precision, a tap after each; what a tap needs is added when it is read."""

    def __init__(self, builder: Builder, precision: str) -> None:
        self.builder = builder
        self.element, self.dtype = TYPES[precision]
        self.random = np.random.default_rng(0)
        self.value = ""

    def weights(self, *shape: int) -> str:
        values = self.random.normal(0, shape[0] ** -0.5, shape).astype(self.dtype)
        return self.builder.constant(values, "weights")

    def begin(self, frames: str) -> None:
        """Patches of the resized frames."""
        op, constant = self.builder.op, self.builder.constant
        image = op("Mul", matrix_resize(self.builder, frames, (64, 64)), constant(1 / 255))
        image = op("Cast", image, to=self.element)
        patches = op("Conv", image, self.weights(WIDTH, 3, 8, 8), kernel_shape=[8, 8], strides=[8, 8])
        self.value = op("Transpose", op("Reshape", patches, constant([0, WIDTH, -1])), perm=[0, 2, 1])

    def next_tap(self) -> str:
        """Attention over the patches, and from it unit tokens in fp32."""
        op = self.builder.op
        query, key, value = (op("MatMul", self.value, self.weights(WIDTH, WIDTH)) for _ in range(3))
        scores = op("Cast", op("MatMul", query, op("Transpose", key, perm=[0, 2, 1])), to=TensorProto.FLOAT)
        shares = op("Cast", op("Softmax", scores, axis=-1), to=self.element)
        self.value = op("Add", self.value, op("MatMul", shares, value))
        tokens = op("Cast", self.value, to=TensorProto.FLOAT)
        return op("Div", tokens, op("ReduceL2", tokens, self.builder.constant([2]), keepdims=1))


def gated_graph(precision: str, *, early_exit: bool) -> onnx.ModelProto:
    """Grey value as the base map, and behind the gate an encoder whose taps an early exit may leave out."""
    builder = Builder()
    op, constant = builder.op, builder.constant
    frames = op("Cast", signature.FRAMES, to=TensorProto.FLOAT)
    grey = op("ReduceMean", matrix_resize(builder, frames, (SIZE, SIZE)), constant([1]), keepdims=0)
    base_map = op("Mul", grey, constant(1 / 255))
    broken = broken_normalities(builder)

    def branch(select: Select) -> Mapping[str, str]:
        encoder = Encoder(builder, precision)

        def tokens(place: int) -> str:
            if place == 0:
                encoder.begin(select(frames))
            return encoder.next_tap()

        suppression = Suppression(builder, [(GRID, GRID)] * TAPS, 4.0, SIZE)
        clip_branch = ClipBranch(suppression, tokens, signature.OUTPUTS, broken, early_exit=early_exit)
        return clip_branch.outputs(select(signature.BASE_MAP))

    gated = Gated(base_map=base_map, outputs=signature.OUTPUTS, map_size=SIZE, taps=TAPS, broken=broken, branch=branch)
    add_gate(builder, Gate.LOOPED, gated)
    shapes = {
        signature.FRAMES: (TensorProto.UINT8, ["N", "H", "W", 3]),
        signature.THRESHOLD: (TensorProto.FLOAT, []),
        signature.NORMALITY_FEATURES: (TensorProto.FLOAT, ["K", TAPS, 2, "V", WIDTH]),
        signature.NORMALITY_BIAS: (TensorProto.FLOAT, ["K", TAPS, 2, "V"]),
        signature.REGION: (TensorProto.FLOAT, [SIZE, SIZE]),
    }
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in shapes.items()]
    outputs = [output_info(name, SIZE) for name in signature.OUTPUTS]
    graph = helper.make_graph(builder.nodes, "gated", inputs, outputs, list(builder.initializers.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: onnx.ModelProto, levels: list[int], threshold: float) -> dict[str, NDArray[np.float32]]:
    """What grey frames of these levels get."""
    random = np.random.default_rng(1)
    noise = random.integers(0, 8, (len(levels), 70, 90, 3))
    inputs = {
        signature.FRAMES: (np.array(levels)[:, None, None, None] + noise).astype(np.uint8),
        signature.THRESHOLD: np.array(threshold, np.float32),
        signature.NORMALITY_FEATURES: random.normal(size=(2, TAPS, 2, 1, WIDTH)).astype(np.float32),
        signature.NORMALITY_BIAS: np.zeros((2, TAPS, 2, 1), np.float32),
        signature.REGION: np.ones((SIZE, SIZE), np.float32),
    }
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(signature.OUTPUTS, session.run(signature.OUTPUTS, inputs), strict=True))
