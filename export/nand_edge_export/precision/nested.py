"""Walking an ONNX graph with all its bodies, and bringing values out of bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx
from onnx import AttributeProto, TensorProto, helper

_HANDED_ON = "__handed_on"


@dataclass(frozen=True)
class Place:
    """A node and the graph that it stands in: the model's own or a body of an `If`."""

    node: onnx.NodeProto
    graph: onnx.GraphProto


def bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs that a node holds."""
    return [attribute.g for attribute in node.attribute if attribute.type == AttributeProto.GRAPH]


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and all graphs in it, however deep."""
    yield graph
    for node in graph.node:
        for body in bodies(node):
            yield from graphs(body)


def places(graph: onnx.GraphProto) -> Iterator[Place]:
    """Every node of the graph and of its bodies, in the order in which they run."""
    for node in graph.node:
        yield Place(node, graph)
        for body in bodies(node):
            yield from places(body)


def constants(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    """Initialisers of the graph and its bodies by name; the names are unique in the whole model.

    Inputs that have a default are left out: a caller may give another value.
    """
    inputs = {value.name for value in graph.input}
    return {tensor.name: tensor for each in graphs(graph) for tensor in each.initializer if tensor.name not in inputs}


def consumers(graph: onnx.GraphProto) -> dict[str, list[Place]]:
    """For each value, the nodes that read it, in whatever body they stand."""
    found: dict[str, list[Place]] = {}
    for place in places(graph):
        for name in filter(None, place.node.input):
            found.setdefault(name, []).append(place)
    return found


def producers(graph: onnx.GraphProto) -> dict[str, Place]:
    """For each value, the node that makes it."""
    return {name: place for place in places(graph) for name in place.node.output if name}


def expose(model: onnx.ModelProto, names: Iterable[str]) -> dict[str, str]:
    """Make float values outputs of the model, wherever they stand.

    An `If` hands the values of its bodies on; where another body is taken, the output is an empty tensor. So a value
    that was not computed in a run is empty. A `Loop` stacks them, one entry a turn.

    Returns:
        For each value that was found, the name of the model's output that shows it.
    """
    shown = {value: name for name, value in _visible(model.graph, set(names)).items()}
    outputs = {output.name for output in model.graph.output}
    model.graph.output.extend(_float_value(name) for name in shown.values() if name not in outputs)
    return shown


def _visible(graph: onnx.GraphProto, wanted: set[str]) -> dict[str, str]:
    """Names that this graph's own nodes now give, with the wanted values that they stand for."""
    found = {value.name: value.name for value in graph.input if value.name in wanted}
    for node in graph.node:
        found.update({name: name for name in node.output if name in wanted})
        if node.op_type in ("If", "Loop"):
            for body in bodies(node):
                for name, value in _visible(body, wanted).items():
                    found[_hand_on(node, body, name)] = value
    return found


def _hand_on(node: onnx.NodeProto, body: onnx.GraphProto, name: str) -> str:
    """Give an `If` or a `Loop` one more output: the body's value, or nothing where another body is taken."""
    for each in bodies(node):
        local = f"{name}{_HANDED_ON}_{each.name}"
        if each is body:
            each.node.append(helper.make_node("Identity", [name], [local]))
        else:
            empty = helper.make_tensor(f"{local}_empty", TensorProto.FLOAT, [0], [])
            each.node.append(helper.make_node("Constant", [], [local], value=empty))
        each.output.append(_float_value(local))
    outside = f"{name}{_HANDED_ON}"
    node.output.append(outside)
    return outside


def _float_value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
