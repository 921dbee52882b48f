"""The graph of an ONNX detector: the prepared image in, the base map out, the model itself between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from nand_edge.signature import MAP_SIZE
from nand_edge_export.detectors.onnx_interface import Interface
from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder

GRAY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601), as Pillow and OpenCV have them."""

IMAGE, BASE_MAP = "image", "base_map"
_TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}


@dataclass(frozen=True)
class MapRange:
    """What is done to a model's map so that it is at least 0.

    Attributes:
        offset: Added to it.
        clamp: Whether numbers below 0 are wanted to become 0, not only tolerated as a safeguard.
    """

    offset: float = 0.0
    clamp: bool = False


def any_batch_graph(
    model: onnx.ModelProto, interface: Interface, sides: tuple[int, int], map_range: MapRange
) -> onnx.GraphProto:
    """The graph of a model that takes any number of frames.

    Args:
        model: In our opset, with the map as its only output.
        interface: How frames go into it.
        sides: Height and width of its map.
        map_range: What is done to the map.
    """
    return _graph(lambda builder, image: _run(builder, model, interface, image), interface, sides, map_range)


def chunked_graph(
    model: onnx.ModelProto, interface: Interface, sides: tuple[int, int], map_range: MapRange, *, batch: int
) -> onnx.GraphProto:
    """The graph of a model that takes `batch` frames: a `Loop` over so many at once, the last frame filling the rest.

    For the other arguments see `any_batch_graph`.
    """

    def run(builder: Builder, image: str) -> str:
        op, constant = builder.op, builder.constant
        frames = op("Shape", image, start=0, end=1)
        rounds = op("Div", op("Add", frames, constant([batch - 1])), constant([batch]))
        step, going = builder.name("step"), builder.name("going")
        with builder.branch() as nodes:
            places = op("Add", op("Mul", step, constant(np.array(batch))), constant(np.arange(batch)))
            last = op("Sub", frames, constant([1]))
            chunk = op("Gather", image, op("Min", places, last), axis=0)
            outputs = [op("Identity", going), _run(builder, model, interface, chunk)]
        body = helper.make_graph(
            nodes,
            builder.name("chunk"),
            [
                helper.make_tensor_value_info(step, TensorProto.INT64, []),
                helper.make_tensor_value_info(going, TensorProto.BOOL, []),
            ],
            [
                helper.make_tensor_value_info(outputs[0], TensorProto.BOOL, []),
                helper.make_tensor_value_info(outputs[1], TensorProto.FLOAT, None),
            ],
        )
        maps = op("Loop", op("Squeeze", rounds, constant([0])), constant(np.ones((), np.bool_)), body=body)
        together = op("Reshape", maps, constant([-1, 1, *sides]))
        return op("Slice", together, constant([0]), frames, constant([0]))

    return _graph(run, interface, sides, map_range)


def standalone(graph: onnx.GraphProto) -> onnx.ModelProto:
    """A model of a detector's graph alone."""
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], producer_name="nand-edge", ir_version=IR_VERSION)


def _graph(
    run: Callable[[Builder, str], str], interface: Interface, sides: tuple[int, int], map_range: MapRange
) -> onnx.GraphProto:
    builder = Builder()
    base_map = builder.alias(_finished(builder, run(builder, IMAGE), sides, map_range), BASE_MAP)
    image = helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, ["N", 3, *interface.size])
    output = helper.make_tensor_value_info(base_map, TensorProto.FLOAT, ["N", MAP_SIZE, MAP_SIZE])
    return helper.make_graph(builder.nodes, "onnx_detector", [image], [output], list(builder.initializers.values()))


def _run(builder: Builder, model: onnx.ModelProto, interface: Interface, image: str) -> str:
    """The model's map, float32, for an image float32 [N, 3, H, W] RGB."""
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    values = _as_model_wants(builder, graph, interface, image)
    output = builder.embed(graph, {interface.input: values}, "model")[0]
    return builder.op("Cast", output, to=TensorProto.FLOAT)


def _as_model_wants(builder: Builder, graph: onnx.GraphProto, interface: Interface, image: str) -> str:
    op, constant = builder.op, builder.constant
    if interface.color == "gray":
        shares = np.array(GRAY, np.float32).reshape(1, 3, 1, 1)
        image = op("ReduceSum", op("Mul", image, constant(shares, "gray")), constant([1], "axes"), keepdims=1)
    elif interface.color == "BGR":
        image = op("Gather", image, constant([2, 1, 0], "bgr"), axis=1)
    if interface.layout == "NHWC":
        image = op("Transpose", image, perm=[0, 2, 3, 1])
    if interface.dtype == "uint8":
        image = op("Round", image)
        if _only_cast(graph, interface.input):
            # TensorRT knows uint8 in inputs and outputs alone, and these whole numbers are the same as floats.
            return image
    return op("Cast", image, to=_TYPES[interface.dtype]) if interface.dtype != "float32" else image


def _only_cast(graph: onnx.GraphProto, name: str) -> bool:
    return all(node.op_type == "Cast" for node in graph.node if name in node.input)


def _finished(builder: Builder, maps: str, sides: tuple[int, int], map_range: MapRange) -> str:
    """The base map, float32 [N, M, M] and at least 0, of maps with the frames first and `sides`."""
    op, constant = builder.op, builder.constant
    planes = op("Reshape", maps, constant([-1, 1, *sides]))
    if sides != (MAP_SIZE, MAP_SIZE):
        factors = np.array([1, 1, MAP_SIZE / sides[0], MAP_SIZE / sides[1]], np.float32)
        planes = op("Resize", planes, "", constant(factors, "factors"), mode="linear")
    resized = op("Reshape", planes, constant([-1, MAP_SIZE, MAP_SIZE]))
    lifted = op("Add", resized, constant(map_range.offset)) if map_range.offset else resized
    # Not Max or Relu, which may turn NaN into 0: a broken map must never pass.
    return op("Where", op("Less", lifted, constant(0.0)), constant(0.0), lifted)
