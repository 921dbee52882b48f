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
