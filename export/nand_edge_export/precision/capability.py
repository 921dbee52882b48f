"""Which GPUs have a precision."""

from __future__ import annotations

import re

from nand_edge.errors import NandEdgeError
from nand_edge_export.precision.protocol import Request


def require_capability(request: Request, least: tuple[int, int]) -> None:
    """Make sure that every compute capability that was asked for reaches the least one; unasked is unknown.

    Raises:
        NandEdgeError: One does not.
    """
    asked = re.findall(r"(\d+)\.(\d+)", request.options.compute_capability or "")
    lower = [f"{major}.{minor}" for major, minor in asked if (int(major), int(minor)) < least]
    if lower:
        raise NandEdgeError(
            f"precision {request.options.precision!r}",
            found=f"compute capability {', '.join(lower)}",
            needed=f"{least[0]}.{least[1]} or later",
            do="choose another precision for this GPU: fp16 runs on all",
        )
