"""Nodes of an ONNX graph together with the bodies of `If`, `Loop` and `Scan` in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import onnx


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node has as attributes."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes and those of all bodies in them."""
    for node in nodes:
        yield node
        for body in bodies(node):
            yield from all_nodes(body.node)


def all_initializers(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The weights of a graph and of all bodies in it."""
    yield from graph.initializer
    for node in graph.node:
        for body in bodies(node):
            yield from all_initializers(body)


def reads(node: onnx.NodeProto) -> set[str]:
    """Names of the values that a node needs: its inputs, and what its bodies take from outside of them."""
    names = set(node.input)
    for body in bodies(node):
        made = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
        made.update(name for inner in body.node for name in inner.output)
        inside = {name for inner in body.node for name in reads(inner)} | {value.name for value in body.output}
        names |= inside - made
    return names


def renamed_node(node: onnx.NodeProto, rename: Callable[[str], str]) -> onnx.NodeProto:
    """A copy of a node in which every value, those of its bodies included, has the name that `rename` gives it."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = rename(node.name)
    copy.input[:] = [rename(name) for name in node.input]
    copy.output[:] = [rename(name) for name in node.output]
    for body in bodies(copy):
        renamed = [renamed_node(inner, rename) for inner in body.node]
        del body.node[:], body.value_info[:]
        body.node.extend(renamed)
        for value in (*body.input, *body.output, *body.initializer):
            value.name = rename(value.name)
    return copy


def weights_into_bodies(graph: onnx.GraphProto) -> None:
    """Move each initializer to the innermost body that has all its readers; those with a name of an input stay."""
    inputs = {value.name for value in graph.input}
    for node in graph.node:
        for inner in bodies(node):
            elsewhere = set().union(*(reads(other) for other in graph.node if other is not node), inputs)
            elsewhere |= {name for other in bodies(node) if other is not inner for name in _body_reads(other)}
            elsewhere |= set(node.input) | {value.name for value in graph.output}
            wanted = _body_reads(inner) - elsewhere
            inner.initializer.extend(tensor for tensor in graph.initializer if tensor.name in wanted)
            kept = [tensor for tensor in graph.initializer if tensor.name not in wanted]
            del graph.initializer[:]
            graph.initializer.extend(kept)
            weights_into_bodies(inner)


def _body_reads(body: onnx.GraphProto) -> set[str]:
    return {name for node in body.node for name in reads(node)} | {value.name for value in body.output}
