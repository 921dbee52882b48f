"""How frames go into an ONNX model: read from the model, guessed where it is silent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from nand_edge.errors import NandEdgeError
from nand_edge_export.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

Channels = tuple[float, float, float]

LAYOUTS = ("NCHW", "NHWC")
COLORS = ("RGB", "BGR", "gray")
RANGES = {"0..1": 1.0, "0..255": 255.0}
DEFAULT_SIDE = 256
_DTYPES: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.UINT8: "uint8"}
_PASSES_ON = frozenset("Cast Clip Concat Identity Pad Reshape Resize Slice Squeeze Transpose Unsqueeze".split())
_NORMALISES = frozenset("Add BatchNormalization Div Mul Sub".split())


@dataclass(frozen=True)
class Wishes:
    """What the user says of a model; None where it is to be read or guessed.

    Attributes:
        input: Name of the input that takes the frames.
        map_output: Name of the output that is the anomaly map.
        layout: `NCHW` or `NHWC`.
        color: `RGB`, `BGR` or `gray`.
        range: `0..1` or `0..255`, of pixels before mean and deviation.
        mean: One number, or one a channel in the order of `color`, in the unit of the range.
        std: The same for the standard deviation.
        size: Height and width, pixels.
    """

    input: str | None = None
    map_output: str | None = None
    layout: str | None = None
    color: str | None = None
    range: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _one_of("--layout", self.layout, LAYOUTS)
        _one_of("--color", self.color, COLORS)
        _one_of("--range", self.range, tuple(RANGES))
        if self.std is not None and not all(std > 0 for std in self.std):
            raise NandEdgeError("--std", found=str(self.std), needed="numbers above 0", do="correct it")
        if self.size is not None and not all(8 <= side <= 4096 for side in self.size):
            raise NandEdgeError(
                "--size", found=f"{self.size[0]}x{self.size[1]}", needed="8 to 4096 pixels a side", do="correct it"
            )


@dataclass(frozen=True)
class Interface:
    """How frames go into a model.

    Attributes:
        input: Name of the input that takes the frames.
        layout: `NCHW` or `NHWC`.
        color: `RGB`, `BGR` or `gray`.
        dtype: numpy's name of the input's type.
        size: Height and width, pixels.
        mean: Of the red, green and blue channel, in 0..1.
        std: The same for the standard deviation; 1/255 where the model wants grey levels as they are.
        batch: How many frames the input takes at once; 0 for any number.
    """

    input: str
    layout: str
    color: str
    dtype: str
    size: tuple[int, int]
    mean: Channels
    std: Channels
    batch: int

    @property
    def preprocessing(self) -> Preprocessing:
        """How a frame becomes the image that this is about."""
        height, width = self.size
        return Preprocessing(height, self.mean, self.std, width if width != height else None)


@dataclass(frozen=True)
class Choice:
    """One thing that was read or guessed, for people.

    Attributes:
        option: The option that changes it.
        value: What was chosen.
        reason: Why.
    """

    option: str
    value: str
    reason: str


def read_interface(model: onnx.ModelProto, wishes: Wishes, name: str) -> tuple[Interface, list[Choice]]:
    """Read how frames go into a model and guess what it does not say.

    Args:
        model: In our opset, with its constants as initializers.
        wishes: What the user said of it.
        name: What errors call it.

    Raises:
        NandEdgeError: It takes no frames, more than frames, or not as the user says.
    """
    value, reason = _choose_input(model.graph, wishes.input, name)
    choices = [Choice("--input", value.name, reason)]
    shape = _dimensions(value)
    layout, reason = _layout(shape, wishes.layout, name)
    choices.append(Choice("--layout", layout, reason))
    batch, channels, height, width = (shape[axis] for axis in ((0, 1, 2, 3) if layout == "NCHW" else (0, 3, 1, 2)))
    color, reason = _color(channels, wishes.color, name)
    choices.append(Choice("--color", color, reason))
    dtype = _dtype(value, name)
    inside = _inner_normalisation(model.graph, value.name)
    span, reason = _range(dtype, inside, wishes.range)
    choices.append(Choice("--range", span, reason))
    plain, reason = _is_plain(model.graph, value.name, dtype, color, inside)
    unit = RANGES[span]
    order = -1 if color == "BGR" else 1
    mean = _channels("--mean", wishes.mean, unit, order) or ((0.0,) * 3 if plain else IMAGENET_MEAN)
    std = _channels("--std", wishes.std, unit, order) or ((1 / unit,) * 3 if plain else IMAGENET_STD)
    choices.append(Choice("--mean", _numbers(mean, unit, order), "given" if wishes.mean else reason))
    choices.append(Choice("--std", _numbers(std, unit, order), "given" if wishes.std else reason))
    size, reason = _size(model, (height, width), wishes.size, name)
    choices.append(Choice("--size", f"{size[0]}x{size[1]}", reason))
    return Interface(value.name, layout, color, dtype, size, mean, std, batch or 0), choices


def _choose_input(graph: onnx.GraphProto, wish: str | None, name: str) -> tuple[onnx.ValueInfoProto, str]:
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]
    listed = ", ".join(f"{value.name} {_written(value)}" for value in inputs) or "none"
    chosen = (
        [value for value in inputs if value.name == wish] if wish else [v for v in inputs if len(_dimensions(v)) == 4]
    )
    if wish and not chosen:
        raise NandEdgeError(
            f"--input {wish!r} of {name}", found=f"inputs {listed}", needed="one of them", do="correct it"
        )
    if len(inputs) != 1 or not chosen:
        raise NandEdgeError(
            name,
            found=f"inputs {listed}",
            needed="one input of four dimensions, the frames, and no other",
            do="export the model with frames as its only input",
        )
    return chosen[0], "given" if wish else "its only input"


def _dimensions(value: onnx.ValueInfoProto) -> list[int | None]:
    tensor = value.type.tensor_type
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]


def _written(value: onnx.ValueInfoProto) -> str:
    dims = value.type.tensor_type.shape.dim
    return f"[{', '.join(str(dim.dim_value) if dim.HasField('dim_value') else dim.dim_param or '?' for dim in dims)}]"


def _dtype(value: onnx.ValueInfoProto, name: str) -> str:
    kind = value.type.tensor_type.elem_type
    if kind not in _DTYPES:
        raise NandEdgeError(
            f"input {value.name!r} of {name}",
            found=TensorProto.DataType.Name(kind).lower(),
            needed="float32, float16 or uint8",
            do="export the model with such an input",
        )
    return _DTYPES[kind]


def _layout(shape: Sequence[int | None], wish: str | None, name: str) -> tuple[str, str]:
    places = {"NCHW": shape[1] if len(shape) == 4 else 0, "NHWC": shape[3] if len(shape) == 4 else 0}
    possible = [layout for layout, channels in places.items() if channels in (1, 3, None)]
    if not possible or (wish and wish not in possible):
        raise NandEdgeError(
            f"input of {name}",
            found=f"{places['NCHW']} channels as NCHW, {places['NHWC']} as NHWC",
            needed=f"1 or 3{f' as {wish}' if wish else ''}",
            do="use a model of grey or color frames",
        )
    if wish:
        return wish, "given"
    sure = [layout for layout in possible if places[layout] is not None]
    if len(sure) == 1:
        return sure[0], f"{places[sure[0]]} channels there"
    return "NCHW", "the usual one; the model does not say"


def _color(channels: int | None, wish: str | None, name: str) -> tuple[str, str]:
    if wish and channels is not None and (wish == "gray") != (channels == 1):
        raise NandEdgeError(
            f"--color {wish} of {name}", found=f"an input of {channels} channels", needed="as many", do="correct it"
        )
    if wish:
        return wish, "given"
    return ("gray", "one channel") if channels == 1 else ("RGB", "the usual order; the model does not say")


def _range(dtype: str, inside: NDArray[np.float64] | None, wish: str | None) -> tuple[str, str]:
    if wish:
        return wish, "given"
    if dtype == "uint8":
        return "0..255", "the input is uint8"
    if inside is not None and inside.size and (np.abs(inside).max() > 2 or np.abs(inside).max() < 0.02):
        return "0..255", "by the constants that the model normalises with"
    return "0..1", "the usual range of a float input"


def _is_plain(
    graph: onnx.GraphProto, image: str, dtype: str, color: str, inside: NDArray[np.float64] | None
) -> tuple[bool, str]:
    """Whether pixels go in without mean and deviation, and why."""
    if dtype == "uint8" or color == "gray":
        return True, f"the input is {dtype}" if dtype == "uint8" else "the input is gray"
    if image == "input" and {"anomaly_map", "pred_score"} <= {value.name for value in graph.output}:
        return True, "anomalib normalises inside"
    if inside is not None:
        return True, "the model normalises by itself"
    return False, "ImageNet's; the model does not normalise by itself"


def _inner_normalisation(graph: onnx.GraphProto, image: str) -> NDArray[np.float64] | None:
    """The constants of the first arithmetic that pixels go through; None where a network comes first."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in _first_nodes(graph, image):
        others = [name for name in node.input if name in constants]
        if node.op_type in _NORMALISES and others and math.prod(constants[others[0]].dims) <= 3:
            return numpy_helper.to_array(constants[others[0]]).astype(np.float64)
    return None


def _first_nodes(graph: onnx.GraphProto, image: str) -> Iterator[onnx.NodeProto]:
    """The operators that see pixels which nothing but a change of shape or type has touched."""
    untouched = {image}
    for node in graph.node:
        if untouched.isdisjoint(node.input[:1]) and not (node.op_type == "Mul" and untouched & set(node.input)):
            continue
        if node.op_type in _PASSES_ON:
            untouched.update(node.output)
        elif node.op_type != "Shape":
            yield node


def _channels(option: str, wish: tuple[float, ...] | None, unit: float, order: int) -> Channels | None:
    """Numbers of the user's, in the model's order and range, as those of red, green and blue in 0..1."""
    if wish is None:
        return None
    if len(wish) not in (1, 3):
        raise NandEdgeError(option, found=f"{len(wish)} numbers", needed="one, or one a channel", do="correct it")
    red, green, blue = (wish * (3 // len(wish)))[::order]
    return red / unit, green / unit, blue / unit


def _numbers(channels: Channels, unit: float, order: int) -> str:
    """The same as the user would give them."""
    texts = [f"{number * unit:.4g}" for number in channels[::order]]
    return ", ".join(texts if len(set(texts)) > 1 else texts[:1])


def _size(
    model: onnx.ModelProto, fixed: tuple[int | None, int | None], wish: tuple[int, int] | None, name: str
) -> tuple[tuple[int, int], str]:
    if wish and any(side not in (None, wished) for side, wished in zip(fixed, wish, strict=True)):
        raise NandEdgeError(
            f"--size {wish[0]}x{wish[1]} of {name}",
            found=f"a model for {fixed[0] or 'any'}x{fixed[1] or 'any'}",
            needed="its size",
            do="leave --size out",
        )
    if wish:
        return wish, "given"
    if fixed[0] is not None and fixed[1] is not None:
        return (fixed[0], fixed[1]), "fixed by the model"
    inner = _inner_size(model)
    if inner:
        return inner, "the model itself resizes to it"
    return (fixed[0] or DEFAULT_SIDE, fixed[1] or DEFAULT_SIDE), "a usual size; the model takes any"


def _inner_size(model: onnx.ModelProto) -> tuple[int, int] | None:
    """Height and width of what the first convolution reads, where the model fixes them by a resize of its own."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {value.name: _dimensions(value) for value in inferred.value_info}
    first = next((node for node in inferred.node if node.op_type == "Conv"), None)
    match shapes.get(first.input[0], []) if first is not None else []:
        case [_, 1 | 3, int(height), int(width)]:
            return height, width
    return None


def _one_of(option: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise NandEdgeError(option, found=repr(value), needed=f"one of {', '.join(allowed)}", do="correct it")
