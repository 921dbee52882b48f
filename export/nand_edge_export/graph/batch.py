"""Freeing a graph's fixed batch, where each of its operators can be shown to treat frames one by one.

The proof follows the frames through the graph: for every value that depends on them, along which axis they lie and how
many rows of that axis belong to each. An operator without a rule, or one that mixes frames, ends it.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from nand_edge_export.graph.batch_rules import ROW_BY_ROW, RULES, Frames, MixedFramesError
from nand_edge_export.graph.imported import tidy_model
from nand_edge_export.graph.nodes import bodies, reads


def free_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the same model for any number of frames.

    Args:
        model: In our opset; one input and one output, both with the frames first, and fixed shapes.

    Raises:
        MixedFramesError: It cannot be shown that frames stay apart.
    """
    proof = Proof(model)
    for node in proof.model.graph.node:
        proof.follow(node)
    output = proof.model.graph.output[0]
    if proof.frames.get(output.name) != Frames(axis=0):
        raise MixedFramesError(f"output {output.name!r} is not one row a frame")
    return proof.freed()


class Proof:
    """The frames of every value so far, and the nodes as they have to be for any number of frames."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.shape_inference.infer_shapes(_folded(model), strict_mode=True)
        graph = self.model.graph
        self._shapes = {value.name: _shape(value) for value in (*graph.input, *graph.value_info, *graph.output)}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._shapes |= {name: tuple(tensor.dims) for name, tensor in self._constants.items()}
        self._numbers: dict[str, tuple[object, ...]] = {}
        self._nodes: list[onnx.NodeProto] = []
        (image,) = (value for value in graph.input if value.name not in self._constants)
        self.batch = self.shape(image.name)[0]
        self.frames = {image.name: Frames(axis=0)}

    def follow(self, node: onnx.NodeProto) -> None:
        """Apply the operator's rule and keep the node, changed where it names the batch.

        Raises:
            MixedFramesError: It has no rule, or the rule does not allow it.
        """
        if self.frames.keys().isdisjoint(reads(node)):
            self._nodes.append(node)
            return
        rule = RULES.get(node.op_type)
        if rule is None or list(bodies(node)):
            raise self.mixes(node, "nothing is known of it")
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        found = rule(self, copy)
        if found.part is not None and node.op_type not in ROW_BY_ROW:
            raise self.mixes(node, "it gets a part of the batch")
        for place, name in enumerate(node.output):
            self.frames[name] = found
            self._numbers.setdefault(name, (self._key(node), place))
        self._nodes.append(copy)

    def freed(self) -> onnx.ModelProto:
        """The model with the kept nodes and a free first dimension."""
        freed = onnx.ModelProto()
        freed.CopyFrom(self.model)
        del freed.graph.node[:], freed.graph.value_info[:]
        freed.graph.node.extend(self._nodes)
        freed.graph.initializer.extend(
            tensor for name, tensor in self._constants.items() if name.startswith(_NEW_CONSTANT)
        )
        for value in (*freed.graph.input, *freed.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "N"
        return tidy_model(freed)

    def shape(self, name: str) -> tuple[int, ...]:
        """The fixed shape of a value."""
        shape = self._shapes.get(name)
        if shape is None:
            raise MixedFramesError(f"the shape of {name!r} is not fixed")
        return shape

    def constant(self, node: onnx.NodeProto, place: int) -> NDArray[np.generic]:
        """The value of an input that has to be a constant."""
        name = node.input[place]
        if name not in self._constants:
            raise self.mixes(node, f"its input {name!r} is computed")
        return numpy_helper.to_array(self._constants[name])

    def set_constant(self, node: onnx.NodeProto, place: int, values: NDArray[np.generic]) -> None:
        """Give the node another constant in the place of an input."""
        name = f"{_NEW_CONSTANT}{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(values, name)
        node.input[place] = name

    def only_first(self, node: onnx.NodeProto) -> Frames:
        """The frames of the first input, the only one that may depend on them."""
        first, *others = node.input
        if first not in self.frames or any(name in self.frames for name in others):
            raise self.mixes(node, "frames reach it through another input than the first")
        return self.frames[first]

    def mixes(self, node: onnx.NodeProto, why: str) -> MixedFramesError:
        """The end of the proof."""
        return MixedFramesError(f"{node.op_type} {node.name!r}: {why}")

    def number(self, name: str) -> tuple[object, ...]:
        """What a value is computed by; equal for two parts of a batch that are computed in the same way."""
        return self._numbers.get(name, (name,))

    def take_part(self, node: onnx.NodeProto, source: str) -> None:
        """Let the operator, which cuts rows out of `source`, give all of them."""
        self._numbers[node.output[0]] = ("rows of", source)
        node.CopyFrom(helper.make_node("Identity", [source], node.output, name=node.name))

    def _key(self, node: onnx.NodeProto) -> tuple[object, ...]:
        attributes = tuple(sorted(attribute.SerializeToString() for attribute in node.attribute))
        return (node.op_type, attributes, *(self.number(name) for name in node.input))


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """With fixed shapes, all that is computed from shapes is constant."""
    import onnxscript.optimizer

    return tidy_model(onnxscript.optimizer.optimize(model))


_NEW_CONSTANT = "any_batch_"


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim)
