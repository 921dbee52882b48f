"""A small builder of ONNX graphs: operators become nodes, arrays become shared constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nand_edge_export.graph.nodes import reads, renamed_node
from nand_edge_export.graph.onnxruntime_fusions import DOMAIN

OPSET = 18
OPSETS = (helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1))
IR_VERSION = 9
_SMALL = 16


class Builder:
    """Collects the nodes and constants of one graph; names are unique by a counter.

    Inside `with builder.branch() as nodes:` new nodes go into `nodes`, the body of an `If`; constants always stay in
    the outer graph, where a body sees them.
    """

    def __init__(self) -> None:
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._bodies: list[list[onnx.NodeProto]] = [[]]
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._counter = 0

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """Nodes of the body that is open now."""
        return self._bodies[-1]

    def name(self, hint: str) -> str:
        """A name that no other value of this graph has."""
        self._counter += 1
        return f"{hint}_{self._counter}"

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator with one output and give the output's name; an empty input name means left out."""
        output = self.name(op_type.lower())
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], name=output, **attributes))
        return output

    def alias(self, value: str, name: str) -> str:
        """Give `value` the public name `name`."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"name_{name}"))
        return name

    def constant(self, array: NDArray[Any] | float | Sequence[int], hint: str = "constant") -> str:
        """Add a constant and give its name; equal small constants are shared."""
        values = np.asarray(array)
        if not isinstance(array, np.ndarray):
            values = values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
        key = (str(values.dtype), values.shape, values.tobytes()) if values.size <= _SMALL else None
        if key is not None and key in self._shared:
            return self._shared[key]
        name = self.name(hint)
        self.initializers[name] = numpy_helper.from_array(values.copy(order="C"), name)
        if key is not None:
            self._shared[key] = name
        return name

    @contextmanager
    def branch(self) -> Iterator[list[onnx.NodeProto]]:
        """Collect the nodes of a body apart from those of the outer graph."""
        body: list[onnx.NodeProto] = []
        self._bodies.append(body)
        try:
            yield body
        finally:
            self._bodies.pop()

    def embed(self, graph: onnx.GraphProto, inputs: dict[str, str], prefix: str) -> list[str]:
        """Put a finished graph into this one and give the names of its outputs; for the arguments see `Embedded`."""
        return Embedded(self, graph, inputs, prefix).values([output.name for output in graph.output])


class Embedded:
    """A finished graph inside a builder's, put there as far as its outputs are asked for.

    What an output needs goes into the body that is open when it is first asked for: so one part of a graph runs always
    and the rest in the body of an `If`, which sees what stands outside. Outputs that were first asked for inside a body
    must not be asked for outside of it.

    Args:
        builder: Where it goes.
        graph: The graph; its values get `prefix`, its constants move to the outer graph.
        inputs: For each of its inputs, the value of the builder's graph that takes its place.
        prefix: What its names begin with from now on.
    """

    def __init__(self, builder: Builder, graph: onnx.GraphProto, inputs: dict[str, str], prefix: str) -> None:
        self._builder, self._prefix = builder, prefix
        self._renamed = dict(inputs)
        self._left = list(graph.node)
        self._makers = {output: node for node in graph.node for output in node.output}
        self._counts = _counts(graph)
        self._of_all_frames = set(inputs)
        for tensor in graph.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            copy.name = self._renamed[tensor.name] = f"{prefix}/{tensor.name}"
            builder.initializers[copy.name] = copy

    def values(self, outputs: Sequence[str], select: Callable[[str], str] | None = None) -> list[str]:
        """Names in the builder's graph of these outputs, whose nodes are added where they are not there yet.

        Args:
            outputs: The graph's own names.
            select: From a value with the frames of the batch first to the same value of some of them; given where the
                nodes added now are to run for these alone, whatever was added before it runs for all.
        """
        needed, nodes = set(outputs), []
        for node in reversed(self._left):
            if not needed.isdisjoint(node.output):
                needed.update(reads(node))
                nodes.append(node)
        if select is not None:
            self._cross(sorted(needed & self._of_all_frames), select)
        else:
            self._of_all_frames.update(output for node in nodes for output in node.output)
        self._builder.nodes.extend(renamed_node(node, self._name) for node in reversed(nodes))
        self._left = [node for node in self._left if needed.isdisjoint(node.output)]
        return [self._name(output) for output in outputs]

    def _cross(self, names: Sequence[str], select: Callable[[str], str]) -> None:
        """Let values of all frames stand for the selected ones from now on.

        Numbers of frames and shapes are counted again, since there are fewer frames now.
        """
        for name in names:
            if name not in self._of_all_frames:
                continue  # done with another one
            self._of_all_frames.discard(name)
            if name not in self._counts:
                self._renamed[name] = select(self._name(name))
                continue
            node = self._makers[name]
            self._cross(sorted(reads(node) & self._of_all_frames), select)
            fresh = {output: self._builder.name(f"{self._prefix}/{output}") for output in node.output if output}
            again = renamed_node(node, lambda value, fresh=fresh: fresh.get(value, self._name(value)))  # type: ignore[misc]
            again.name = self._builder.name(f"{self._prefix}/{node.name}")
            self._builder.nodes.append(again)
            self._renamed.update(fresh)
            self._of_all_frames.difference_update(node.output)

    def _name(self, name: str) -> str:
        """A left-out value has no name in any graph."""
        return self._renamed.get(name, f"{self._prefix}/{name}") if name else ""


def _counts(graph: onnx.GraphProto) -> set[str]:
    """Values that are whole numbers: shapes and what is computed of them, with no frames in them."""
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION)
    inferred = onnx.shape_inference.infer_shapes(model)
    return {value.name for value in inferred.graph.value_info if value.type.tensor_type.elem_type == TensorProto.INT64}
