"""The graph that compiled engines are made of."""

from __future__ import annotations

from pathlib import Path

from nand_edge.bundle import GRAPH_FOR_TENSORRT, Bundle
from nand_edge.errors import NandEdgeError


def source_graph(bundle: Bundle) -> Path:
    """The path of the bundle's graph without ONNX `Resize` and with all inputs free; its weights lie beside it.

    Raises:
        NandEdgeError: The bundle has none.
    """
    path = bundle.path(GRAPH_FOR_TENSORRT)
    if not path.is_file():
        raise NandEdgeError(
            f"bundle {bundle.name!r}",
            found=f"no {GRAPH_FOR_TENSORRT}",
            needed="the graph that engines are built from",
            do="export the bundle again with this version of nand-edge",
        )
    return path
