"""What was measured on: processor, cores, system, and the versions of what does the work."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from nand_edge_runtime.machine import processor_name

_PACKAGES = ("torch", "onnxruntime-gpu", "onnxruntime", "openvino", "numpy", "opencv-python", "pillow")


def machine() -> dict[str, Any]:
    """Processor, cores, system and versions, as one JSON object."""
    return {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: version for package in _PACKAGES if (version := _version(package))},
    }


def in_words(threads: int) -> str:
    """The machine for a table's note: "2 cores of NAME, 2 threads"."""
    where = machine()
    return f"{where['cores']} cores of {where['cpu']}, {threads} thread{'s' if threads > 1 else ''}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
