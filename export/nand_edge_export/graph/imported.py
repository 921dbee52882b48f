"""An ONNX model from elsewhere, made fit for the one graph: weights inside, ONNX's own operators, our opset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
from onnx import TensorProto, numpy_helper

from nand_edge.errors import NandEdgeError
from nand_edge.files import inside
from nand_edge_export.graph.builder import IR_VERSION, OPSET
from nand_edge_export.graph.nodes import all_nodes, bodies

MAX_BYTES = 1 << 30
"""Largest model with its weights, bytes; a protobuf message ends at 2 GiB, and the one graph holds more than it."""

_STANDARD = ("", "ai.onnx")


def read_model(path: Path) -> onnx.ModelProto:
    """Read an ONNX file with its weights, those in files beside it included.

    Raises:
        NandEdgeError: It is missing, no ONNX model, too large, or names weights outside its folder.
    """
    name = f"ONNX model {str(path)!r}"
    if not path.is_file():
        raise NandEdgeError(name, found="no such file", needed="an .onnx file", do="check the path")
    _require_size(path.stat().st_size, name)
    model = _parse(path.read_bytes(), name)
    files = {inside(path.parent, _location(tensor)) for tensor in _outside(model)}
    for file in sorted(files):
        if not file.is_file():
            raise NandEdgeError(
                name,
                found=f"no file {file.name!r} with its weights beside it",
                needed="all files of the model",
                do="copy them into the same folder",
            )
    _require_size(path.stat().st_size + sum(file.stat().st_size for file in files), name)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise _damaged(name, error) from None
    return _checked(model, name)


def in_single_precision(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Give the same model with float32 wherever it has float16, so that all engines compute the same of it.

    Raises:
        NandEdgeError: The model does not allow it.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    _widen(wide.graph)
    for function in wide.functions:
        _widen_nodes(function.node)
    return _checked(wide, name)


def parse_model(content: bytes, name: str) -> onnx.ModelProto:
    """Read a model that lies whole in `content`.

    Raises:
        NandEdgeError: It is no ONNX model, too large, or wants weights from files.
    """
    _require_size(len(content), name)
    model = _parse(content, name)
    for tensor in _outside(model):
        raise NandEdgeError(
            name,
            found=f"weights {tensor.name!r} that lie in a file outside of it",
            needed="a model that holds its weights",
            do="fit the detector again with `nand-edge fit --onnx`",
        )
    return _checked(model, name)


def require_standard_operators(model: onnx.ModelProto, name: str) -> None:
    """Refuse operators that are neither ONNX's own nor functions of the model.

    Raises:
        NandEdgeError: There are such operators; they are named.
    """
    known = {(function.domain, function.name) for function in model.functions}
    nodes = [*all_nodes(model.graph.node), *(node for each in model.functions for node in all_nodes(each.node))]
    custom = {
        f"{node.domain}.{node.op_type}"
        for node in nodes
        if node.domain not in _STANDARD and (node.domain, node.op_type) not in known
    }
    if custom:
        raise NandEdgeError(
            name,
            found=f"custom operators {', '.join(sorted(custom))}",
            needed="operators of ONNX itself, which every engine knows",
            do="export the model without them",
        )


def with_our_opset(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Give the same model with functions inlined and in the opset of our graph.

    Raises:
        NandEdgeError: It has custom operators, or an operator that our opset has no equivalent for.
    """
    require_standard_operators(model, name)
    found = max((opset.version for opset in model.opset_import if opset.domain in _STANDARD), default=1)
    try:
        inlined = onnx.inliner.inline_local_functions(model, convert_version=True)
        if found > OPSET:
            # Operators younger than our opset, such as Gelu, are functions of older ones.
            newer = sorted({node.op_type for node in all_nodes(inlined.graph.node) if _is_newer(node.op_type)})
            inlined = onnx.inliner.inline_selected_functions(
                inlined, [("", op_type) for op_type in newer], inline_schema_functions=True
            )
        converted = onnx.version_converter.convert_version(inlined, OPSET)
        tidy = tidy_model(converted)
        onnx.checker.check_model(tidy, full_check=True)
    except Exception as error:  # noqa: BLE001 - the converter fails with errors of many types
        raise NandEdgeError(
            name,
            found=f"opset {found}, which cannot be converted ({first_line(error)})",
            needed=f"a model in opset {OPSET}, or one that onnx converts to it",
            do=f"export the model with opset {OPSET}",
        ) from None
    return tidy


def only_output(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    """Give the model with one of its outputs alone and without the operators that only others needed."""
    chosen = [value for value in model.graph.output if value.name == output]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(chosen)
    return tidy_model(copy)


def first_line(error: Exception) -> str:
    """What an error says at first, at most 200 characters."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]


def tidy_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants as initializers of the outermost graph, all names unique, and nothing that no output needs."""
    import onnx_ir
    from onnx_ir.passes import Sequential
    from onnx_ir.passes import common as passes

    known = onnx_ir.from_proto(model)
    tidying = Sequential(
        passes.NameFixPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.LiftSubgraphInitializersToMainGraphPass(),
        passes.RemoveUnusedNodesPass(),
    )
    tidying(known)
    tidy = onnx_ir.to_proto(known)
    tidy.ir_version = IR_VERSION
    del tidy.functions[:], tidy.opset_import[:]
    tidy.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    return tidy


def _is_newer(op_type: str) -> bool:
    """Whether ONNX has the operator, but had it not in our opset."""
    if not onnx.defs.has(op_type):
        return False
    try:
        onnx.defs.get_schema(op_type, OPSET, "")
    except onnx.defs.SchemaError:
        return True
    return False


def _widen(graph: onnx.GraphProto) -> None:
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    del graph.value_info[:]
    _widen_nodes(graph.node)


def _widen_nodes(nodes: Iterable[onnx.NodeProto]) -> None:
    for node in nodes:
        for attribute in node.attribute:
            # `to` of Cast, `dtype` of RandomNormal and others.
            if attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
            if attribute.type == onnx.AttributeProto.TENSOR:
                _widen_tensor(attribute.t)
        for body in bodies(node):
            _widen(body)


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT16:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))


def _parse(content: bytes, name: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # noqa: BLE001 - protobuf's error comes without types
        raise _damaged(name, error) from None
    if not model.graph.output:
        raise _damaged(name, ValueError("no graph with outputs in it"))
    return model


def _checked(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        require_standard_operators(model, name)
        raise _damaged(name, error) from None
    return model


def _outside(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Tensors whose numbers lie in another file, wherever in the model they stand."""
    graphs = [model.graph, *(body for node in all_nodes(model.graph.node) for body in bodies(node))]
    functions = [node for function in model.functions for node in all_nodes(function.node)]
    graphs += [body for node in functions for body in bodies(node)]
    nodes = [*all_nodes(model.graph.node), *functions]
    tensors = [tensor for graph in graphs for tensor in graph.initializer]
    tensors += [
        tensor for graph in graphs for sparse in graph.sparse_initializer for tensor in (sparse.values, sparse.indices)
    ]
    for node in nodes:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
    yield from (tensor for tensor in tensors if tensor.data_location == TensorProto.EXTERNAL)


def _location(tensor: TensorProto) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _require_size(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise NandEdgeError(
            name,
            found=f"{size / 2**20:.0f} MiB",
            needed=f"at most {MAX_BYTES >> 20} MiB with its weights",
            do="use a smaller model",
        )


def _damaged(name: str, error: Exception) -> NandEdgeError:
    return NandEdgeError(
        name,
        found=f"a file that is no whole ONNX model ({first_line(error)})",
        needed="a model that passes onnx.checker",
        do="export it again",
    )
