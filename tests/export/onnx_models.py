"""Small ONNX models made by hand, one for every way in which somebody's model may be odd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]
SIDE = 32


def weights(shape: Sequence[int], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0.05, 0.3, shape).astype(np.float32)


def model(
    nodes: Sequence[onnx.NodeProto],
    outputs: dict[str, Shape],
    *,
    constants: dict[str, NDArray[np.generic]] | None = None,
    input_shape: Shape = ("N", 3, SIDE, SIDE),
    dtype: int = TensorProto.FLOAT,
    opset: int = 18,
    domains: Sequence[str] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model with the input `pixels`."""
    tensors = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("pixels", dtype, input_shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        tensors,
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=functions)


def save(made: onnx.ModelProto, folder: Path, *, outside: bool = False) -> Path:
    path = folder / "model.onnx"
    onnx.save_model(made, path, save_as_external_data=outside, location="model.weights", size_threshold=0)
    return path


def edges(
    *,
    batch: int | str = "N",
    opset: int = 18,
    outputs: dict[str, Shape] | None = None,
    extra: Sequence[onnx.NodeProto] = (),
) -> onnx.ModelProto:
    """A convolution whose size is that of the frame, then its absolute value: the map."""
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["edges"], pads=[1, 1, 1, 1]),
        helper.make_node("Abs", ["edges"], ["heat"]),
        *extra,
    ]
    return model(
        nodes,
        outputs or {"heat": [batch, 1, SIDE, SIDE]},
        constants={"kernel": weights((1, 3, 3, 3)) - np.float32(0.17)},
        input_shape=[batch, 3, SIDE, SIDE],
        opset=opset,
    )


def patches(batch: int) -> onnx.ModelProto:
    """As anomalib's PatchCore with a fixed batch: distances of all frames' patches, computed in two chunks."""
    grid = SIDE // 4
    rows = batch * grid * grid
    half = rows // 2 + 3  # not where one frame ends
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["features"], strides=[4, 4]),
        helper.make_node("Transpose", ["features"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["last", "flat"], ["patches"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "kernel": weights((5, 3, 4, 4)),
        "memory": weights((1, 5, 7), seed=1)[0],
        "flat": np.array([rows, 5]),
        "grid": np.array([batch, 1, grid, grid]),
        "sides": np.array([batch, 1, SIDE, SIDE]),
        "one": np.array([1]),
        "axis": np.array([0]),
    }
    for number, (start, end) in enumerate(((0, half), (half, rows))):
        constants |= {f"start_{number}": np.array([start]), f"end_{number}": np.array([end])}
        nodes += [
            helper.make_node("Slice", ["patches", f"start_{number}", f"end_{number}", "axis"], [f"chunk_{number}"]),
            helper.make_node("MatMul", [f"chunk_{number}", "memory"], [f"near_{number}"]),
            helper.make_node("ReduceMin", [f"near_{number}", "one"], [f"nearest_{number}"], keepdims=0),
        ]
    nodes += [
        helper.make_node("Concat", ["nearest_0", "nearest_1"], ["nearest"], axis=0),
        helper.make_node("Reshape", ["nearest", "grid"], ["small"]),
        helper.make_node("Resize", ["small", "", "", "sides"], ["large"], mode="linear"),
        helper.make_node("Abs", ["large"], ["heat"]),
    ]
    shape = [batch, 1, SIDE, SIDE]
    return model(nodes, {"heat": shape}, constants=constants, input_shape=[batch, 3, SIDE, SIDE])


def ranked(batch: int) -> onnx.ModelProto:
    """A fixed batch that cannot be shown to be free: the shape of a value depends on the batch by a class token."""
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Abs", ["features"], ["positive"]),
        helper.make_node("Concat", ["positive", "token"], ["with_token"], axis=2),
        helper.make_node("Slice", ["with_token", "zero", "side", "two"], ["heat"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "kernel": weights((1, 3, 3, 3)),
        "token": weights((batch, 1, 1, SIDE)),
        "zero": np.array([0]),
        "side": np.array([SIDE]),
        "two": np.array([2]),
    }
    shape = [batch, 1, SIDE, SIDE]
    return model(nodes, {"heat": shape}, constants=constants, input_shape=[batch, 3, SIDE, SIDE])


def camera(dtype: int = TensorProto.UINT8) -> onnx.ModelProto:
    """A model for grey levels as a camera gives them: NHWC, BGR by its maker's word, 24 x 40 pixels."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["levels", "share"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "last"], ["heat"], keepdims=0),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "share": np.array([0.001, 0.002, 0.004], np.float32),
        "last": np.array([3]),
    }
    return model(nodes, {"heat": ["N", 24, 40]}, constants=constants, input_shape=["N", 24, 40, 3], dtype=dtype)


def with_branch() -> onnx.ModelProto:
    """A model with an `If` whose bodies read values and constants from outside and have constants of their own."""
    bodies = {}
    for name, operator in (("then_branch", "Add"), ("else_branch", "Sub")):
        half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
        value = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, ["N", 1, SIDE, SIDE])
        bodies[name] = helper.make_graph(
            [
                helper.make_node(operator, ["heat_before", "half"], ["moved"]),
                helper.make_node("Abs", ["moved"], [f"{name}_out"]),
            ],
            name,
            [],
            [value],
            [half],
        )
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["heat_before"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMax", ["pixels"], ["brightest"], keepdims=0),
        helper.make_node("Greater", ["brightest", "level"], ["is_bright"]),
        helper.make_node("If", ["is_bright"], ["heat"], **bodies),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "kernel": weights((1, 3, 3, 3)),
        "level": np.array(-1e9, np.float32),
    }
    return model(nodes, {"heat": ["N", 1, SIDE, SIDE]}, constants=constants)


def with_function(domain: str = "somebody") -> onnx.ModelProto:
    """A model that calls a function of its own."""
    function = helper.make_function(
        domain, "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], [helper.make_opsetid("", 18)]
    )
    made = edges(
        extra=[helper.make_node("Twice", ["heat"], ["doubled"], domain=domain)],
        outputs={"doubled": ["N", 1, SIDE, SIDE]},
    )
    made.functions.append(function)
    made.opset_import.append(helper.make_opsetid(domain, 1))
    return made
