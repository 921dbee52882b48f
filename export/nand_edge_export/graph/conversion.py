"""From a torch module to the ONNX graph of its arithmetic."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence

import onnx
import torch
from torch import nn

from nand_edge.errors import NandEdgeError
from nand_edge_export.graph.builder import OPSET

EXAMPLE_BATCH = 2


def convert(
    module: nn.Module, examples: Sequence[torch.Tensor], names: Sequence[str], outputs: Sequence[str] | None = None
) -> onnx.GraphProto:
    """Convert a module whose inputs have a free first dimension.

    Args:
        module: In evaluation mode.
        examples: One tensor an input, with a batch of `EXAMPLE_BATCH`.
        names: One name an input.
        outputs: One name an output; None where nobody asks for them by name.

    Raises:
        NandEdgeError: torch cannot convert the module, or needs operators that ONNX does not have.
    """
    batch = torch.export.Dim.DYNAMIC
    shapes = tuple({0: batch} for _ in examples)
    try:
        with _quietly():
            program = torch.onnx.export(
                module,
                tuple(examples),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(names),
                output_names=list(outputs) if outputs else None,
                dynamic_shapes=shapes if not _takes_any_number(module) else (shapes,),
                optimize=True,
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        raise NandEdgeError(
            f"module {type(module).__name__}",
            found=f"torch cannot convert it ({str(error).strip().splitlines()[0][:200]})",
            needed="a model that torch.onnx.export takes",
            do="choose another backbone or CLIP",
        ) from error
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    model = program.model_proto
    domains = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    if domains or model.functions:
        raise NandEdgeError(
            f"module {type(module).__name__}",
            found=f"operators of {', '.join(sorted(domains)) or 'local functions'}",
            needed="operators of ONNX alone",
            do="choose another backbone or CLIP",
        )
    return model.graph


def _takes_any_number(module: nn.Module) -> bool:
    """Whether `forward` is `forward(*inputs)`, whose dynamic shapes torch wants nested once more."""
    return bool(module.forward.__code__.co_flags & 0x04)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter's chatter off the screen; what matters of it is in its exceptions."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
