"""What is not installed, package or system library, said in one sentence with the command that installs it."""

from __future__ import annotations

import importlib
import re
import sys

from nand_edge.errors import NandEdgeError

DEVICE_MODULES = ("numpy", "cv2", "onnxruntime", "pydantic", "safetensors", "typer", "rich")
"""What the device side needs, by import name."""

OWN_PACKAGES = ("nand_edge", "nand_edge_export", "nand_edge_runtime")

_NOT_LOADED = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")
_DEBIAN_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libxcb.so.1": "libxcb1",
}


def explain_import_error(error: ImportError, needed_by: str, extra: str = "") -> NandEdgeError | None:
    """The sentence for an import that failed because something is not installed.

    Args:
        error: What the import raised.
        needed_by: Who wanted the import ("command 'export'").
        extra: The extra of `nand-edge` that brings the packages; empty for the base install.

    Returns:
        The error to show, or None when the fault is not a missing package or system library (a bug of ours, say).
    """
    library = _NOT_LOADED.search(str(error))
    if library:
        return _missing_library(library[1], needed_by)
    top_level = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or not top_level or top_level in OWN_PACKAGES:
        return None
    distribution = f"nand-edge[{extra}]" if extra else "nand-edge"
    return NandEdgeError(
        needed_by,
        found=f"no Python package {top_level!r}",
        needed=f"what `{distribution}` brings",
        do=f'install it with `pip install "{distribution}"`',
    )


def check(modules: tuple[str, ...] = DEVICE_MODULES) -> None:
    """Import every module of `modules`.

    Raises:
        NandEdgeError: One of them, or a system library that it loads, is not installed.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            explained = explain_import_error(error, f"Python module {module!r}")
            if explained is None:
                raise
            raise explained from error


def _missing_library(library: str, needed_by: str) -> NandEdgeError:
    package = _DEBIAN_PACKAGES.get(library)
    packages = "libgl1 libglib2.0-0" if package in ("libgl1", "libglib2.0-0") else package
    return NandEdgeError(
        needed_by,
        found=f"no system library {library}",
        needed="it to be installed",
        do=f"install it with `sudo apt-get install -y {packages}`" if packages else "install the package that has it",
    )


if __name__ == "__main__":
    try:
        check()
    except NandEdgeError as error:
        sys.exit(str(error))
