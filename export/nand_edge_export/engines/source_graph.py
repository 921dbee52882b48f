"""The graph that compiled engines are made of."""

from __future__ import annotations

from pathlib import Path

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.samples import graph_of


def source_graph(bundle: Bundle, target: Target) -> Path:
    """The path of the bundle's graph for a target; its weights lie beside it.

    Raises:
        NandEdgeError: The bundle has none.
    """
    name = graph_of(target)
    path = bundle.path(name)
    if not path.is_file():
        raise NandEdgeError(
            f"bundle {bundle.name!r}",
            found=f"no {name}",
            needed="the graph that engines are built from",
            do="export the bundle again with this version of nand-edge",
        )
    return path
