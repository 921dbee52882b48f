"""fp16 and bf16 for engines that are strongly typed: the networks in 16 bits, all else as it is.

In 16 bits are the products with constant weights and what lies between them. Layer normalisation and softmax stay in
fp32, and so does everything before the first and behind the last product: resize, distances, logits, suppression,
maximum and threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nand_edge.errors import NandEdgeError
from nand_edge_export.precision.capability import require_capability
from nand_edge_export.precision.element_types import element_types
from nand_edge_export.precision.frames import frame_files, open_gate_inputs
from nand_edge_export.precision.layers import find_layers
from nand_edge_export.precision.nested import Place, constants, graphs, places
from nand_edge_export.precision.observation import observe
from nand_edge_export.precision.protocol import Lowered, Request
from nand_edge_export.precision.rounding import drop_unread, replace_nodes

_BETWEEN = (
    "Add", "AveragePool", "Clip", "Concat", "Conv", "Div", "Erf", "Expand", "Gather", "Gemm", "GlobalAveragePool",
    "HardSigmoid", "HardSwish", "Identity", "MatMul", "MaxPool", "Mul", "Pad", "Relu", "Reshape", "Sigmoid", "Slice",
    "Split", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze",
)  # fmt: skip
# 65,504 is the largest number of fp16; other frames than those that were looked at may reach farther.
_LARGEST_FP16 = 65504 / 4
_LEAST_OF_BF16 = (8, 0)


@dataclass(frozen=True)
class HalfType:
    """A type of 16 bits: how messages call it, and ONNX's number of it."""

    name: str
    element: int

    def tensor(self, values: NDArray[np.float32], name: str) -> TensorProto:
        """The values, each rounded to the nearest of the type."""
        if self.element == TensorProto.FLOAT16:
            return numpy_helper.from_array(values.astype(np.float16), name)
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
        # Rounded to the nearest, to the even one of two.
        rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        return helper.make_tensor(name, self.element, values.shape, rounded.tobytes(), raw=True)


FP16 = HalfType("fp16", TensorProto.FLOAT16)
BF16 = HalfType("bf16", TensorProto.BFLOAT16)


def to_fp16(model: onnx.ModelProto, request: Request) -> Lowered:
    """Networks in fp16; with frames, what comes near the end of its range stays in fp32."""
    return _lowered(model, request, FP16)


def to_bf16(model: onnx.ModelProto, request: Request) -> Lowered:
    """Networks in bf16, whose range is that of fp32."""
    require_capability(request, _LEAST_OF_BF16)
    return _lowered(model, request, BF16)


def _lowered(model: onnx.ModelProto, request: Request, kind: HalfType) -> Lowered:
    chosen = networks(model.graph)
    if not chosen:
        raise NandEdgeError(
            f"precision {kind.name!r}",
            found=f"no layer of bundle {request.bundle.name!r} that could be lowered",
            needed="convolutions or matrix products with weights of their own",
            do="keep fp32",
        )
    settings: dict[str, str | int | float] = {"operators": len(chosen)}
    if kind is FP16:
        exact, told = _too_large(model, chosen, request)
        chosen = [place for place in chosen if place.node.name not in exact and place.node.output[0] not in exact]
        settings |= {"operators": len(chosen), "kept_for_their_range": told}
    cast_networks(model, chosen, kind)
    return Lowered(model, settings)


def networks(graph: onnx.GraphProto) -> list[Place]:
    """The nodes of the encoder's and the detector's networks: layers, and what lies between two of them."""
    layers = {layer.output for layer in find_layers(graph, stems=True)}
    types = element_types(graph)
    found = list(places(graph))
    known = constants(graph)
    after: set[str] = set(layers)
    for place in found:
        if _data(place.node, known) & after and place.node.op_type != "Shape":
            after.update(place.node.output)
    before: set[str] = set()
    for place in reversed(found):
        outputs = set(place.node.output)
        if outputs & (before | layers):
            before.update(_data(place.node, known))
    return [
        place
        for place in found
        if place.node.output[0] in layers
        or (
            place.node.op_type in _BETWEEN
            and place.node.output[0] in after
            and place.node.output[0] in before
            and types.get(place.node.output[0]) == TensorProto.FLOAT
        )
    ]


def cast_networks(model: onnx.ModelProto, chosen: Sequence[Place], kind: HalfType) -> None:
    """Let these nodes compute in a type of 16 bits, in place; every other node sees fp32 as before."""
    casting = _Casting(model.graph, chosen, kind)
    for place in chosen:
        casting.lower(place)
    replace_nodes(model.graph, casting.before, casting.after)
    drop_unread(model.graph)


class _Casting:
    """The casts around nodes that compute in 16 bits, and their constants."""

    def __init__(self, graph: onnx.GraphProto, chosen: Sequence[Place], kind: HalfType) -> None:
        self._kind = kind
        self._types, self._known = element_types(graph), constants(graph)
        self._holders = {tensor.name: each for each in graphs(graph) for tensor in each.initializer}
        ours = {id(place.node) for place in chosen}
        self._made = {name for place in chosen for name in place.node.output}
        # What others read, or a graph gives, has to be there in fp32, too.
        self._wanted = {value.name for each in graphs(graph) for value in each.output}
        self._wanted.update(name for each in places(graph) if id(each.node) not in ours for name in each.node.input)
        self._there: set[str] = set()
        self.before: dict[int, list[onnx.NodeProto]] = {}
        self.after: dict[int, list[onnx.NodeProto]] = {}

    def lower(self, place: Place) -> None:
        """Let a node read and make values of 16 bits."""
        node = place.node
        for index, name in enumerate(node.input):
            if self._types.get(name) == TensorProto.FLOAT:
                node.input[index] = self._lowered(name, place)
        for index, name in enumerate(node.output):
            lowered = node.output[index] = f"{name}/{self._kind.name}"
            if name in self._wanted:
                back = helper.make_node("Cast", [lowered], [name], name=f"{name}/fp32", to=TensorProto.FLOAT)
                self.after.setdefault(id(node), []).append(back)

    def _lowered(self, name: str, place: Place) -> str:
        lowered = f"{name}/{self._kind.name}"
        if name in self._made:
            return lowered
        if name in self._known:
            if lowered not in self._there:
                tensor = self._kind.tensor(numpy_helper.to_array(self._known[name]), lowered)
                self._holders[name].initializer.append(tensor)
        else:
            # A cast in a body is not seen in another one, so each has its own.
            lowered = f"{lowered}_{place.graph.name}"
            if lowered not in self._there:
                cast = helper.make_node("Cast", [name], [lowered], name=lowered, to=self._kind.element)
                self.before.setdefault(id(place.node), []).append(cast)
        self._there.add(lowered)
        return lowered


def _data(node: onnx.NodeProto, known: Mapping[str, TensorProto]) -> set[str]:
    """The values that a node computes with, without shapes and other integers that only direct it."""
    first_only = ("Reshape", "Expand", "Slice", "Gather", "Unsqueeze", "Squeeze", "Pad", "Split", "Transpose", "Clip")
    names = node.input[:1] if node.op_type in first_only else node.input
    return {name for name in names if name and name not in known}


def _too_large(model: onnx.ModelProto, chosen: Iterable[Place], request: Request) -> tuple[set[str], str]:
    """Names of the values that come too near to the end of fp16's range on the frames."""
    options = request.options
    if options.frames is None:
        return set(), "not looked for: no frames were given"
    files = frame_files(options.frames, most=options.calibration_frames)
    values = [place.node.output[0] for place in chosen]
    histograms = observe(model, values, open_gate_inputs(request.bundle, files), only_ranges=True)
    large = {name for name, each in histograms.items() if max(-each.low, each.high) > _LARGEST_FP16}
    return large, f"{len(large)} of {len(values)}, on {len(files)} frames"
