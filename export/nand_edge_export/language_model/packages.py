"""The packages that only a language model needs, imported when one is asked."""

from __future__ import annotations

import importlib
from types import ModuleType

from nand_edge.errors import NandEdgeError


def package(name: str) -> ModuleType:
    """Import a package of the extra `llm`.

    Raises:
        NandEdgeError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise NandEdgeError(
            f"package {name!r}",
            found="that it is not installed",
            needed="it, to ask a language model",
            do="run `pip install 'nand-edge[llm]'`",
        ) from None
